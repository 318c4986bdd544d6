//! What the lock knows of one end, and of ends that travel.

use super::queue::Core;
use crate::sync::{AtomicBool, Ordering};

/// What the queue must know of the things it carries.
pub(crate) trait Cargo: Sized {
    /// The receiving ends of the channel `home` itself that travel in this message.
    fn receivers_of<'a>(&'a self, home: &'a Core<Self>) -> impl Iterator<Item = &'a Gate>;

    /// Tells it its place in the order of all messages of the channel.
    fn stamp(&mut self, serial: u64);
}

/// The two kinds of ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Sending,
    Receiving,
}

/// One end's state. Changed only under its channel's lock, so the order of single accesses does not matter.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Its number among the ends of its channel.
    number: u64,
    closed: AtomicBool,
    /// It is a receiving end and lies in its own channel's queue.
    aboard: AtomicBool,
}

impl Gate {
    pub(super) fn new(number: u64, closed: bool) -> Gate {
        Gate { number, closed: AtomicBool::new(closed), aboard: AtomicBool::new(false) }
    }

    /// One like it in a forked child, where neither belongs to a channel.
    pub(super) fn inherited(&self) -> Gate {
        Gate::new(self.number, self.is_closed())
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Whether it was open.
    pub(super) fn close(&self) -> bool {
        !self.closed.swap(true, Ordering::Relaxed)
    }

    pub(super) fn embark(&self) {
        self.aboard.store(true, Ordering::Relaxed);
    }

    /// Whether it was aboard.
    pub(super) fn disembark(&self) -> bool {
        self.aboard.swap(false, Ordering::Relaxed)
    }
}
