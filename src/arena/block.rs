//! One reference to a block.

use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

use super::Arena;
use super::foreign::{ForeignArena, Lease, Lessor};
use super::inner::Inner;
use super::slots::{Place, Slot};
use crate::offset::{ArenaId, BlockIndex, Generation, Offset};

/// One reference to a block; the last one dropped frees it, or gives it back to the process whose it is.
#[derive(Clone)]
pub(crate) struct Block(Kind);

#[derive(Clone)]
enum Kind {
    Own(Own),
    Foreign(Arc<Lease>),
}

const _: () = assert!(size_of::<Block>() == 24, "a reference takes three words, whosever block it is");

/// One reference to a block of an arena which this process made, or inherited by `fork`.
///
/// Invariants:
/// 1. One reference of `slot` is this value's.
/// 2. `slot` is the slot at `index` of `inner`.
/// 3. `inner` lives at least as long as any of its slots has a reference.
struct Own {
    inner: NonNull<Inner>,
    slot: NonNull<Slot>,
    index: BlockIndex,
}

// SAFETY: what it points to is shared between threads (`Inner` and `Slot` are Sync) and belongs to none; the count of references is atomic.
unsafe impl Send for Own {}
// SAFETY: as above.
unsafe impl Sync for Own {}

impl Own {
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

    #[inline]
    fn is_inherited(&self) -> bool {
        self.inner().mapping().is_inherited()
    }
}

impl Clone for Own {
    #[inline]
    fn clone(&self) -> Own {
        self.slot().references.add();
        Own { inner: self.inner, slot: self.slot, index: self.index }
    }
}

impl Drop for Own {
    #[inline]
    fn drop(&mut self) {
        if self.slot().references.release() {
            // SAFETY: that was the last reference, and the slot is `index`'s by invariant 2.
            unsafe { Inner::reclaim(self.inner, self.slot, self.index) };
        }
    }
}

impl Block {
    /// # Safety
    /// The invariants of `Own` hold: the caller hands one reference of `slot` over, and `inner` keeps itself alive while it exists.
    #[inline]
    pub(super) unsafe fn from_parts(inner: &Inner, slot: &Slot, index: BlockIndex) -> Block {
        Block(Kind::Own(Own { inner: NonNull::from(inner), slot: NonNull::from(slot), index }))
    }

    /// A reference to what was leased from another process.
    pub(super) fn leased(lease: Arc<Lease>) -> Block {
        Block(Kind::Foreign(lease))
    }

    #[inline]
    fn place(&self) -> Place {
        match &self.0 {
            Kind::Own(own) => own.place(),
            Kind::Foreign(lease) => lease.place(),
        }
    }

    /// The arena it lies in; `None` when that belongs to another process, be it the one that this process was forked from.
    pub(crate) fn arena(&self) -> Option<Arena> {
        match &self.0 {
            Kind::Own(own) if !own.is_inherited() => {
                let Some(inner) = own.inner().anchor() else { unreachable!("a block without its arena's anchor") };
                Some(Arena::of(&inner))
            }
            _ => None,
        }
    }

    /// The inside of the arena it lies in, if that is one of this process's own.
    pub(super) fn own_arena(&self) -> Option<&Inner> {
        match &self.0 {
            Kind::Own(own) if !own.is_inherited() => Some(own.inner()),
            _ => None,
        }
    }

    /// The name of the arena it lies in, whosever that is.
    pub(crate) fn arena_id(&self) -> ArenaId {
        match &self.0 {
            Kind::Own(own) => own.inner().id(),
            Kind::Foreign(lease) => lease.arena().id(),
        }
    }

    /// The memory of another process that it was leased in.
    pub(crate) fn foreign(&self) -> Option<&Arc<ForeignArena>> {
        match &self.0 {
            Kind::Own(_) => None,
            Kind::Foreign(lease) => Some(lease.arena()),
        }
    }

    /// Who keeps it alive in another process, unless that is dead.
    pub(crate) fn lessor(&self) -> Option<&Arc<dyn Lessor>> {
        match &self.0 {
            Kind::Own(_) => None,
            Kind::Foreign(lease) => lease.lessor(),
        }
    }

    /// Whether this process inherited it by `fork`: the block, or the lease, is one of the parent's, and readable as long as that has it.
    pub(crate) fn is_inherited(&self) -> bool {
        match &self.0 {
            Kind::Own(own) => own.is_inherited(),
            Kind::Foreign(lease) => lease.is_inherited(),
        }
    }

    pub(crate) fn index(&self) -> BlockIndex {
        match &self.0 {
            Kind::Own(own) => own.index,
            Kind::Foreign(lease) => lease.index(),
        }
    }

    pub(crate) fn generation(&self) -> Generation {
        match &self.0 {
            Kind::Own(own) => own.slot().references.generation(),
            Kind::Foreign(lease) => lease.generation(),
        }
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
        let window = match &self.0 {
            Kind::Own(own) => own.inner().mapping().read_only(),
            Kind::Foreign(lease) => lease.arena().window(),
        };
        window.at(self.offset()).cast_const()
    }

    /// Its first byte in the read-write mapping. The caller writes only while no `Array` refers to the block.
    ///
    /// # Panics
    /// When it was leased from another process. What is being filled was allocated here.
    #[inline]
    pub(crate) fn writable_ptr(&self) -> *mut u8 {
        match &self.0 {
            Kind::Own(own) => own.inner().mapping().writable().at(self.offset()),
            Kind::Foreign(_) => unreachable!("{self:?} was leased from another process, so nobody here writes to it"),
        }
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { offset, len } = self.place();
        write!(f, "Block({}#{} at {:#x}, {} bytes)", self.index().0, self.generation().0, offset.0, len)
    }
}
