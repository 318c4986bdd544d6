//! Whether a message may enter the queue, and whether others may follow it without asking.

use std::sync::Arc;

use super::State;
use crate::channel::credit::Allowance;
use crate::channel::gate::{Cargo, Gate};
use crate::channel::queue::Core;

/// Whether a message may enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Room,
    Full,
    Closed,
    Broken,
}

impl<T> State<T> {
    /// Has room ahead granted to this end, of another process, when that is for the good of all.
    pub(crate) fn open_credit(&mut self, gate: &Gate, allowance: Arc<dyn Allowance>) {
        if !gate.is_closed() {
            self.credits.open(gate, allowance);
        }
    }

    /// Grants room ahead; while somebody waits for room, takes back what is not used.
    pub(crate) fn top_up(&mut self, gate: &Gate) {
        if self.sending.count() > 0 {
            self.credits.reclaim();
        } else if let (Some(capacity), Some(room)) = (self.capacity, self.room())
            && !self.is_broken()
        {
            self.credits.top_up(gate, capacity / self.senders.max(1), room);
        }
    }

    /// How many messages more may come; `None` is without a limit.
    pub(super) fn room(&self) -> Option<usize> {
        self.capacity.map(|capacity| capacity.saturating_sub(self.queue.len() + self.shelves.messages() + self.credits.reserved()))
    }
}

impl<T: Cargo> State<T> {
    /// Whether that message may enter now.
    pub(crate) fn admit(&mut self, gate: &Gate, item: &T, home: &Core<T>) -> Admission {
        match self.admit_without_limit(gate, item, home) {
            Admission::Room if !self.makes_room() => Admission::Full,
            admission => admission,
        }
    }

    /// Whether there is room, also what others have been granted and do not use.
    fn makes_room(&mut self) -> bool {
        if self.capacity == Some(0) {
            // Each waiting receiver can be handed one message.
            return self.receiving.count() > self.queue.len();
        }
        if self.room() == Some(0) {
            self.credits.reclaim();
        }
        self.room() != Some(0)
    }

    /// Whether a message may enter for which there is room.
    fn admit_without_limit(&self, gate: &Gate, item: &T, home: &Core<T>) -> Admission {
        // Ends that travel in this message would be out of reach as soon as it is queued.
        let embarking = item.receivers_of(home).filter(|gate| !gate.is_closed()).count();
        match () {
            () if gate.is_closed() => Admission::Closed,
            () if self.receivers == self.aboard + embarking => Admission::Broken,
            () => Admission::Room,
        }
    }

    /// Whether a message may enter that was sent on credit. Full says that there was none.
    pub(crate) fn admit_on_credit(&mut self, gate: &Gate, item: &T, home: &Core<T>) -> Admission {
        match self.admit_without_limit(gate, item, home) {
            Admission::Closed => Admission::Closed,
            _ if !self.credits.redeem(gate) => Admission::Full,
            admission => admission,
        }
    }
}
