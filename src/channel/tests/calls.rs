//! Sends and receives that wait without a thread, and messages that may come back.

use std::sync::{Arc, Mutex};
use std::thread;

use super::{await_waiters, number, until};
use crate::channel::calls::{Lent, Unreceived, Unsent};
use crate::channel::gate::Gate;
use crate::channel::refusal::{Absence, Refusal};
use crate::channel::waiters::{CallKey, Rouse, Waiters, Waker, at_once};
use crate::channel::{Message, RecvError, Value, channel};
use crate::sync::Ordering;
use crate::sync::of_process::AtomicUsize;
use crate::{Receiver, Sender};

/// Counts how often it was woken.
#[derive(Debug, Default)]
struct Count(AtomicUsize);

impl Count {
    fn new() -> Arc<Count> {
        Arc::default()
    }

    fn woken(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Waker for Count {
    fn wake(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn lent(receiver: &Receiver) -> Lent {
    receiver.lend_or_call(Count::new()).expect("a message is there")
}

fn pending(receiver: &Receiver, waker: &Arc<Count>) -> CallKey {
    match receiver.lend_or_call(Arc::<Count>::clone(waker)) {
        Err(Unreceived::Pending(key)) => key,
        other => panic!("{other:?} is not pending"),
    }
}

fn absence(receiver: &Receiver) -> Absence {
    match receiver.lend_or_call(Count::new()) {
        Err(Unreceived::Absent(absence)) => absence,
        other => panic!("{other:?} is no absence"),
    }
}

#[test]
fn a_message_for_each_call() {
    let (sender, receiver) = channel(None);
    let wakers = [Count::new(), Count::new(), Count::new()];
    for waker in &wakers {
        pending(&receiver, waker);
    }
    assert_eq!(receiver.statistics().waiting_receivers, 3);
    for sent in 1..=2 {
        sender.send(sent).unwrap();
        assert_eq!(wakers.each_ref().map(|waker| waker.woken()), [1, usize::from(sent == 2), 0], "in the order in which they came");
    }
    assert_eq!(receiver.statistics().waiting_receivers, 3, "until they have looked");
    assert_eq!(number(lent(&receiver).delivered()), 1);
    assert_eq!(number(lent(&receiver).delivered()), 2);
    assert_eq!(receiver.statistics().waiting_receivers, 1);
    drop(sender);
    assert_eq!(wakers.map(|waker| waker.woken()), [1, 1, 1], "the end is news for everyone");
    assert_eq!(absence(&receiver), Absence::Ended);
}

#[test]
fn a_turn_passes_on() {
    type GiveUp = fn(Receiver, CallKey);
    let ways: [GiveUp; 4] = [|end, key| end.forget_call(key), |end, _| end.nudge(), |end, _| end.close(), |end, _| drop(end)];
    for give_up in ways {
        let (sender, receiver) = channel(None);
        let quitter = receiver.clone();
        let (first, second) = (Count::new(), Count::new());
        let key = pending(&quitter, &first);
        pending(&receiver, &second);
        sender.send(1).unwrap();
        assert_eq!((first.woken(), second.woken()), (1, 0));
        give_up(quitter, key);
        assert_eq!((first.woken(), second.woken()), (1, 1));
        assert_eq!(number(lent(&receiver).delivered()), 1);
    }
}

#[test]
fn a_call_is_forgotten_once_and_for_all() {
    let (sender, receiver) = channel(None);
    let waker = Count::new();
    let key = pending(&receiver, &waker);
    receiver.forget_call(key);
    receiver.forget_call(key);
    assert_eq!((receiver.statistics().waiting_receivers, Arc::strong_count(&waker)), (0, 1));
    sender.send(1).unwrap();
    assert_eq!(waker.woken(), 0);
}

#[test]
fn closing_an_end_wakes_its_own_calls() {
    let (sender, receiver) = channel(Some(1));
    let (doomed, staying) = (Count::new(), Count::new());
    let closed = receiver.clone();
    pending(&closed, &doomed);
    pending(&receiver, &staying);
    closed.close();
    assert_eq!((doomed.woken(), staying.woken()), (1, 0));
    assert_eq!(absence(&closed), Absence::Closed);
    sender.send(1).unwrap();
    assert_eq!(staying.woken(), 1);
}

#[test]
fn threads_and_calls_take_turns() {
    let mut waiters = Waiters::default();
    let gate = Gate::new(1, false);
    let waker = Count::new();
    for _ in 0..4 {
        waiters.enter(false);
        waiters.call(&gate, Arc::<Count>::clone(&waker));
    }
    let mut answered = Vec::new();
    let threads = [(); 9].map(|()| {
        let Rouse { sleepers, .. } = waiters.promise(1, &mut answered);
        if sleepers == 1 {
            waiters.leave(false)
        } else {
            waiters.give_back(&gate)
        }
        sleepers
    });
    assert_eq!(threads, [1, 0, 1, 0, 1, 0, 1, 0, 0]);
    assert_eq!(answered.len(), 4);
}

#[test]
fn few_threads_are_woken_at_a_time_and_who_looks_is_told_first() {
    let mut waiters = Waiters::default();
    waiters.enter(true);
    (0..at_once() + 1).for_each(|_| waiters.enter(false));
    let woken = |waiters: &mut Waiters, ready| {
        let Rouse { any, sleepers } = waiters.promise(ready, &mut Vec::new());
        (any, sleepers as usize)
    };
    assert_eq!(woken(&mut waiters, 100), (true, at_once() - 1));
    assert_eq!(woken(&mut waiters, 100), (false, 0), "nobody has looked yet");
    waiters.leave(true);
    assert_eq!(woken(&mut waiters, 100), (true, 1));
    assert_eq!(woken(&mut waiters, usize::MAX), (true, 1), "there is nothing more to wait for");
}

#[test]
fn a_call_makes_a_rendezvous() {
    let (sender, receiver) = channel(Some(0));
    let waker = Count::new();
    pending(&receiver, &waker);
    sender.try_send(1).expect("a call waits");
    assert!(sender.try_send(2).unwrap_err().is_full(), "for one message");
    assert_eq!(waker.woken(), 1);
    assert_eq!(number(lent(&receiver).delivered()), 1);
}

#[test]
fn a_send_is_called_when_there_is_room() {
    let (sender, receiver) = channel(Some(1));
    sender.send(1).unwrap();
    let waker = Count::new();
    let Err(Unsent::NoRoom(_, message)) = sender.send_or_call(2.into(), Arc::<Count>::clone(&waker) as _) else { panic!("it is full") };
    assert_eq!((sender.statistics().waiting_senders, waker.woken()), (1, 0));
    assert_eq!(number(receiver.recv().unwrap()), 1);
    assert_eq!(waker.woken(), 1);
    let serial = sender.send_or_call(message, Arc::<Count>::clone(&waker) as _).unwrap();
    assert_eq!((sender.statistics().waiting_senders, sender.holds(serial)), (0, true));
    assert!(matches!(sender.send_or_call(3.into(), Arc::<Count>::clone(&waker) as _), Err(Unsent::NoRoom(..))));
    drop(receiver);
    assert_eq!(waker.woken(), 2, "nobody is left to receive");
    let Err(Unsent::Refused(refused)) = sender.send_or_call(4.into(), waker) else { panic!("it is broken") };
    assert_eq!((refused.why, number(refused.item)), (Refusal::Broken, 4));
}

fn offer(sender: &Sender, value: i64, waker: &Arc<Count>) -> u64 {
    match sender.send_or_call(value.into(), Arc::<Count>::clone(waker)) {
        Err(Unsent::Offered(serial)) => serial,
        other => panic!("{other:?} is no offer"),
    }
}

#[test]
fn an_offer_is_taken_or_withdrawn() {
    let (sender, receiver) = channel(Some(0));
    let waker = Count::new();
    let [taken, withdrawn] = [1, 2].map(|value| offer(&sender, value, &waker));
    assert_eq!((sender.statistics().waiting_senders, sender.statistics().sent), (2, 0));
    assert!(sender.withdraw(withdrawn).is_none(), "an offer is its sender's");
    assert_eq!(number(receiver.try_recv().unwrap()), 1);
    assert_eq!((waker.woken(), sender.statistics().sent), (1, 1));
    assert!(sender.withdraw_offer(taken).is_none());
    assert_eq!(number(sender.withdraw_offer(withdrawn).expect("nobody took it")), 2);
    assert_eq!((sender.statistics().waiting_senders, sender.statistics().sent, waker.woken()), (0, 1, 1));
    let third = offer(&sender, 3, &waker);
    sender.close();
    assert_eq!(waker.woken(), 2, "its end is closed");
    assert_eq!(number(sender.withdraw_offer(third).expect("nobody took it")), 3);
    assert_eq!(absence(&receiver), Absence::Ended);
}

#[test]
fn an_offer_learns_that_nobody_is_left() {
    let (sender, receiver) = channel(Some(0));
    let waker = Count::new();
    let serial = offer(&sender, 1, &waker);
    drop(receiver);
    assert_eq!(waker.woken(), 1);
    assert!(sender.withdraw_offer(serial).is_some());
}

#[test]
fn what_comes_back_takes_its_old_place() {
    let (sender, receiver) = channel(Some(4));
    let serials: Vec<u64> = (0..4).map(|n| sender.post(n).unwrap()).collect();
    let [first, second, third] = [(); 3].map(|()| lent(&receiver));
    assert_eq!((sender.len(), sender.holds(serials[0]), sender.statistics().received), (1, false, 3));
    assert!(sender.withdraw(serials[1]).is_none());
    drop(third);
    drop(first);
    drop(second);
    assert_eq!((sender.len(), sender.holds(serials[0]), sender.statistics().received), (4, true, 0));
    assert_eq!(number(sender.withdraw(serials[1]).expect("it is back")), 1);
    let rest: Vec<_> = (0..3).map(|_| receiver.try_recv().unwrap()).map(|message| (message.serial(), number(message))).collect();
    assert_eq!(rest, [(serials[0], 0), (serials[2], 2), (serials[3], 3)]);
}

#[test]
fn the_end_waits_for_what_is_lent() {
    for comes_back in [false, true] {
        let (sender, receiver) = channel(None);
        sender.send(1).unwrap();
        drop(sender);
        let message = lent(&receiver);
        assert_eq!(receiver.try_recv().unwrap_err(), RecvError::Empty { senders: 0 });
        let waker = Count::new();
        pending(&receiver, &waker);
        let blocked = thread::spawn({
            let receiver = receiver.clone();
            move || receiver.iter().map(number).sum::<i64>()
        });
        await_waiters(&receiver, 0, 2);
        assert_eq!(waker.woken(), 0);
        if comes_back {
            drop(message)
        } else {
            drop(message.delivered())
        }
        // Who was woken for it may be either; the call passes it on.
        receiver.nudge();
        assert_eq!(blocked.join().unwrap(), i64::from(comes_back));
        assert_eq!(waker.woken(), 1);
    }
}

#[test]
fn an_offer_that_was_taken_and_came_back_is_sent() {
    for _ in 0..20 {
        let (sender, receiver) = channel(Some(0));
        let offering = thread::spawn(move || sender.send(7));
        await_waiters(&receiver, 1, 0);
        // It comes back before its sender, who was woken for it, is awake.
        drop(lent(&receiver));
        until(|| offering.is_finished());
        offering.join().unwrap().expect("it was taken");
        assert_eq!(number(receiver.try_recv().expect("the next one gets it")), 7);
    }
}

#[test]
fn what_comes_back_to_nobody_is_dropped() {
    let (token, witness) = channel(None);
    let (sender, receiver) = channel(None);
    sender.send(token).unwrap();
    let message = lent(&receiver);
    drop(receiver);
    assert_eq!(witness.statistics().senders, 1);
    assert!(sender.try_send(1).unwrap_err().is_broken());
    drop(message);
    assert_eq!(witness.statistics().senders, 0);
}

#[test]
fn a_lent_receiver_is_within_reach_until_it_comes_back() {
    let (sender, receiver) = channel(None);
    sender.send(receiver.clone()).unwrap();
    let message = lent(&receiver);
    drop(receiver);
    sender.send(1).expect("the lent receiver can be used");
    assert_eq!(sender.statistics().receivers, 1);
    drop(message);
    assert!(sender.try_send(2).unwrap_err().is_broken(), "it lies in its own channel, out of reach");
    assert_eq!((sender.statistics().receivers, sender.len()), (0, 0));
}

#[test]
fn a_receiver_that_was_lent_comes_out_again() {
    let (sender, receiver) = channel(None);
    sender.send(receiver.clone()).unwrap();
    drop(lent(&receiver));
    let Value::Receiver(second) = receiver.recv().unwrap().value().unwrap() else { panic!("a receiver was sent") };
    drop(receiver);
    sender.send(1).unwrap();
    assert_eq!(number(second.recv().unwrap()), 1);
}

/// Passes what comes on to the next channel.
#[derive(Debug)]
struct Relay(Receiver, Sender);

impl Waker for Relay {
    fn wake(&self) {
        let message = lent(&self.0).delivered();
        self.1.send(message).unwrap();
    }
}

#[test]
fn a_long_chain_of_wakers_goes_without_recursion() {
    let (sender, mut outermost) = channel(None);
    for _ in 0..20_000 {
        let (next, receiver) = channel(None);
        let relay = Arc::new(Relay(std::mem::replace(&mut outermost, receiver), next));
        let waiting = relay.0.lend_or_call(Arc::<Relay>::clone(&relay));
        assert!(matches!(waiting, Err(Unreceived::Pending(_))));
    }
    sender.send(7).unwrap();
    assert_eq!(number(outermost.try_recv().unwrap()), 7);
}

/// A server of one thread, with many peers that take what is sent in their turns or die with it.
#[test]
fn peers_that_die_lose_nothing() {
    const MESSAGES: i64 = 4_000;

    #[derive(Debug)]
    struct Bell(Mutex<Vec<usize>>, std::sync::Condvar);
    #[derive(Debug)]
    struct Peer(usize, Arc<Bell>);
    impl Waker for Peer {
        fn wake(&self) {
            self.1.0.lock().unwrap().push(self.0);
            self.1.1.notify_one();
        }
    }

    for capacity in [None, Some(0), Some(3)] {
        let (sender, receiver) = channel(capacity);
        let sending = thread::spawn(move || (1..=MESSAGES).for_each(|n| sender.send(n).unwrap()));
        let local = thread::spawn({
            let receiver = receiver.clone();
            move || receiver.iter().map(number).sum::<i64>()
        });
        let bell = Arc::new(Bell(Mutex::default(), std::sync::Condvar::new()));
        let mut ends: Vec<Option<Receiver>> = (0..8).map(|_| Some(receiver.clone())).collect();
        drop(receiver);
        let (mut sum, mut steps) = (0, 0);
        let mut woken: Vec<usize> = (0..ends.len()).collect();
        while ends.iter().any(Option::is_some) {
            for peer in std::mem::take(&mut woken) {
                steps += 1;
                let Some(end) = &ends[peer] else { continue };
                // Now and then a peer dies as it is woken, and another takes its place.
                if steps % 11 == 0 {
                    let heir = end.clone();
                    ends[peer] = Some(heir);
                    woken.push(peer);
                    continue;
                }
                match end.lend_or_call(Arc::new(Peer(peer, Arc::clone(&bell)))) {
                    // Every third cannot deliver.
                    Ok(message) if steps % 3 == 0 => {
                        drop(message);
                        woken.push(peer);
                    }
                    Ok(message) => {
                        sum += number(message.delivered());
                        woken.push(peer);
                    }
                    Err(Unreceived::Pending(_)) => {}
                    Err(Unreceived::Absent(why)) => {
                        assert_eq!(why, Absence::Ended);
                        ends[peer] = None;
                    }
                }
            }
            let mut rung = bell.0.lock().unwrap();
            while woken.is_empty() && rung.is_empty() && ends.iter().any(Option::is_some) {
                rung = bell.1.wait(rung).unwrap();
            }
            woken.append(&mut rung);
        }
        sending.join().unwrap();
        assert_eq!(sum + local.join().unwrap(), MESSAGES * (MESSAGES + 1) / 2, "capacity {capacity:?}");
    }
}

#[test]
fn parts_make_the_message_again() {
    let (sender, _receiver) = channel(None);
    let message = Message::from(Value::List(vec![sender.into(), "beside".into()]));
    let (head, attachments) = message.parts();
    let again = Message::from_parts(head, attachments.to_vec());
    assert_eq!(format!("{:?}", again.value().unwrap()), format!("{:?}", message.value().unwrap()));
}
