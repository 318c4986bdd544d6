//! The memory a process shares: one sparse memfd mapped twice, cut into reference-counted blocks.
//!
//! ```text
//!              Arena              Block (one reference)
//!                \                /
//!   slots      [ generation | references | offset, length ] ...        who has what (lock-free)
//!   allocator  [ slabs of cells | runs | free, backed | free, fresh ]  whose bytes are whose (one lock)
//!   mapping    [ memfd: writable window, read-only window ]
//! ```
//!
//! Memory is recycled: freed blocks keep their pages for the next ones, since fresh pages cost ten times what a copy costs. Free memory
//! beyond a quarter of the budget (64 MiB at least) goes back to the system, and so does any that stands in the way of a new block.
//!
//! A block may also be leased from another process: then it lies in a read-only window of that process's memfd.
//!
//! The arena knows nothing of arrays: that is `buffer`'s room.

mod allocator;
mod block;
mod budget;
mod classes;
mod counterfoils;
mod foreign;
mod inner;
mod mapping;
mod pages;
mod raw;
mod references;
mod registry;
mod runs;
mod slabs;
mod slots;
#[cfg(all(test, not(loom)))]
mod tests;

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::Arc;

pub(crate) use block::Block;
pub use budget::Budget;
pub(crate) use counterfoils::Counterfoil;
#[cfg(all(test, loom))]
pub(crate) use counterfoils::{clear, shows};
pub(crate) use foreign::{ForeignArena, Lessor};
pub(crate) use registry::{block_at, find, may_have, pin_all};

use crate::error::Result;
use crate::offset::{ArenaId, BlockIndex, Generation};
use inner::{Inner, Owner};

/// A reference to an arena; clones name the same one. It is unmapped when neither references nor blocks remain.
///
/// ```
/// use crossbuf::{Arena, Budget};
///
/// let arena = Arena::new(Budget::bytes(16 << 20))?;
/// assert_eq!(arena.statistics().budget, 16 << 20);
/// assert_eq!(arena.statistics().blocks, 0);
/// # Ok::<(), crossbuf::Error>(())
/// ```
#[derive(Clone)]
pub struct Arena(Arc<Owner>);

/// What an arena holds at one moment. Sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArenaStatistics {
    /// Live blocks.
    pub blocks: u64,
    /// What live blocks occupy, rounded up to allocation units.
    pub used: u64,
    /// Memory backed by pages, live or kept for reuse; it may be a little less in truth, as it is counted before it is touched.
    pub resident: u64,
    /// What live blocks may occupy.
    pub budget: u64,
    /// The largest block that would succeed now.
    pub largest: u64,
    /// The most bytes live blocks ever occupied.
    pub peak: u64,
    /// Blocks ever made.
    pub allocations: u64,
    /// Bytes that have been copied in.
    pub copied: u64,
}

impl Arena {
    /// A new arena. Errors when the system refuses memfd or mapping.
    pub fn new(budget: Budget) -> Result<Arena> {
        Owner::of_new(budget.get()).map(Arena)
    }

    /// The process's own arena, made at the first use with the default budget. When it was closed, or a try failed, the next call makes
    /// another one.
    pub fn shared() -> Result<Arena> {
        registry::shared()
    }

    fn of(inner: &Arc<Inner>) -> Arena {
        Arena(inner.owner())
    }

    fn inner(&self) -> &Arc<Inner> {
        self.0.inner()
    }

    /// Its random name.
    pub fn id(&self) -> ArenaId {
        self.inner().id()
    }

    /// What its memory is mapped from, for other processes to map it as well. It cannot write.
    pub(crate) fn descriptor(&self) -> &OwnedFd {
        self.inner().mapping().descriptor()
    }

    /// Ends allocating and opening here; arrays stay readable. Twice is fine.
    pub fn close(&self) {
        self.inner().close();
    }

    /// Whether `close` was called. An arena inherited by `fork` counts as closed in the child.
    pub fn is_closed(&self) -> bool {
        self.inner().is_closed()
    }

    /// Counts, all taken at one moment.
    pub fn statistics(&self) -> ArenaStatistics {
        let (tally, largest, budget, copied) = self.inner().figures();
        ArenaStatistics {
            blocks: tally.blocks,
            used: tally.used,
            resident: tally.backed,
            budget,
            largest,
            peak: tally.peak,
            allocations: tally.allocations,
            copied,
        }
    }

    /// Gives free memory back to the system; returns bytes.
    pub fn trim(&self) -> u64 {
        self.inner().trim(0)
    }

    /// A block of at least `len` bytes, aligned to 64, referenced once; `len` 0 is a real block too.
    /// Errors: `ArenaFull`, `ArenaClosed`, and `System` where the machine has no memory for it.
    #[inline]
    pub(crate) fn allocate(&self, len: usize) -> Result<Block> {
        self.inner().allocate(len)
    }

    /// One more reference to the live block at `index`. Errors: `StaleHandle`, `ArenaClosed`.
    pub(crate) fn acquire(&self, index: BlockIndex, generation: Generation) -> Result<Block> {
        self.inner().acquire(index, generation)
    }

    /// Adds to `ArenaStatistics::copied`.
    pub(crate) fn count_copied(&self, bytes: usize) {
        self.inner().count_copied(bytes);
    }
}

impl fmt::Debug for Arena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Arena({})", self.id())
    }
}
