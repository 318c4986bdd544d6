//! Messages that lie ready in another process, for a receiver there that takes many in a row.
//!
//! ```text
//! restock --> [ shelf ] --> taken there                 account: it was received
//!                 '-------> recall: nobody has          account: the next receiver gets it, in its old place
//! ```
//!
//! What is on a shelf counts as in the queue, but is not at its front. So a receiver that finds the queue empty has the shelves recalled
//! before it says so, or waits; and nothing is put there while a receiver waits. Hence whoever waits has nothing to wait for on a shelf, and
//! the process that has one may hang, or never come back. An end takes nothing off the queue while something lies on its own shelf: what it
//! receives is in order, unless something comes back from another's.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::Arc;

use super::disposal::dispose;
use super::gate::{Cargo, Gate};
use super::lock::MutexGuard;
use super::message::Message;
use super::queue::Core;
use super::receiver::Receiver;
use super::state::{State, Wake};

/// Where messages lie for one end. Both calls account for all that was taken by then, and are made without the channel's lock.
pub(crate) trait Shelf: Debug + Send + Sync {
    /// Finds out what was taken.
    fn look_over(&self);

    /// The same, and takes back the rest.
    fn recall(&self);
}

/// One that is open.
#[derive(Debug)]
struct Place {
    /// The number of its end.
    gate: u64,
    shelf: Arc<dyn Shelf>,
    /// Messages on it, or taken from there without being accounted for.
    messages: usize,
}

/// Of all ends of a channel.
#[derive(Debug, Default)]
pub(super) struct Shelves {
    all: Vec<Place>,
    /// The sum of their messages.
    messages: usize,
}

impl Shelves {
    /// How many messages are not in the queue, though nobody is known to have them.
    pub(super) fn messages(&self) -> usize {
        self.messages
    }

    /// Whether there may be something for that end.
    pub(super) fn has_for(&self, gate: &Gate) -> bool {
        self.messages > 0 && self.all.iter().any(|place| place.gate == gate.number() && place.messages > 0)
    }

    pub(super) fn add(&mut self, gate: &Gate, count: usize) {
        if let Some(place) = self.of(gate) {
            place.messages += count;
            self.messages += count;
        }
    }

    pub(super) fn remove(&mut self, gate: &Gate, count: usize) {
        if let Some(place) = self.of(gate) {
            place.messages -= count;
            self.messages -= count;
        }
    }

    fn of(&mut self, gate: &Gate) -> Option<&mut Place> {
        self.all.iter_mut().find(|place| place.gate == gate.number())
    }

    /// Those that have something; that end's alone if it has.
    fn filled(&self, first: Option<&Gate>) -> Vec<Arc<dyn Shelf>> {
        let own = first.filter(|gate| self.has_for(gate)).map(Gate::number);
        let wanted = |place: &&Place| place.messages > 0 && own.is_none_or(|own| own == place.gate);
        self.all.iter().filter(wanted).map(|place| place.shelf.clone()).collect()
    }

    fn open(&mut self, gate: &Gate, shelf: Arc<dyn Shelf>) {
        self.all.push(Place { gate: gate.number(), shelf, messages: 0 });
    }

    /// Gives the end's shelf, to be dropped outside the lock.
    fn close(&mut self, gate: &Gate) -> Option<Arc<dyn Shelf>> {
        let index = self.all.iter().position(|place| place.gate == gate.number())?;
        Some(self.all.swap_remove(index).shelf)
    }
}

/// What is left to do once messages are accounted for, without any lock: it may do anything with channels.
#[must_use = "somebody may wait for it"]
#[derive(Debug)]
pub(crate) struct Accounted<T> {
    wake: Wake,
    /// What nobody can receive any more.
    abandoned: VecDeque<T>,
}

impl<T: Cargo> Core<T> {
    /// So many messages were taken from a shelf. Takes up to so many off the queue for it, as long as they suit it, and no more than are this
    /// end's share. May be called under the lock of that shelf.
    pub(crate) fn restock(&self, gate: &Gate, taken: usize, most: usize, suits: impl Fn(&T) -> bool) -> (Vec<T>, Accounted<T>) {
        let mut state = self.lock();
        let abandoned = state.unshelve(gate, taken, Vec::new(), self);
        let shelved = state.shelve(gate, most, suits, self);
        (shelved, Accounted { wake: self.settle(state), abandoned })
    }

    /// So many messages were taken from a shelf, and these, with their numbers, were not. May be called under the lock of that shelf.
    pub(crate) fn account(&self, gate: &Gate, taken: usize, back: Vec<(u64, T)>) -> Accounted<T> {
        let mut state = self.lock();
        let abandoned = state.unshelve(gate, taken, back, self);
        Accounted { wake: self.settle(state), abandoned }
    }
}

impl<T> Core<T> {
    /// Gives what nobody can receive any more.
    #[must_use = "these messages may hold the last reference to much: drop them with `disposal`"]
    pub(crate) fn conclude(&self, accounted: Accounted<T>) -> VecDeque<T> {
        self.wake(accounted.wake);
        accounted.abandoned
    }

    /// Has all that was taken from shelves accounted for.
    pub(super) fn look_over_shelves<'s>(&'s self, state: MutexGuard<'s, State<T>>) -> MutexGuard<'s, State<T>> {
        let shelves = state.shelves.filled(None);
        self.ask_shelves(shelves, state, |shelf| shelf.look_over())
    }

    /// Has what lies on that end's shelf back in the queue, or else what lies on any.
    pub(super) fn recall_shelves<'s>(&'s self, state: MutexGuard<'s, State<T>>, first: Option<&Gate>) -> MutexGuard<'s, State<T>> {
        let shelves = state.shelves.filled(first);
        self.ask_shelves(shelves, state, |shelf| shelf.recall())
    }

    fn ask_shelves<'s>(
        &'s self,
        shelves: Vec<Arc<dyn Shelf>>,
        state: MutexGuard<'s, State<T>>,
        ask: impl Fn(&dyn Shelf),
    ) -> MutexGuard<'s, State<T>> {
        self.release(state);
        shelves.iter().for_each(|shelf| ask(shelf.as_ref()));
        // Before the lock is taken: it may be the last that has its end.
        drop(shelves);
        self.lock()
    }
}

impl Receiver {
    /// Messages for this end's process may lie on that shelf from now on, until `close_shelf`.
    pub(crate) fn open_shelf(&self, shelf: Arc<dyn Shelf>) {
        if let Some((local, core)) = self.0.hosted() {
            core.lock().shelves.open(&local.gate, shelf);
        }
    }

    /// To be called after the end was closed and its shelf recalled: nothing was put there since.
    pub(crate) fn close_shelf(&self) {
        if let Some((local, core)) = self.0.hosted() {
            let closed = core.lock().shelves.close(&local.gate);
            drop(closed);
        }
    }

    /// Accounts for messages that were taken, and takes others off the queue, to be accounted for in the end.
    pub(crate) fn restock(
        &self,
        taken: usize,
        most: usize,
        suits: impl Fn(&Message) -> bool,
    ) -> Option<(Vec<Message>, Accounted<Message>)> {
        self.0.hosted().map(|(local, core)| core.restock(&local.gate, taken, most, suits))
    }

    /// Accounts for messages of `restock`: how many were taken, and those that were not.
    pub(crate) fn account(&self, taken: usize, back: Vec<Message>) -> Option<Accounted<Message>> {
        let back = back.into_iter().map(|message| (message.serial(), message)).collect();
        self.0.hosted().map(|(local, core)| core.account(&local.gate, taken, back))
    }

    /// What is left to do after `account`, without any lock.
    pub(crate) fn conclude(&self, accounted: Accounted<Message>) {
        if let Some((_, core)) = self.0.hosted() {
            dispose(core.conclude(accounted));
        }
    }
}
