//! The table of blocks: for each, its references, and which bytes it is.
//!
//! A slot is used again and again; its generation tells which use a handle means.

use std::cell::UnsafeCell;
use std::sync::OnceLock;

use super::references::References;
use super::slabs::MOST_SLOTS;
use crate::offset::{BlockIndex, Offset};

/// Which bytes a block has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) offset: Offset,
    /// As asked for.
    pub(super) len: usize,
}

/// A place in the table.
///
/// Invariants:
/// 1. `place` is written only while there is no reference, by the one who took the slot from among the vacant ones, before `publish`.
/// 2. `place` is read only by those who hold a reference, and by the one who dropped the last.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) references: References,
    place: UnsafeCell<Place>,
}

// SAFETY: by the invariants writing `place` never meets reading it: `publish` and the allocator's lock order them.
unsafe impl Sync for Slot {}

impl Slot {
    fn new() -> Slot {
        Slot { references: References::new(), place: UnsafeCell::new(Place { offset: Offset(0), len: 0 }) }
    }

    /// # Safety
    /// The caller took this slot from among the vacant ones and has not published it.
    #[inline]
    pub(super) unsafe fn set_place(&self, place: Place) {
        // SAFETY: by invariant 1 nobody else looks.
        unsafe { *self.place.get() = place };
    }

    /// # Safety
    /// The caller holds a reference, or dropped the last one and has not retired the slot.
    #[inline]
    pub(super) unsafe fn place(&self) -> Place {
        // SAFETY: by invariants 1 and 2 nobody writes meanwhile.
        unsafe { *self.place.get() }
    }
}

/// Slots in chunks, each twice as large as the one before, so that a slot never moves.
#[derive(Debug)]
pub(super) struct Slots {
    chunks: [OnceLock<Box<[Slot]>>; CHUNKS],
}

const FIRST_CHUNK: u32 = 1024;
const CHUNKS: usize = 22;
const _: () = assert!((FIRST_CHUNK as u64) << (CHUNKS - 1) > MOST_SLOTS as u64 / 2, "the chunks hold as many slots as can be named");

impl Slots {
    pub(super) fn new() -> Slots {
        Slots { chunks: [const { OnceLock::new() }; CHUNKS] }
    }

    /// The slot, if one of that index was ever made.
    #[inline]
    pub(super) fn get(&self, index: BlockIndex) -> Option<&Slot> {
        let (chunk, at) = Self::locate(index);
        self.chunks.get(chunk)?.get()?.get(at)
    }

    /// The slot, made with its whole chunk where it does not exist; `None` beyond what can be named.
    #[inline]
    pub(super) fn get_or_make(&self, index: BlockIndex) -> Option<&Slot> {
        if index.0 >= MOST_SLOTS {
            return None;
        }
        let (chunk, at) = Self::locate(index);
        self.chunks.get(chunk)?.get_or_init(|| (0..FIRST_CHUNK << chunk).map(|_| Slot::new()).collect()).get(at)
    }

    #[inline]
    fn locate(index: BlockIndex) -> (usize, usize) {
        let shifted = index.0 as u64 + FIRST_CHUNK as u64;
        let chunk = shifted.ilog2() - FIRST_CHUNK.ilog2();
        (chunk as usize, (shifted - ((FIRST_CHUNK as u64) << chunk)) as usize)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn slots_have_distinct_stable_places() {
        let slots = Slots::new();
        assert!(slots.get(BlockIndex(0)).is_none());
        let indices = [0, 1, 1023, 1024, 1025, 3071, 3072, 7167, 7168, 100_000];
        let made: Vec<*const Slot> =
            indices.iter().map(|&index| std::ptr::from_ref(slots.get_or_make(BlockIndex(index)).unwrap())).collect();
        for (index, slot) in indices.iter().zip(&made) {
            assert!(std::ptr::eq(slots.get(BlockIndex(*index)).unwrap(), *slot));
        }
        let distinct: std::collections::BTreeSet<_> = made.iter().collect();
        assert_eq!(distinct.len(), indices.len());
        assert!(slots.get_or_make(BlockIndex(u32::MAX)).is_none());
        assert!(slots.get(BlockIndex(u32::MAX)).is_none());
    }
}
