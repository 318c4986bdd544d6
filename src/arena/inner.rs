//! What an arena is, behind its references: mapping, table of slots, and the allocator under its lock.
//!
//! ```text
//! Arena --Arc--> Owner --Arc--> Inner <--plain pointer-- Block
//!                                 ^-----anchor, an Arc in Inner itself while there are blocks
//! ```
//! Blocks count their references in their slot, nowhere else, so that a clone costs one atomic addition and threads which hold
//! different blocks do not meet. All live blocks together hold one `Arc`, the *anchor*. It is let go when the last of blocks and owners
//! has gone.

mod trimming;

use std::num::NonZeroU64;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::allocator::{Allocator, Grant, Shortage, Tally};
use super::block::Block;
use super::counterfoils::{self, Counterfoils};
use super::mapping::{self, Mapping};
use super::pages::Pages;
use super::references::Gone;
use super::registry;
use super::slots::{Place, Slot, Slots};
use crate::error::{Error, Result};
use crate::identity;
use crate::offset::{ArenaId, BlockIndex, Generation, Offset};
use crate::sync::{AtomicBool, AtomicU64, Ordering};

/// Free memory of at least so many bytes may be kept for reuse, however small the budget.
const LEAST_WATERMARK: u64 = 64 << 20;

/// All `Arena`s of one `Inner` share this. When it goes, no arena is left to allocate, though blocks may be.
#[derive(Debug)]
pub(super) struct Owner(Arc<Inner>);

/// An arena.
///
/// Invariant: while a slot has a reference, or the last one was dropped and `reclaim` is not done, `State::anchor` is this arena itself.
#[derive(Debug)]
pub(super) struct Inner {
    id: ArenaId,
    mapping: Mapping,
    pages: Pages,
    slots: Slots,
    counterfoils: Counterfoils,
    closed: AtomicBool,
    copied: AtomicU64,
    /// How many free bytes may be kept for reuse.
    watermark: u64,
    /// Held by whoever gives memory back to the system. It is taken before `state`.
    trimming: Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    allocator: Allocator,
    /// Slots that were used and are vacant.
    vacant: Vec<BlockIndex>,
    /// The first slot never used.
    unused: u32,
    /// Owners alive, and the one that new arenas share.
    owners: usize,
    owner: Weak<Owner>,
    anchor: Option<Arc<Inner>>,
}

impl State {
    /// What keeps the arena alive though nobody refers to it any more; to be dropped without the lock.
    fn release_anchor(&mut self) -> Option<Arc<Inner>> {
        if self.owners == 0 && self.allocator.tally().blocks == 0 { self.anchor.take() } else { None }
    }
}

/// A lock whose holders never panic half way, so that a poisoned one is as good.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Owner {
    /// A new arena, known to the registry.
    pub(super) fn of_new(budget: u64) -> Result<Arc<Owner>> {
        let mapping = Mapping::new(budget)?;
        let allocator = Allocator::new((mapping.writable().len() - mapping::BEHIND) as u64, budget, rustix::param::page_size());
        let inner = Arc::new(Inner {
            id: identity::next_arena()?,
            pages: Pages::new(&mapping),
            counterfoils: Counterfoils::new(mapping.writable().len()),
            mapping,
            slots: Slots::new(),
            closed: AtomicBool::new(false),
            copied: AtomicU64::new(0),
            watermark: LEAST_WATERMARK.max(budget / 4),
            trimming: Mutex::new(()),
            state: Mutex::new(State { allocator, vacant: Vec::new(), unused: 0, owners: 0, owner: Weak::new(), anchor: None }),
        });
        registry::enter(&inner);
        Ok(inner.owner())
    }

    #[inline]
    pub(super) fn inner(&self) -> &Arc<Inner> {
        &self.0
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if self.0.mapping.is_inherited() {
            return; // the lock may be held by a thread which this process does not have
        }
        let mut state = lock(&self.0.state);
        state.owners -= 1;
        let anchor = state.release_anchor();
        drop(state);
        drop(anchor);
    }
}

impl Inner {
    pub(super) fn id(&self) -> ArenaId {
        self.id
    }

    #[inline]
    pub(super) fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// The owner that all arenas share, made anew when there is none.
    pub(super) fn owner(self: &Arc<Inner>) -> Arc<Owner> {
        let mut state = lock(&self.state);
        state.owner.upgrade().unwrap_or_else(|| {
            let owner = Arc::new(Owner(self.clone()));
            state.owners += 1;
            state.owner = Arc::downgrade(&owner);
            owner
        })
    }

    /// This arena itself; a caller who has a block knows that it is there.
    pub(super) fn anchor(&self) -> Option<Arc<Inner>> {
        lock(&self.state).anchor.clone()
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed); // it orders nothing: who comes at the same time may still get in
    }

    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed) || self.mapping.is_inherited()
    }

    #[inline]
    fn check_open(&self) -> Result<()> {
        if self.is_closed() { Err(Error::ArenaClosed { arena: self.id }) } else { Ok(()) }
    }

    pub(super) fn count_copied(&self, bytes: usize) {
        self.copied.fetch_add(bytes as u64, Ordering::Relaxed); // a figure, nothing depends on it
    }

    /// The bookkeeper's figures, the largest block that would succeed, the budget, and what was copied in.
    pub(super) fn figures(&self) -> (Tally, u64, u64, u64) {
        let state = lock(&self.state);
        let allocator = &state.allocator;
        (allocator.tally(), allocator.largest(), allocator.budget(), self.copied.load(Ordering::Relaxed))
    }

    #[inline]
    pub(super) fn allocate(self: &Arc<Inner>, len: usize) -> Result<Block> {
        self.check_open()?;
        let (block, grant) = match self.try_allocate(len) {
            Ok(made) => made,
            Err(_) => self.allocate_after_trimming(len)?,
        };
        if !grant.fresh.is_empty() {
            let bytes = grant.offset.0..grant.offset.0 + Allocator::rounded(len);
            self.pages.prepare(&self.mapping, &bytes, &grant.fresh)?;
        }
        Ok(block)
    }

    #[inline(always)]
    fn try_allocate(self: &Arc<Inner>, len: usize) -> Result<(Block, Grant), Shortage> {
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        let index = state.vacant.last().copied().unwrap_or(BlockIndex(state.unused));
        let slot = self.slots.get_or_make(index).ok_or(Shortage::Room)?;
        let grant = state.allocator.take(len, index.0)?;
        if state.vacant.pop().is_none() {
            state.unused += 1;
        }
        if state.anchor.is_none() {
            state.anchor = Some(self.clone());
        }
        // SAFETY: the slot was vacant and is taken now, under the lock.
        unsafe { slot.set_place(Place { offset: grant.offset, len }) };
        slot.references.publish();
        // SAFETY: `publish` made the reference; the anchor holds by the invariant of `Inner`.
        Ok((unsafe { Block::from_parts(self, slot, index) }, grant))
    }

    /// One more reference to a live block.
    pub(super) fn acquire(&self, index: BlockIndex, generation: Generation) -> Result<Block> {
        self.check_open()?;
        let stale = |reason| Error::StaleHandle { reason };
        let slot = self.slots.get(index).ok_or_else(|| stale(format!("arena {} never had a block {}", self.id, index.0)))?;
        match slot.references.acquire(generation) {
            // SAFETY: a reference was acquired, so the anchor holds.
            Ok(()) => Ok(unsafe { Block::from_parts(self, slot, index) }),
            Err(Gone::Other(found)) => Err(Error::stale_block(index, generation, found)),
            Err(Gone::Ended) => Err(stale(format!("block {} of generation {} has been freed", index.0, generation.0))),
        }
    }

    /// Where a word lies that has that stamp from now on; `None` when all are in use, or there is no memory for another one.
    pub(super) fn stamp(&self, stamp: NonZeroU64) -> Option<Offset> {
        let word = self.counterfoils.take(|page| self.pages.prepare(&self.mapping, page, page).is_ok())?;
        // Relaxed: whoever looks has got the ticket, made later, by some way that orders.
        self.mapping.writable().word(word).store(stamp.get(), Ordering::Relaxed);
        Some(word)
    }

    /// Nobody may redeem by that word any more.
    pub(super) fn unstamp(&self, word: Offset) {
        counterfoils::clear(self.mapping.writable().word(word));
        self.counterfoils.give(word);
    }

    /// The live block in whose read-only memory all of `address..address + len` lies.
    pub(super) fn block_at(&self, address: usize, len: usize) -> Option<Block> {
        if self.mapping.is_inherited() {
            return None;
        }
        let offset = self.mapping.read_only().offset_of(address)?;
        let state = lock(&self.state);
        let block = self.block_in(BlockIndex(state.allocator.slot_at(offset)?), &state);
        drop(state); // before the block, whose last reference this may be by now
        let block = block?;
        let end = (offset.0 - block.offset().0).checked_add(len as u64)?;
        (end <= block.len() as u64).then_some(block)
    }

    /// One more reference to each live block, none where this is inherited.
    pub(super) fn pin(&self, pins: &mut Vec<Block>) {
        if self.mapping.is_inherited() {
            return;
        }
        let state = lock(&self.state);
        pins.extend((0..state.unused).filter_map(|index| self.block_in(BlockIndex(index), &state)));
    }

    /// One more reference to whatever block lives in a slot. It is not to be dropped under the lock, which its end may want.
    fn block_in(&self, index: BlockIndex, _locked: &State) -> Option<Block> {
        let slot = self.slots.get(index)?;
        // Under the lock no slot is retired, so the generation is that of the block which the caller found there.
        slot.references.acquire(slot.references.generation()).ok()?;
        // SAFETY: a reference was acquired, so the anchor holds.
        Some(unsafe { Block::from_parts(self, slot, index) })
    }

    /// Ends a block: its memory goes to the allocator and its slot becomes vacant.
    ///
    /// # Safety
    /// `slot` is the one at `index` of `inner`, and its last reference was dropped by the caller just now.
    #[inline]
    pub(super) unsafe fn reclaim(inner: NonNull<Inner>, slot: NonNull<Slot>, index: BlockIndex) {
        // SAFETY: by the invariant of `Inner` the anchor holds at least until the lock is released below.
        let this = unsafe { inner.as_ref() };
        if this.mapping.is_inherited() {
            return;
        }
        // SAFETY: slots live as long as their arena.
        let slot = unsafe { slot.as_ref() };
        let mut state = lock(&this.state);
        // SAFETY: the caller dropped the last reference, and the slot is retired only below.
        let place = unsafe { slot.place() };
        let grown = state.allocator.give(place.offset, place.len);
        if slot.references.retire() {
            state.vacant.push(index);
        }
        let excess = if grown && state.allocator.cached() > this.watermark { state.anchor.clone() } else { None };
        let anchor = state.release_anchor();
        drop(state);
        if let Some(inner) = excess.filter(|_| anchor.is_none()) {
            inner.trim(inner.watermark);
        }
        drop(anchor);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        registry::leave(self.mapping.read_only());
        // No block is left, so nobody reads; but other processes may have the memory mapped, which would keep it.
        if !self.mapping.is_inherited() {
            let _ = self.mapping.punch(&(0..self.mapping.writable().len() as u64));
        }
    }
}
