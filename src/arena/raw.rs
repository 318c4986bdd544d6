//! From offsets to pointers: the one place where an arena's memory gets addresses.

use std::ptr::NonNull;

use memmap2::MmapRaw;

use crate::offset::Offset;
use crate::sync::AtomicU64;

/// One of an arena's two views of its memfd, or the one view of another process's.
///
/// Invariants:
/// 1. `base` is the first of `len` consecutive bytes of one mapping of the memfd, from its start; all of them lie in `reservation`,
///    which stays mapped as long as `self` lives.
/// 2. The memfd has at least `len` bytes and is sealed against shrinking, so that no address in the window ever faults with SIGBUS
///    for want of a file behind it.
/// 3. `len` is at most `isize::MAX`, and `base` is a multiple of 2 MiB.
#[derive(Debug)]
pub(super) struct Window {
    base: NonNull<u8>,
    len: usize,
    reservation: MmapRaw,
}

// SAFETY: a window hands out addresses and never reads or writes itself; the mapping belongs to no thread.
unsafe impl Send for Window {}
// SAFETY: as above; all its methods take `&self` and change nothing in it.
unsafe impl Sync for Window {}

impl Window {
    /// # Safety
    /// The invariants of the type hold for `base`, `len` and `reservation`.
    pub(super) unsafe fn new(base: NonNull<u8>, len: usize, reservation: MmapRaw) -> Window {
        Window { base, len, reservation }
    }

    /// The address of the byte at `offset`, or of the window's end. Panics beyond it, where no block lies.
    #[inline]
    pub(super) fn at(&self, offset: Offset) -> *mut u8 {
        let offset = offset.0 as usize;
        assert!(offset <= self.len, "offset {offset} lies beyond the {} bytes of the arena", self.len);
        // SAFETY: by invariant 1 `base` starts `len` bytes of one mapping, `offset <= len` was checked, and by invariant 3 it fits an
        // isize.
        unsafe { self.base.as_ptr().add(offset) }
    }

    /// The word at `offset`, behind all blocks. Panics where no whole word lies. In a read-only window it may only be loaded.
    pub(super) fn word(&self, offset: Offset) -> &AtomicU64 {
        let place = self.at(offset).cast::<AtomicU64>();
        assert!(place.is_aligned() && self.len - offset.0 as usize >= size_of::<u64>(), "no word lies at {} of the arena", offset.0);
        // SAFETY: by invariant 1 its bytes are mapped as long as `self`, and the assertion has seen to the rest. Any bits are valid, and behind
        // the blocks lie nothing but words, which every process accesses as atomics alone.
        unsafe { &*place }
    }

    /// Where `address` lies in the window.
    pub(super) fn offset_of(&self, address: usize) -> Option<Offset> {
        let offset = address.checked_sub(self.start())?;
        (offset < self.len).then_some(Offset(offset as u64))
    }

    /// The address of its first byte.
    pub(super) fn start(&self) -> usize {
        self.base.as_ptr() as usize
    }

    /// Its length in bytes.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The mapping, and how far into it the window starts.
    pub(super) fn reservation(&self) -> (&MmapRaw, usize) {
        (&self.reservation, self.start() - self.reservation.as_ptr() as usize)
    }

    /// Gives up the addresses without unmapping them.
    pub(super) fn forget(self) {
        std::mem::forget(self.reservation);
    }
}
