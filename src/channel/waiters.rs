//! Those who wait on one side of a channel: threads, and calls.
//!
//! A *thread* looks for news at the event of its side for a while, and then sleeps there; here it only counts. A *call* waits for somebody
//! who has no thread to spare, such as a server that waits for many peers at once: it stands in line with a [`Waker`], which tells that
//! somebody to try again.
//!
//! ```text
//!         enter              promised                 leave
//! thread  ----->  waiting  ----------->  waking up  -------->  looks at the queue
//! call    ----->  in line  ----------->  its turn   -------->  looks at the queue, or passes its turn on
//!         call               woken                    give_back
//! ```
//!
//! Who looks sees news without a system call, so those are told first. Only a few are woken at a time: each that has looked at the queue
//! and leaves something there has the next one woken.
//!
//! When both wait, threads and calls take turns, so neither starve. A turn is noted under the end that the call was made on. Closing the end
//! passes it on, so a peer that dies takes no turn with it. Whatever tries on the same end gives one turn back, whichever of them it
//! is: there may be fewer on record than under way, which at worst wakes somebody for nothing, but never more, which would
//! leave somebody asleep.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::Arc;

use super::gate::Gate;
use super::spin::PROCESSORS;

/// So many threads of one side may look for news, and so many may be waking up, at a time: the other side needs CPUs as well. More would
/// take these from those who have something to do, to find that somebody else was quicker.
pub(super) fn at_once() -> usize {
    (PROCESSORS.get() as usize / 2).max(1)
}

/// Tells somebody who waits without a thread to try again.
pub(crate) trait Waker: Send + Sync + Debug {
    /// Called at most once for each time that it was given to a channel, on any thread that uses the channel and without any of its locks.
    /// It may use channels. It must neither block nor panic.
    fn wake(&self);
}

/// Names a call in line, within its side of its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CallKey(u64);

/// A call in line.
#[derive(Debug)]
pub(super) struct Call {
    /// Increases along the line.
    key: u64,
    /// The number of the end that it was made on.
    gate: u64,
    waker: Arc<dyn Waker>,
}

/// Calls, by increasing keys.
#[derive(Debug, Default)]
pub(super) struct Line(VecDeque<Call>);

impl Line {
    /// `key` is larger than those before.
    pub(super) fn push(&mut self, key: u64, gate: &Gate, waker: Arc<dyn Waker>) {
        self.0.push_back(Call { key, gate: gate.number(), waker });
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes out the waker of that call; `None` when it left before.
    pub(super) fn remove(&mut self, key: u64) -> Option<Arc<dyn Waker>> {
        let index = self.0.binary_search_by_key(&key, |call| call.key).ok()?;
        self.0.remove(index).map(|call| call.waker)
    }

    /// Takes out all wakers.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Arc<dyn Waker>> {
        self.0.drain(..).map(|call| call.waker)
    }

    /// Takes out the wakers of one end.
    pub(super) fn dismiss(&mut self, gate: &Gate) -> impl Iterator<Item = Arc<dyn Waker>> + use<> {
        let (dismissed, others) = std::mem::take(&mut self.0).into_iter().partition::<VecDeque<_>, _>(|call| call.gate == gate.number());
        self.0 = others;
        dismissed.into_iter().map(|call| call.waker)
    }
}

/// Which threads of a side to wake.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rouse {
    /// Whether there is news at all.
    pub(crate) any: bool,
    /// How many of those asleep.
    pub(crate) sleepers: u32,
}

/// The threads and calls of one side that wait.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    /// Threads.
    waiting: usize,
    /// Of these, threads that look for news before they sleep, and to whom no wake-up was promised yet. Never more than look: it counts
    /// those who began, less those promised to and those who ended.
    looking: usize,
    /// Wake-ups of threads under way, never more than `waiting`.
    promised: usize,
    /// An end was closed, or everyone is to look up: all threads are woken once, whatever there is for them.
    stirred: bool,
    /// Calls.
    line: Line,
    /// The key of the last call.
    last: u64,
    /// Calls that were told to try again and have not done so: the numbers of their ends.
    turns: Vec<u64>,
    /// When threads and calls wait, the next turn is a call's.
    call_next: bool,
}

impl Waiters {
    /// All who wait; whoever was woken waits until it has looked.
    pub(super) fn count(&self) -> usize {
        self.waiting + self.line.len() + self.turns.len()
    }

    /// A thread starts to wait, looking for news or asleep.
    pub(super) fn enter(&mut self, looks: bool) {
        self.waiting += 1;
        self.looking += usize::from(looks);
    }

    /// A thread is awake, to look at the queue for itself.
    pub(super) fn leave(&mut self, looked: bool) {
        self.waiting -= 1;
        if looked {
            self.looking = self.looking.saturating_sub(1);
        }
        self.promised = self.promised.saturating_sub(1).min(self.waiting);
    }

    /// Whether one more thread may look for news before it sleeps.
    pub(super) fn may_look(&self) -> bool {
        self.looking < at_once()
    }

    /// Puts a call in line.
    pub(super) fn call(&mut self, gate: &Gate, waker: Arc<dyn Waker>) -> CallKey {
        let key = self.key();
        self.line.push(key, gate, waker);
        CallKey(key)
    }

    /// Larger than those before.
    pub(super) fn key(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Takes a call out of the line, or gives back the turn that it had.
    pub(super) fn forget(&mut self, gate: &Gate, key: CallKey) -> Option<Arc<dyn Waker>> {
        let forgotten = self.line.remove(key.0);
        if forgotten.is_none() {
            self.give_back(gate);
        }
        forgotten
    }

    /// A call of this end looks for itself, or leaves its turn to another.
    pub(super) fn give_back(&mut self, gate: &Gate) {
        if let Some(turn) = self.turns.iter().position(|&number| number == gate.number()) {
            self.turns.swap_remove(turn);
        }
    }

    /// Has every thread look up.
    pub(super) fn stir(&mut self) {
        self.stirred = true;
    }

    pub(super) fn is_stirred(&self) -> bool {
        self.stirred
    }

    /// This end is closed: its turns pass on, its calls learn of it.
    pub(super) fn dismiss(&mut self, gate: &Gate) -> impl Iterator<Item = Arc<dyn Waker>> + use<> {
        self.turns.retain(|&number| number != gate.number());
        self.line.dismiss(gate)
    }

    /// Gives turns until there is one for each of `ready`, or everyone has one; to threads only so many at a time. Adds the calls to
    /// `answered`, and tells which threads to wake.
    pub(super) fn promise(&mut self, ready: usize, answered: &mut Vec<Arc<dyn Waker>>) -> Rouse {
        let before = self.promised;
        let stirred = std::mem::take(&mut self.stirred);
        if self.waiting == 0 && self.line.len() == 0 {
            return Rouse { any: false, sleepers: 0 };
        }
        if stirred {
            self.promised = self.waiting;
        }
        // When there is nothing more to wait for, nobody passes anything on.
        let most = if ready == usize::MAX { self.waiting } else { self.waiting.min(at_once()).max(self.promised) };
        let mut missing = ready.saturating_sub(self.promised + self.turns.len());
        while missing > 0 && self.line.len() > 0 {
            if self.promised < most && !self.call_next {
                self.promised += 1;
            } else if let Some(call) = self.line.0.pop_front() {
                self.turns.push(call.gate);
                answered.push(call.waker);
            }
            self.call_next = !self.call_next;
            missing -= 1;
        }
        self.promised += missing.min(most - self.promised);
        let woken = self.promised - before;
        // Who looks sees it for itself.
        let seeing = woken.min(self.looking);
        self.looking -= seeing;
        Rouse { any: woken > 0, sleepers: u32::try_from(woken - seeing).unwrap_or(u32::MAX) }
    }
}
