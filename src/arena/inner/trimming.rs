//! Giving cached memory back to the system: on demand, beyond the watermark, and when it stands in the way of a block.
//!
//! One thread trims at a time, so that whoever finds no room with the turn in hand knows that nothing is on its way back.

use std::sync::{Arc, MutexGuard};

use super::{Inner, lock};
use crate::arena::allocator::{Allocator, Grant, Shortage};
use crate::arena::block::Block;
use crate::error::{Error, Result};

impl Inner {
    /// Has cached memory given back until the block can be afforded.
    #[cold]
    pub(super) fn allocate_after_trimming(self: &Arc<Inner>, len: usize) -> Result<(Block, Grant)> {
        let full = |allocator: &Allocator| Error::ArenaFull {
            asked: Allocator::rounded(len),
            used: allocator.tally().used,
            budget: allocator.budget(),
            largest: allocator.largest(),
        };
        let turn = lock(&self.trimming); // whatever is being given back has arrived now
        loop {
            let shortage = match self.try_allocate(len) {
                Ok(made) => return Ok(made),
                Err(shortage) => shortage,
            };
            let mut state = lock(&self.state);
            let allocator = &mut state.allocator;
            let cached = allocator.cached();
            if Allocator::rounded(len) > allocator.budget() {
                return Err(full(allocator));
            }
            let keep = match shortage {
                // At least a quarter at once: the memory that goes may be just what the block would have used.
                Shortage::Bytes(excess) if excess <= cached => cached - excess.max(cached / 4),
                Shortage::Room if allocator.release_empty_slabs() => continue,
                _ => return Err(full(allocator)),
            };
            drop(state);
            if self.give_back_one(keep, &turn) == 0 {
                return Err(full(&lock(&self.state).allocator));
            }
        }
    }

    /// Gives cached memory back to the system until at most `keep` bytes are left; how many went.
    pub(in crate::arena) fn trim(&self, keep: u64) -> u64 {
        if self.mapping.is_inherited() {
            return 0;
        }
        let turn = lock(&self.trimming);
        std::iter::repeat_with(|| self.give_back_one(keep, &turn)).take_while(|&bytes| bytes > 0).sum()
    }

    /// The system call is made without the allocator's lock: a victim is nobody's meanwhile.
    fn give_back_one(&self, keep: u64, _turn: &MutexGuard<'_, ()>) -> u64 {
        let Some(victim) = lock(&self.state).allocator.take_victim(keep) else { return 0 };
        let gone = self.pages.punch(&self.mapping, &victim).is_ok();
        lock(&self.state).allocator.return_victim(&victim, !gone);
        if gone { victim.end - victim.start } else { 0 }
    }
}
