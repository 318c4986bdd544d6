//! Messages that have left the queue and may come back: lent to a peer one by one, or on a shelf.

use std::collections::VecDeque;

use super::{Entry, State};
use crate::channel::gate::{Cargo, Gate};
use crate::channel::queue::Core;

impl<T: Cargo> State<T> {
    /// As `pop`, for somebody who calls `delivered` or `take_back` in the end.
    pub(crate) fn lend(&mut self, home: &Core<T>) -> Option<T> {
        let item = self.pop(home)?;
        self.lent += 1;
        Some(item)
    }

    /// A lent message is where it belongs.
    pub(crate) fn delivered(&mut self) {
        self.lent -= 1;
    }

    /// A lent message comes back. There may be more in the queue than the capacity says. Gives what nobody can receive, to be dropped
    /// outside the lock.
    pub(crate) fn take_back(&mut self, serial: u64, item: T, home: &Core<T>) -> VecDeque<T> {
        self.lent -= 1;
        self.put_back(serial, item, home);
        self.abandon_if_broken()
    }

    /// Takes up to so many messages off the queue for a shelf, as long as they suit it: no more than are this end's share, and none that
    /// somebody waits for.
    pub(crate) fn shelve(&mut self, gate: &Gate, most: usize, suits: impl Fn(&T) -> bool, home: &Core<T>) -> Vec<T> {
        if gate.is_closed() || self.receiving.count() > 0 || self.capacity == Some(0) {
            return Vec::new();
        }
        let share = most.min(self.queue.len() / self.receivers.max(1));
        let suiting = self.queue.iter().take(share).take_while(|entry| suits(&entry.item)).count();
        let shelved: Vec<T> = (0..suiting).filter_map(|_| self.pop(home)).collect();
        self.shelves.add(gate, shelved.len());
        shelved
    }

    /// So many messages were taken from a shelf, and these were not. Gives what nobody can receive, to be dropped outside the lock.
    pub(crate) fn unshelve(&mut self, gate: &Gate, taken: usize, back: Vec<(u64, T)>, home: &Core<T>) -> VecDeque<T> {
        self.shelves.remove(gate, taken + back.len());
        for (serial, item) in back {
            self.put_back(serial, item, home);
        }
        self.abandon_if_broken()
    }

    /// Puts a message where it was, before all that were sent after it.
    fn put_back(&mut self, serial: u64, item: T, home: &Core<T>) {
        self.received -= 1;
        self.embark(&item, home);
        let index = self.queue.partition_point(|entry| entry.serial < serial);
        self.queue.insert(index, Entry { item, serial, awaited: false });
    }
}
