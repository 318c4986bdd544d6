//! Room that is granted ahead to senders elsewhere.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;

use proptest::prelude::*;

use super::{await_waiters, number, until};
use crate::channel::credit::Allowance;
use crate::channel::refusal::Refusal;
use crate::channel::{Message, SendError, channel};
use crate::sync::AtomicU32;
use crate::sync::Ordering;
use crate::{Receiver, Sender};

/// The word that a sender elsewhere has.
#[derive(Debug, Default)]
struct Word(AtomicU32);

impl Word {
    fn left(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    fn spend(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

impl Allowance for Word {
    fn add(&self, count: u32) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn take_back(&self) -> u32 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// An end as it is kept for another process, with its credit.
fn credited(sender: &Sender) -> (Sender, Arc<Word>) {
    let (end, word) = (sender.clone(), Arc::new(Word::default()));
    end.open_credit(word.clone());
    end.top_up();
    (end, word)
}

fn refusal(end: &Sender, message: i64) -> Refusal {
    end.send_on_credit(message.into()).unwrap_err().why
}

fn drain(receiver: &Receiver) -> Vec<i64> {
    std::iter::from_fn(|| receiver.try_recv().ok().map(number)).collect()
}

#[test]
fn what_is_not_used_is_there_for_others() {
    let (sender, receiver) = channel(Some(4));
    let (end, word) = credited(&sender);
    assert_eq!(word.left(), 2, "its share among two ends");
    assert!(word.spend());
    for sent in 0..3 {
        sender.try_send(sent).unwrap();
    }
    assert_eq!(word.left(), 0);
    assert!(sender.try_send(3).unwrap_err().is_full(), "a message is under way");
    end.send_on_credit(9.into()).unwrap();
    assert_eq!(refusal(&end, 9), Refusal::Full, "nothing was granted any more");
    assert_eq!(drain(&receiver), [0, 1, 2, 9]);
}

#[test]
fn one_who_waits_gets_the_place_of_one_who_does_not_send_after_all() {
    let (sender, receiver) = channel(Some(1));
    drop(sender.clone());
    let (end, word) = credited(&sender);
    assert!(word.spend());
    let sending = thread::spawn(move || sender.send(1));
    await_waiters(&receiver, 1, 0);
    word.add(1);
    end.top_up();
    until(|| sending.is_finished());
    sending.join().unwrap().unwrap();
}

#[test]
fn one_who_waits_gets_the_place_of_one_who_goes() {
    let (sender, receiver) = channel(Some(1));
    drop(sender.clone());
    let (end, word) = credited(&sender);
    assert!(word.spend());
    thread::scope(|scope| {
        let sending = scope.spawn(|| sender.send(1));
        await_waiters(&receiver, 1, 0);
        end.top_up();
        end.close();
        sending.join().unwrap().unwrap();
    });
    assert_eq!(word.left(), 0);
    assert_eq!(refusal(&end, 2), Refusal::Closed);
    assert_eq!(drain(&receiver), [1]);
}

#[test]
fn nothing_is_granted_to_the_harm_of_those_who_wait() {
    let (sender, receiver) = channel(Some(1));
    let (end, word) = credited(&sender);
    assert!(word.spend());
    end.send_on_credit(0.into()).unwrap();
    thread::scope(|scope| {
        let sending = scope.spawn(|| sender.send(1));
        await_waiters(&receiver, 1, 0);
        end.top_up();
        assert_eq!(word.left(), 0);
        assert_eq!(number(receiver.recv().unwrap()), 0);
        sending.join().unwrap().unwrap();
    });
    assert_eq!(number(receiver.recv().unwrap()), 1);
    end.top_up();
    assert_eq!(word.left(), 1);
}

#[test]
fn a_rendezvous_and_a_channel_without_a_limit_grant_nothing() {
    for capacity in [Some(0), None] {
        let (sender, _receiver) = channel(capacity);
        let (end, word) = credited(&sender);
        assert_eq!(word.left(), 0);
        assert_eq!(refusal(&end, 1), Refusal::Full);
    }
}

#[test]
fn without_a_receiver_nothing_is_granted_and_what_comes_is_refused() {
    let (sender, receiver) = channel(Some(2));
    let (end, word) = credited(&sender);
    assert!(word.spend());
    drop(receiver);
    assert_eq!(refusal(&end, 1), Refusal::Broken);
    assert_eq!(word.left(), 0);
    assert!(matches!(sender.try_send(1), Err(SendError::Broken { .. })));
}

#[test]
fn a_liar_gets_no_more_than_it_was_granted() {
    let (sender, receiver) = channel(Some(3));
    let (end, word) = credited(&sender);
    word.add(1000);
    assert!((0..3).all(|sent| sender.try_send(sent).is_ok()));
    assert_eq!(refusal(&end, 9), Refusal::Full);
    assert_eq!(drain(&receiver), [0, 1, 2]);
    assert_eq!(receiver.statistics().queued, 0);
}

#[derive(Clone, Debug)]
enum Step {
    /// A local sender.
    Send,
    Receive,
    /// One elsewhere sends if it has credit.
    Spend(usize),
    /// The oldest of its messages under way arrives.
    Arrive(usize),
    TopUp(usize),
    Close(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let end = 0..3usize;
    prop_oneof![
        4 => Just(Step::Send),
        6 => Just(Step::Receive),
        6 => end.clone().prop_map(Step::Spend),
        6 => end.clone().prop_map(Step::Arrive),
        3 => end.clone().prop_map(Step::TopUp),
        1 => end.prop_map(Step::Close),
    ]
}

proptest! {
    /// The queue and what is under way never exceed the capacity; whoever asks for room gets all that nobody uses; each message arrives once.
    #[test]
    fn room_is_granted_once(capacity in 1..9usize, steps in proptest::collection::vec(step(), 1..200)) {
        let (sender, receiver) = channel(Some(capacity));
        let mut ends: Vec<_> = (0..3).map(|_| Some((credited(&sender), VecDeque::<i64>::new()))).collect();
        let (mut next, mut expected) = (0, VecDeque::new());
        for step in steps {
            match step {
                Step::Send => {
                    let under_way: usize = ends.iter().flatten().map(|(_, under_way)| under_way.len()).sum();
                    let sent = sender.try_send(Message::from(next));
                    prop_assert_eq!(sent.is_ok(), expected.len() + under_way < capacity);
                    if sent.is_ok() {
                        expected.push_back(next);
                    }
                    next += 1;
                }
                Step::Receive => prop_assert_eq!(receiver.try_recv().ok().map(number), expected.pop_front()),
                Step::Spend(at) => if let Some(((_, word), under_way)) = &mut ends[at] && word.spend() {
                    under_way.push_back(next);
                    next += 1;
                },
                Step::Arrive(at) => if let Some(((end, _), under_way)) = &mut ends[at] && let Some(message) = under_way.pop_front() {
                    prop_assert!(end.send_on_credit(message.into()).is_ok());
                    expected.push_back(message);
                },
                Step::TopUp(at) => if let Some(((end, _), _)) = &ends[at] {
                    end.top_up();
                },
                // What is under way then never comes.
                Step::Close(at) => ends[at] = None,
            }
            prop_assert!(expected.len() <= capacity);
        }
        ends.clear();
        let more = (0..).take_while(|_| sender.try_send(next).is_ok()).count();
        prop_assert_eq!(expected.len() + more, capacity, "room is lost");
        prop_assert_eq!(drain(&receiver).len(), capacity);
    }
}
