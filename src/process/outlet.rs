//! What a sender of a channel in another process knows, and how it sends without asking that one.
//!
//! A word of the memory between the two says how many messages its host has granted it room for. Either side takes from it what it needs:
//! the sender one for each message, the host all of it when somebody else is to have the room.

use std::sync::Arc;

use super::lane::{Lane, WordOfCredit};
use super::peer::Peer;
use crate::channel::Allowance;
use crate::sync::{AtomicU32, Ordering};

/// What we know of the receivers of a channel in the other process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// The other side was asked to tell when they are gone.
    Asked,
    /// They were there, and it will tell.
    There,
    Gone,
}

/// A sending end that the other side keeps for us, into which something can wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outlet {
    pub(super) audience: Audience,
    /// For one of a channel with a limit: where its credit is.
    pub(super) word: Option<WordOfCredit>,
}

impl Peer {
    /// Whether there was credit in that word for one message.
    pub(super) fn spend(&self, word: WordOfCredit) -> bool {
        self.lane.get().map(|lane| lane.spending(word)).is_some_and(take_one)
    }

    /// The message was not sent after all.
    pub(super) fn refund(&self, word: WordOfCredit) {
        if let Some(lane) = self.lane.get() {
            lane.spending(word).fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Whether there was one left. Relaxed, here and below: one word has one order, and no other memory is told of by it.
fn take_one(word: &AtomicU32) -> bool {
    word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

/// What we grant an end that we keep for the other side.
#[derive(Debug)]
pub(super) struct Granting {
    pub(super) peer: Arc<Peer>,
    pub(super) word: WordOfCredit,
}

impl Granting {
    fn word(&self) -> Option<&AtomicU32> {
        self.peer.lane.get().map(|lane: &Lane| lane.granting(self.word))
    }
}

impl Allowance for Granting {
    fn add(&self, count: u32) {
        if let Some(word) = self.word() {
            word.fetch_add(count, Ordering::Relaxed);
        }
    }

    fn take_back(&self) -> u32 {
        self.word().map_or(0, |word| word.swap(0, Ordering::Relaxed))
    }
}

#[cfg(all(test, loom))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    #[test]
    fn what_is_granted_is_spent_or_taken_back_and_never_both() {
        loom::model(|| {
            let word = Arc::new(AtomicU32::new(2));
            let sender = thread::spawn({
                let word = word.clone();
                move || (0..3).filter(|_| take_one(&word)).count() as u32
            });
            let back = word.swap(0, Ordering::Relaxed);
            word.fetch_add(1, Ordering::Relaxed);
            assert_eq!(sender.join().unwrap() + back + word.load(Ordering::Relaxed), 3);
        });
    }
}
