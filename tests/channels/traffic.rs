//! Messages between threads: each once, in order, none lost to a timeout.

use std::collections::HashSet;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use crossbuf::channel;
use crossbuf::channel::{Message, RecvError, Value};

use super::{ROUNDS, await_waiters, for_each_capacity, number, watched};

fn pair(message: Message) -> (i64, i64) {
    match message.value().unwrap() {
        Value::Tuple(items) => (items[0].as_i64().unwrap(), items[1].as_i64().unwrap()),
        other => panic!("{other:?} is no pair"),
    }
}

#[test]
fn smoke() {
    watched(|| {
        for capacity in [None, Some(1), Some(16)] {
            let (sender, receiver) = channel(capacity);
            assert!(sender.same_channel(&receiver));
            assert!(!sender.same_channel(&channel(capacity).1));
            sender.try_send(7).unwrap();
            assert_eq!(number(receiver.try_recv().unwrap()), 7);
            sender.send(8).unwrap();
            assert_eq!((sender.len(), receiver.is_empty()), (1, false));
            assert_eq!(number(receiver.recv().unwrap()), 8);
            assert_eq!(receiver.try_recv().unwrap_err(), RecvError::Empty { senders: 1 });
            assert!(receiver.recv_timeout(Duration::from_millis(1)).unwrap_err().is_timed_out());
        }
    });
}

#[test]
fn rendezvous_needs_two() {
    watched(|| {
        let (sender, receiver) = channel(Some(0));
        assert!(sender.try_send(1).unwrap_err().is_full());
        assert!(receiver.try_recv().unwrap_err().is_empty());
        assert!(sender.send_timeout(2, Duration::from_millis(1)).unwrap_err().is_timed_out());
        assert!(receiver.try_recv().unwrap_err().is_empty(), "an offer does not outlast its send");

        let blocked = thread::spawn({
            let sender = sender.clone();
            move || sender.send(3)
        });
        await_waiters(&receiver, 1, 0);
        assert_eq!(receiver.statistics().sent, 0, "an offer is not sent yet");
        assert_eq!(number(receiver.try_recv().unwrap()), 3, "a receive that does not wait takes an offer");
        blocked.join().unwrap().unwrap();

        let probe = receiver.clone();
        let blocked = thread::spawn(move || number(receiver.recv().unwrap()));
        await_waiters(&probe, 0, 1);
        sender.try_send(4).unwrap();
        assert_eq!(blocked.join().unwrap(), 4);
    });
}

#[test]
fn capacity() {
    watched(|| {
        for places in [1, 16] {
            let (sender, receiver) = channel(Some(places));
            for round in 0..3 {
                for n in 0..places {
                    assert_eq!(sender.len(), n);
                    sender.try_send(n as i64).unwrap();
                }
                let refused = sender.try_send(-1).unwrap_err();
                assert!(refused.is_full());
                assert!(refused.to_string().contains(if places == 1 { "one place" } else { "16 places" }), "{refused}");
                assert_eq!(number(refused.into_message()), -1);
                assert!(sender.send_timeout(-1, Duration::from_millis(1)).unwrap_err().is_timed_out());
                for n in 0..places {
                    assert_eq!(number(receiver.try_recv().unwrap()), n as i64, "round {round}");
                }
            }
            assert_eq!((sender.capacity(), receiver.capacity()), (Some(places), Some(places)));
        }
        let (sender, receiver) = channel(None);
        (0..10_000).for_each(|n| sender.try_send(n).unwrap());
        assert_eq!(receiver.len(), 10_000);
        (0..10_000).for_each(|n| assert_eq!(number(receiver.try_recv().unwrap()), n));
    });
}

#[test]
fn one_to_one() {
    for_each_capacity(|capacity| {
        let (sender, receiver) = channel(capacity);
        let sending = thread::spawn(move || (0..ROUNDS).for_each(|n| sender.send(n).unwrap()));
        for n in 0..ROUNDS {
            assert_eq!(number(receiver.recv().unwrap()), n);
        }
        assert_eq!(receiver.recv().unwrap_err(), RecvError::Ended);
        sending.join().unwrap();
    });
}

#[test]
fn echo() {
    for_each_capacity(|capacity| {
        let (there, arrives) = channel(capacity);
        let (back, returns) = channel(capacity);
        let echo = thread::spawn(move || arrives.iter().for_each(|message| back.send(message).unwrap()));
        for n in 0..ROUNDS {
            there.send(n).unwrap();
            assert_eq!(number(returns.recv().unwrap()), n);
        }
        drop(there);
        echo.join().unwrap();
    });
}

/// What each of some receivers got from senders `0..senders` that each sent `0..count`.
fn many_to_many(capacity: Option<usize>, senders: i64, receivers: usize, count: i64) -> Vec<Vec<(i64, i64)>> {
    let (sender, receiver) = channel(capacity);
    let sending: Vec<_> = (0..senders)
        .map(|who| {
            let sender = sender.clone();
            thread::spawn(move || {
                for n in 0..count {
                    sender.send(Value::Tuple(vec![who.into(), n.into()])).unwrap();
                }
            })
        })
        .collect();
    drop(sender);
    let receiving: Vec<_> = (0..receivers)
        .map(|_| {
            let receiver = receiver.clone();
            thread::spawn(move || receiver.into_iter().map(pair).collect())
        })
        .collect();
    sending.into_iter().for_each(|thread| thread.join().unwrap());
    let got = receiving.into_iter().map(|thread| thread.join().unwrap()).collect();
    let end = receiver.statistics();
    let all = (senders * count) as u64;
    assert_eq!((end.sent, end.received, end.queued, end.senders), (all, all, 0, 0));
    got
}

#[test]
fn many_to_many_each_once() {
    for_each_capacity(|capacity| {
        let got = many_to_many(capacity, 4, 4, ROUNDS / 4);
        let all: Vec<_> = got.into_iter().flatten().collect();
        assert_eq!(all.len() as i64, 4 * (ROUNDS / 4));
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    });
}

#[test]
fn each_senders_order_is_kept() {
    for_each_capacity(|capacity| {
        for seen in many_to_many(capacity, 3, 3, ROUNDS / 4) {
            for who in 0..3 {
                assert!(seen.iter().filter(|(sender, _)| *sender == who).is_sorted_by(|a, b| a.1 < b.1));
            }
        }
    });
}

/// Sends that time out race with receives: what was sent is received, what came back is not.
#[test]
fn timeouts_conserve_messages() {
    for_each_capacity(|capacity| {
        let (sender, receiver) = channel(capacity);
        let start = Arc::new(Barrier::new(5));
        let sending: Vec<_> = (0..3)
            .map(|who| {
                let (sender, start) = (sender.clone(), Arc::clone(&start));
                thread::spawn(move || {
                    start.wait();
                    let mut sent = Vec::new();
                    for n in 0..ROUNDS / 5 {
                        let item = who * ROUNDS + n;
                        match sender.send_timeout(item, Duration::from_micros((n % 60) as u64)) {
                            Ok(()) => sent.push(item),
                            Err(refused) => {
                                assert!(refused.is_timed_out());
                                assert_eq!(number(refused.into_message()), item);
                            }
                        }
                    }
                    sent
                })
            })
            .collect();
        drop(sender);
        let receiving: Vec<_> = (0..2_u64)
            .map(|who| {
                let (receiver, start) = (receiver.clone(), Arc::clone(&start));
                thread::spawn(move || {
                    start.wait();
                    let mut got = Vec::new();
                    for n in 0.. {
                        match receiver.recv_timeout(Duration::from_micros(who * 7 + n % 50)) {
                            Ok(message) => got.push(number(message)),
                            Err(RecvError::Ended) => break,
                            Err(other) => assert!(other.is_timed_out()),
                        }
                    }
                    got
                })
            })
            .collect();
        let mut sent: Vec<i64> = sending.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        let mut got: Vec<i64> = receiving.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        sent.sort_unstable();
        got.sort_unstable();
        assert_eq!(got, sent, "capacity {capacity:?}");
        assert!(receiver.is_empty());
    });
}

/// Calls that do not wait, from many threads, among some that do.
#[test]
fn tries_mix_with_waits() {
    for_each_capacity(|capacity| {
        let (sender, receiver) = channel(capacity);
        let trying = thread::spawn({
            let sender = sender.clone();
            move || {
                for n in 0..ROUNDS / 10 {
                    let mut message = Message::from(n);
                    while let Err(refused) = sender.try_send(message) {
                        assert!(refused.is_full());
                        message = refused.into_message();
                        thread::yield_now();
                    }
                }
            }
        });
        let waiting = thread::spawn(move || (0..ROUNDS / 10).for_each(|n| sender.send(n).unwrap()));
        let patient = thread::spawn({
            let receiver = receiver.clone();
            move || receiver.iter().map(number).sum::<i64>()
        });
        let mut sum = 0;
        loop {
            match receiver.try_recv() {
                Ok(message) => sum += number(message),
                Err(RecvError::Ended) => break,
                Err(other) => {
                    assert!(other.is_empty());
                    thread::yield_now();
                }
            }
        }
        trying.join().unwrap();
        waiting.join().unwrap();
        let each: i64 = (0..ROUNDS / 10).sum();
        assert_eq!(sum + patient.join().unwrap(), 2 * each);
    });
}
