//! What another process holds of ours: for each block, how many leases.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::arena::Block;
use crate::offset::{ArenaId, BlockIndex, Generation};

/// The leases of one conversation. A block in it is alive.
#[derive(Debug, Default)]
pub(super) struct Ledger(HashMap<(ArenaId, BlockIndex), (Block, u32)>);

impl Ledger {
    /// One more lease of that block.
    pub(super) fn grant(&mut self, block: &Block) {
        let (_, count) = self.0.entry((block.arena_id(), block.index())).or_insert_with(|| (block.clone(), 0));
        *count += 1;
    }

    /// The block, if it is held.
    pub(super) fn find(&self, arena: ArenaId, index: BlockIndex, generation: Generation) -> Option<Block> {
        self.0.get(&(arena, index)).map(|(block, _)| block).filter(|block| block.generation() == generation).cloned()
    }

    /// So many leases less. Gives the block when none is left, to be dropped without any lock. Errors with `None` when there are not
    /// so many.
    pub(super) fn release(&mut self, arena: ArenaId, index: BlockIndex, generation: Generation, count: u32) -> Option<Option<Block>> {
        let Entry::Occupied(mut entry) = self.0.entry((arena, index)) else { return None };
        let (block, held) = entry.get_mut();
        // A live block keeps its generation.
        if block.generation() != generation || count > *held {
            return None;
        }
        *held -= count;
        let ended = *held == 0;
        Some(ended.then(|| entry.remove().0))
    }

    /// How many blocks are held.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{Arena, Budget};

    #[test]
    fn counts_what_was_granted_and_no_more() {
        let arena = Arena::new(Budget::bytes(1 << 20)).unwrap();
        let block = arena.allocate(100).unwrap();
        let (id, index, generation) = (arena.id(), block.index(), block.generation());
        let mut ledger = Ledger::default();
        ledger.grant(&block);
        ledger.grant(&block);
        drop(block);
        assert_eq!((arena.statistics().blocks, ledger.len()), (1, 1));
        assert!(ledger.release(id, index, Generation(generation.0 + 1), 1).is_none(), "another use of the slot");
        assert!(ledger.release(id, index, generation, 3).is_none(), "more than were granted");
        assert!(ledger.release(id, index, generation, 1).unwrap().is_none());
        assert!(ledger.release(id, index, generation, 1).unwrap().is_some());
        assert!(ledger.release(id, index, generation, 1).is_none());
        assert_eq!((arena.statistics().blocks, ledger.len()), (0, 0));
    }
}
