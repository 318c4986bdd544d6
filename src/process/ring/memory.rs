//! Memory for a ring in tests and models.

use super::Ring;
use crate::sync::{AtomicU32, AtomicU64};

/// The memory of one direction.
pub(in super::super) struct Memory {
    pub(super) written: AtomicU64,
    read: AtomicU64,
    pub(super) bell: AtomicU32,
    waker: AtomicU32,
    thirst: AtomicU32,
    pub(super) words: Vec<AtomicU64>,
}

impl Memory {
    pub(in super::super) fn new(words: usize) -> Memory {
        Memory {
            written: AtomicU64::new(0),
            read: AtomicU64::new(0),
            bell: AtomicU32::new(0),
            waker: AtomicU32::new(0),
            thirst: AtomicU32::new(0),
            words: (0..words).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    pub(in super::super) fn ring(&self) -> Ring<'_> {
        Ring { written: &self.written, read: &self.read, bell: &self.bell, waker: &self.waker, thirst: &self.thirst, words: &self.words }
    }
}
