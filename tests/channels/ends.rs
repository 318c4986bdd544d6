//! Ends that close, go, and travel.

use std::sync::Arc;
use std::thread;

use crossbuf::channel::{RecvError, Value};
use crossbuf::{Receiver, channel};

use super::{await_waiters, for_each_capacity, number, watched};

#[test]
fn closing_frees_those_blocked_on_this_end_only() {
    for_each_capacity(|capacity| {
        let (sender, receiver) = channel(capacity);
        let doomed = Arc::new(receiver.clone());
        let blocked: Vec<_> = (0..3)
            .map(|_| {
                let doomed = Arc::clone(&doomed);
                thread::spawn(move || doomed.recv().map(drop))
            })
            .collect();
        let probe = receiver.clone();
        let staying = thread::spawn(move || number(receiver.recv().unwrap()));
        await_waiters(&probe, 0, 4);
        doomed.close();
        doomed.close();
        for thread in blocked {
            assert_eq!(thread.join().unwrap(), Err(RecvError::Closed));
        }
        assert_eq!(doomed.try_recv().unwrap_err(), RecvError::Closed);
        assert!(doomed.is_closed() && Receiver::clone(&doomed).is_closed() && !probe.is_closed());
        await_waiters(&probe, 0, 1);
        sender.send(5).unwrap();
        assert_eq!(staying.join().unwrap(), 5);
    });
}

#[test]
fn closing_a_sender_gives_its_messages_back() {
    for capacity in [0, 1] {
        watched(|| {
            let (sender, receiver) = channel(Some(capacity));
            (0..capacity).for_each(|_| sender.send(-1).unwrap());
            let doomed = Arc::new(sender.clone());
            let blocked = thread::spawn({
                let doomed = Arc::clone(&doomed);
                move || doomed.send(1)
            });
            let staying = thread::spawn(move || sender.send(2));
            await_waiters(&receiver, 2, 0);
            doomed.downgrade().close();
            let refused = blocked.join().unwrap().unwrap_err();
            assert!(refused.is_closed());
            assert_eq!(number(refused.into_message()), 1);
            let rest: Vec<_> = receiver.iter().map(number).filter(|n| *n >= 0).collect();
            assert_eq!(rest, [2]);
            staying.join().unwrap().unwrap();
        });
    }
}

#[test]
fn the_last_sender_ends_the_channel() {
    for_each_capacity(|capacity| {
        let (sender, receiver) = channel(capacity);
        let probe = receiver.clone();
        let blocked: Vec<_> = (0..3)
            .map(|_| {
                let receiver = receiver.clone();
                thread::spawn(move || receiver.recv().map(drop))
            })
            .collect();
        await_waiters(&probe, 0, 3);
        let second = sender.clone();
        drop(sender);
        await_waiters(&probe, 0, 3);
        second.close();
        for thread in blocked {
            assert_eq!(thread.join().unwrap(), Err(RecvError::Ended));
        }
        assert!(second.send(1).unwrap_err().is_closed());
        assert_eq!(receiver.iter().count(), 0);
    });
}

#[test]
fn what_was_sent_outlives_its_senders() {
    watched(|| {
        let (sender, receiver) = channel(Some(16));
        (0..5).for_each(|n| sender.send(n).unwrap());
        drop(sender);
        assert_eq!(receiver.into_iter().map(number).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    });
}

#[test]
fn the_last_receiver_breaks_the_channel() {
    for_each_capacity(|capacity| {
        let (sender, receiver) = channel(capacity);
        let places = capacity.unwrap_or(3);
        (0..places).for_each(|_| sender.send(0).unwrap());
        let blocked = capacity.map(|_| {
            let sender = sender.clone();
            thread::spawn(move || sender.send(1))
        });
        if blocked.is_some() {
            await_waiters(&receiver, 1, 0);
        }
        drop(receiver);
        if let Some(thread) = blocked {
            let refused = thread.join().unwrap().unwrap_err();
            assert!(refused.is_broken());
            assert_eq!(number(refused.into_message()), 1);
        }
        assert!(sender.try_send(2).unwrap_err().is_broken());
        assert!(sender.send(2).unwrap_err().is_broken());
        assert_eq!(sender.len(), 0, "what nobody can receive is gone");
    });
}

#[test]
fn ends_travel() {
    watched(|| {
        let (requests, inbox) = channel(Some(0));
        let server = thread::spawn(move || {
            for message in inbox {
                let Value::Tuple(parts) = message.value().unwrap() else { panic!("a request was sent") };
                let [Value::Sender(reply), Value::Int(n)] = &parts[..] else { panic!("{parts:?} is no request") };
                reply.send(n * n).unwrap();
            }
        });
        for n in 0..100 {
            let (reply, answer) = channel(Some(1));
            requests.send(Value::Tuple(vec![reply.into(), n.into()])).unwrap();
            assert_eq!(number(answer.recv().unwrap()), n * n);
            assert!(answer.recv().unwrap_err().is_ended());
        }
        drop(requests);
        server.join().unwrap();
    });
}

#[test]
fn statistics_add_up() {
    watched(|| {
        let (sender, receiver) = channel(Some(2));
        let second = receiver.clone();
        sender.send(1).unwrap();
        sender.send(2).unwrap();
        receiver.recv().unwrap();
        let now = second.statistics();
        assert_eq!((now.capacity, now.queued, now.senders, now.receivers), (Some(2), 1, 1, 2));
        assert_eq!((now.waiting_senders, now.waiting_receivers, now.sent, now.received), (0, 0, 2, 1));
    });
}
