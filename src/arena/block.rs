//! One reference to a block.

use std::fmt;
use std::ptr::NonNull;

use super::Arena;
use super::inner::Inner;
use super::slots::{Place, Slot};
use crate::offset::{ArenaId, BlockIndex, Generation, Offset};

/// One reference to a block; the last one dropped frees it.
///
/// Invariants:
/// 1. One reference of `slot` is this value's.
/// 2. `slot` is the slot at `index` of `inner`.
/// 3. `inner` lives at least as long as any of its slots has a reference.
pub(crate) struct Block {
    inner: NonNull<Inner>,
    slot: NonNull<Slot>,
    index: BlockIndex,
}

// SAFETY: what it points to is shared between threads (`Inner` and `Slot` are Sync) and belongs to none; the count of references is atomic.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

impl Block {
    /// # Safety
    /// The invariants hold: the caller hands one reference of `slot` over, and `inner` keeps itself alive while it exists.
    #[inline]
    pub(super) unsafe fn from_parts(inner: &Inner, slot: &Slot, index: BlockIndex) -> Block {
        Block { inner: NonNull::from(inner), slot: NonNull::from(slot), index }
    }

    #[inline]
    fn inner(&self) -> &Inner {
        // SAFETY: by invariants 1 and 3 it lives as long as `self`.
        unsafe { self.inner.as_ref() }
    }

    #[inline]
    fn slot(&self) -> &Slot {
        // SAFETY: by invariant 2 it lies in `inner`, where slots never move, and by 1 and 3 that lives as long as `self`.
        unsafe { self.slot.as_ref() }
    }

    #[inline]
    fn place(&self) -> Place {
        // SAFETY: by invariant 1 a reference is held.
        unsafe { self.slot().place() }
    }

    pub(crate) fn arena(&self) -> Arena {
        let Some(inner) = self.inner().anchor() else { unreachable!("a block without its arena's anchor") };
        Arena::of(&inner)
    }

    /// The name of its arena, for less than `arena().id()`.
    pub(crate) fn arena_id(&self) -> ArenaId {
        self.inner().id()
    }

    pub(crate) fn index(&self) -> BlockIndex {
        self.index
    }

    pub(crate) fn generation(&self) -> Generation {
        self.slot().references.generation()
    }

    pub(crate) fn offset(&self) -> Offset {
        self.place().offset
    }

    /// Usable bytes, as asked for.
    pub(crate) fn len(&self) -> usize {
        self.place().len
    }

    /// Its first byte in the read-only mapping.
    #[inline]
    pub(crate) fn as_ptr(&self) -> *const u8 {
        self.inner().mapping().read_only().at(self.offset()).cast_const()
    }

    /// Its first byte in the read-write mapping. The caller writes only while no `Array` refers to the block.
    #[inline]
    pub(crate) fn writable_ptr(&self) -> *mut u8 {
        self.inner().mapping().writable().at(self.offset())
    }
}

impl Clone for Block {
    #[inline]
    fn clone(&self) -> Block {
        self.slot().references.add();
        Block { inner: self.inner, slot: self.slot, index: self.index }
    }
}

impl Drop for Block {
    #[inline]
    fn drop(&mut self) {
        if self.slot().references.release() {
            // SAFETY: that was the last reference, and the slot is `index`'s by invariant 2.
            unsafe { Inner::reclaim(self.inner, self.slot, self.index) };
        }
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { offset, len } = self.place();
        write!(f, "Block({}#{} at {:#x}, {} bytes)", self.index.0, self.generation().0, offset.0, len)
    }
}
