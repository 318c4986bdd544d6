//! The memory of other processes.
//!
//! ```text
//! another process                              this one
//! Arena: memfd --descriptor, read-only-----> ForeignArena: a window of it, read-only
//!        block <--lease, given back once--- Lease <--Arc-- Block, Block, ...
//! ```
//! The owner counts a lease as a reference to its block. Here all references to a block share one lease, which goes back with the last
//! of them. How descriptors, leases and what is given back travel is not this room's business.
//!
//! What another process writes cannot be checked from here. That it writes to no block which it has leased out is its promise, as it is
//! the promise of this process's own `Draft`s; that its memory stays mapped and cannot be written from here is verified.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, Weak};

use super::block::Block;
use super::counterfoils;
use super::inner::lock;
use super::mapping;
use super::raw::Window;
use super::registry;
use super::slots::Place;
use crate::error::{Error, Result};
use crate::forks::Birth;
use crate::offset::{ArenaId, BlockIndex, Generation, Offset};

/// Whom a lease is given back to, once its last reference here is gone.
pub(crate) trait Lessor: Send + Sync + Debug {
    /// `count` leases of that block end. Called in `drop`, on any thread, under whatever locks its callers hold: it neither blocks nor
    /// panics. It is never called in a forked child, where the lessor may be dropped nevertheless.
    fn give_back(&self, arena: ArenaId, block: BlockIndex, generation: Generation, count: u32);
}

/// The memory of another process, mapped read-only as long as it or any lease of its blocks lives.
#[derive(Debug)]
pub(crate) struct ForeignArena {
    id: ArenaId,
    window: Window,
    descriptor: OwnedFd,
    /// The leases that live, in the order of their memory; and those whose last reference is gone but which have not left yet.
    leases: Mutex<BTreeMap<Leased, Weak<Lease>>>,
    birth: Birth,
}

/// What a lease is for. In the order of memory: no two blocks that live at the same time start at the same offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Leased {
    offset: Offset,
    len: usize,
    index: BlockIndex,
    generation: Generation,
}

impl Leased {
    fn give_back(&self, arena: &ForeignArena, lessor: Option<&Arc<dyn Lessor>>) {
        if let Some(lessor) = lessor {
            lessor.give_back(arena.id, self.index, self.generation, 1);
        }
    }
}

/// One lease, which all references to its block share.
///
/// Invariant: the bytes of `leased` lie in the window of `arena`.
#[derive(Debug)]
pub(super) struct Lease {
    arena: Arc<ForeignArena>,
    leased: Leased,
    /// `None` when the owner is dead: its memory never changes again.
    lessor: Option<Arc<dyn Lessor>>,
}

impl ForeignArena {
    /// Maps what another process's descriptor shows.
    ///
    /// # Errors
    /// [`Error::BadLayout`] unless it is a memfd whose size is final, sound, and which cannot be written through the descriptor;
    /// [`Error::System`] where it cannot be mapped.
    pub(crate) fn map(id: ArenaId, descriptor: OwnedFd) -> Result<Arc<ForeignArena>> {
        let window = mapping::foreign_window(id, &descriptor)?;
        let arena = Arc::new(ForeignArena { id, window, descriptor, leases: Mutex::default(), birth: Birth::now() });
        registry::enter_foreign(&arena);
        Ok(arena)
    }

    /// The name that its owner gave it.
    pub(crate) fn id(&self) -> ArenaId {
        self.id
    }

    /// What it was mapped from, for others to map it.
    pub(crate) fn descriptor(&self) -> &OwnedFd {
        &self.descriptor
    }

    pub(super) fn window(&self) -> &Window {
        &self.window
    }

    /// Whether it was mapped by the process that this one was forked from, whose leases its leases are.
    #[inline]
    fn is_inherited(&self) -> bool {
        self.birth.was_before_fork()
    }

    /// A reference to the block at `offset..offset + len`, of which the owner has granted one more lease. `lessor` takes it back; `None`
    /// says that the owner is dead. Whatever comes of it, that lease is given back exactly once: with the last reference, or at once when
    /// the block has a lease here already or the call errs.
    ///
    /// # Errors
    /// [`Error::BadHandle`] when the block does not lie in the window; [`Error::ArenaClosed`] in a forked child, which gives nothing back.
    pub(crate) fn lease(
        self: &Arc<Self>,
        index: BlockIndex,
        generation: Generation,
        offset: Offset,
        len: usize,
        lessor: Option<Arc<dyn Lessor>>,
    ) -> Result<Block> {
        if self.is_inherited() {
            return Err(Error::ArenaClosed { arena: self.id });
        }
        let leased = Leased { offset, len, index, generation };
        let end = offset.0.checked_add(len as u64);
        if end.is_none_or(|end| end > self.window.len() as u64) {
            leased.give_back(self, lessor.as_ref());
            return Err(Error::BadHandle {
                reason: format!(
                    "block {} is said to have {len} bytes from {} on, of the {} bytes of arena {}",
                    index.0,
                    offset.0,
                    self.window.len(),
                    self.id
                ),
            });
        }
        let new = Arc::new(Lease { arena: self.clone(), leased, lessor });
        let mut leases = lock(&self.leases);
        let known = leases.get(&leased).and_then(Weak::upgrade);
        if known.is_none() {
            leases.insert(leased, Arc::downgrade(&new));
        }
        drop(leases);
        // One lease too many is dropped here, which gives it back.
        Ok(Block::leased(known.unwrap_or(new)))
    }

    /// Whether the word at `offset` says that the ticket of that stamp was good after everything that the caller has said to its owner.
    pub(crate) fn shows(&self, offset: Offset, stamp: NonZeroU64) -> bool {
        counterfoils::is_place(offset, self.window.len()) && counterfoils::shows(self.window.word(offset), stamp)
    }

    /// The leased block in whose memory all of `address..address + len` lies.
    pub(super) fn block_at(&self, address: usize, len: usize) -> Option<Block> {
        if self.is_inherited() {
            return None;
        }
        let offset = self.window.offset_of(address)?;
        let last = Leased { offset, len: usize::MAX, index: BlockIndex(u32::MAX), generation: Generation(u32::MAX) };
        let leases = lock(&self.leases);
        let lease = leases.range(..=last).rev().find_map(|(_, lease)| lease.upgrade());
        drop(leases); // before the lease, which may be the last one by now
        let lease = lease?;
        let end = (offset.0 - lease.leased.offset.0).checked_add(len as u64)?;
        (end <= lease.leased.len as u64).then(|| Block::leased(lease))
    }

    /// One more reference to each leased block, none where this is inherited.
    pub(super) fn pin(&self, pins: &mut Vec<Block>) {
        if !self.is_inherited() {
            pins.extend(lock(&self.leases).values().filter_map(Weak::upgrade).map(Block::leased));
        }
    }
}

impl Drop for ForeignArena {
    fn drop(&mut self) {
        registry::leave(&self.window);
    }
}

impl Lease {
    pub(super) fn arena(&self) -> &Arc<ForeignArena> {
        &self.arena
    }

    pub(super) fn lessor(&self) -> Option<&Arc<dyn Lessor>> {
        self.lessor.as_ref()
    }

    pub(super) fn index(&self) -> BlockIndex {
        self.leased.index
    }

    pub(super) fn generation(&self) -> Generation {
        self.leased.generation
    }

    pub(super) fn place(&self) -> Place {
        Place { offset: self.leased.offset, len: self.leased.len }
    }

    pub(super) fn is_inherited(&self) -> bool {
        self.arena.is_inherited()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.is_inherited() {
            return; // the lease is the parent's, and the lock may be held by a thread which this process does not have
        }
        let mut leases = lock(&self.arena.leases);
        // The block may have been leased again since the last reference went.
        if leases.get(&self.leased).is_some_and(|known| std::ptr::eq(known.as_ptr(), self)) {
            leases.remove(&self.leased);
        }
        drop(leases);
        self.leased.give_back(&self.arena, self.lessor.as_ref());
    }
}
