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
    closed: AtomicBool,
    /// It is a receiving end and lies in its own channel's queue.
    aboard: AtomicBool,
}

impl Gate {
    pub(super) fn new(closed: bool) -> Gate {
        Gate { closed: AtomicBool::new(closed), aboard: AtomicBool::new(false) }
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
