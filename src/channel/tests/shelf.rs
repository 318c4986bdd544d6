//! Messages that lie ready elsewhere, as a channel counts them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::thread;

use proptest::prelude::*;

use super::number;
use crate::channel::{Message, Shelf, channel};
use crate::{Receiver, Sender};

/// A shelf in this process: what is taken from it is not accounted for before somebody asks.
#[derive(Debug)]
struct Board {
    end: Receiver,
    lying: Mutex<(Vec<Message>, usize)>,
}

impl Board {
    fn new(receiver: &Receiver) -> Arc<Board> {
        let board = Arc::new(Board { end: receiver.clone(), lying: Mutex::default() });
        board.end.open_shelf(board.clone());
        board
    }

    fn fill(&self, most: usize) {
        let mut lying = self.lying.lock().unwrap();
        let (messages, taken) = &mut *lying;
        let (fresh, accounted) = self.end.restock(std::mem::take(taken), most, |_| true).unwrap();
        messages.extend(fresh);
        drop(lying);
        self.end.conclude(accounted);
    }

    fn take(&self) -> Option<i64> {
        let mut lying = self.lying.lock().unwrap();
        let (messages, taken) = &mut *lying;
        let first = (!messages.is_empty()).then(|| messages.remove(0))?;
        *taken += 1;
        Some(number(first))
    }

    fn account(&self, recalls: bool) {
        let mut lying = self.lying.lock().unwrap();
        let (messages, taken) = &mut *lying;
        let back = if recalls { std::mem::take(messages) } else { Vec::new() };
        let accounted = self.end.account(std::mem::take(taken), back).unwrap();
        drop(lying);
        self.end.conclude(accounted);
    }

    fn end(&self) {
        self.end.close();
        self.account(true);
        self.end.close_shelf();
    }
}

impl Shelf for Board {
    fn look_over(&self) {
        self.account(false);
    }

    fn recall(&self) {
        self.account(true);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Send,
    Receive,
    Withdraw,
    Fill(usize, usize),
    Take(usize),
    End(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let board = 0..2usize;
    prop_oneof![
        8 => Just(Step::Send),
        4 => Just(Step::Receive),
        1 => Just(Step::Withdraw),
        4 => (board.clone(), 0..5usize).prop_map(|(board, most)| Step::Fill(board, most)),
        5 => board.clone().prop_map(Step::Take),
        1 => board.prop_map(Step::End),
    ]
}

proptest! {
    /// Each message is had once; a channel is full when it holds as many as its capacity says, and empty when nobody could have any more.
    #[test]
    fn messages_are_had_once_and_counted(capacity in proptest::option::of(1..9usize), steps in proptest::collection::vec(step(), 1..200)) {
        let (sender, receiver) = channel(capacity);
        let mut boards: Vec<_> = (0..2).map(|_| Some(Board::new(&receiver))).collect();
        let (mut next, mut there, mut last) = (0, BTreeSet::new(), None);
        for step in steps {
            match step {
                Step::Send => {
                    let sent = sender.post(next);
                    prop_assert_eq!(sent.is_ok(), capacity.is_none_or(|capacity| there.len() < capacity));
                    if let Ok(serial) = sent {
                        there.insert(next);
                        last = Some((serial, next));
                    }
                    next += 1;
                }
                Step::Receive => match receiver.try_recv() {
                    Ok(message) => prop_assert!(there.remove(&number(message))),
                    Err(_) => prop_assert!(there.is_empty()),
                },
                Step::Withdraw => if let Some((serial, number)) = last {
                    prop_assert_eq!(sender.holds(serial), there.contains(&number));
                    prop_assert_eq!(sender.withdraw(serial).is_some(), there.remove(&number));
                },
                Step::Fill(at, most) => if let Some(board) = &boards[at] {
                    board.fill(most);
                },
                Step::Take(at) => if let Some(number) = boards[at].as_ref().and_then(|board| board.take()) {
                    prop_assert!(there.remove(&number));
                },
                Step::End(at) => if let Some(board) = boards[at].take() {
                    board.end();
                },
            }
            prop_assert_eq!(sender.statistics().queued, there.len());
        }
        boards.into_iter().flatten().for_each(|board| board.end());
        let rest: BTreeSet<_> = std::iter::from_fn(|| receiver.try_recv().ok().map(number)).collect();
        prop_assert_eq!(rest, there);
    }
}

/// Receivers here and takers elsewhere, all at once, and one shelf that nobody comes back to.
#[test]
fn nobody_waits_beside_a_message() {
    const MESSAGES: i64 = 20_000;
    let (sender, receiver) = channel(Some(64));
    let (busy, idle) = (Board::new(&receiver), Board::new(&receiver));
    let had = thread::scope(|scope| {
        let receiving: Vec<_> = (0..2)
            .map(|_| {
                let receiver = receiver.clone();
                scope.spawn(move || receiver.into_iter().map(number).collect::<Vec<_>>())
            })
            .collect();
        let taking = scope.spawn(|| {
            let mut had = Vec::new();
            while !sender.is_closed() {
                busy.fill(8);
                idle.fill(2);
                had.extend(std::iter::from_fn(|| busy.take()));
            }
            had
        });
        send_all(&sender, MESSAGES);
        sender.close();
        busy.end();
        idle.end();
        let all = receiving.into_iter().chain([taking]).map(|thread| thread.join().unwrap());
        all.collect::<Vec<_>>().concat()
    });
    let once: BTreeSet<_> = had.iter().copied().collect();
    assert_eq!((had.len(), once.len()), (MESSAGES as usize, MESSAGES as usize));
}

fn send_all(sender: &Sender, count: i64) {
    (0..count).for_each(|number| sender.send(number).unwrap());
}

/// One whose receiver asks for more as soon as it was recalled.
#[derive(Debug)]
struct Greedy(Arc<Board>, Mutex<usize>);

impl Shelf for Greedy {
    fn look_over(&self) {
        self.0.account(false);
    }

    fn recall(&self) {
        self.0.account(true);
        let mut times = self.1.lock().unwrap();
        if *times > 0 {
            *times -= 1;
            drop(times);
            self.0.fill(4);
        }
    }
}

#[test]
fn a_message_that_is_on_a_shelf_again_was_not_taken() {
    let (sender, receiver) = channel(None);
    let board = Arc::new(Board { end: receiver.clone(), lying: Mutex::default() });
    board.end.open_shelf(Arc::new(Greedy(board.clone(), Mutex::new(3))));
    let serials: Vec<_> = (0..8).map(|number| sender.post(number).unwrap()).collect();
    board.fill(4);
    assert!(sender.holds(serials[0]));
    assert_eq!(sender.withdraw(serials[0]).map(number), Some(0));
    board.end();
}
