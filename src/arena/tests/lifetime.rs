//! References: how long blocks and arenas live, who finds them, and that threads agree about it.

use std::thread;

use super::super::{block_at, find};
use super::{MIB, arena};
use crate::error::Error;
use crate::offset::{BlockIndex, Generation};

#[test]
fn the_last_reference_frees_the_block() {
    let arena = arena(8 * MIB);
    let block = arena.allocate(100).expect("room");
    let clone = block.clone();
    let opened = arena.acquire(block.index(), block.generation()).expect("live");
    drop((block, clone));
    assert_eq!(arena.statistics().blocks, 1);
    drop(opened);
    assert_eq!(arena.statistics().blocks, 0);
}

#[test]
fn a_freed_block_cannot_be_opened_nor_its_successor_by_the_old_name() {
    let arena = arena(8 * MIB);
    let block = arena.allocate(100).expect("room");
    let (index, generation) = (block.index(), block.generation());
    drop(block);
    assert!(arena.acquire(index, generation).unwrap_err().is_stale());
    let successor = arena.allocate(100).expect("room");
    assert_eq!(successor.index(), index);
    assert!(arena.acquire(index, generation).unwrap_err().is_stale());
    assert!(arena.acquire(index, Generation(u32::MAX)).unwrap_err().is_stale());
    assert!(arena.acquire(BlockIndex(u32::MAX), generation).unwrap_err().is_stale());
    assert!(arena.acquire(BlockIndex(1), Generation(1)).unwrap_err().is_stale(), "a slot made but never used");
}

#[test]
fn a_closed_arena_stays_readable() {
    let arena = arena(8 * MIB);
    let block = arena.allocate(5).expect("room");
    // SAFETY: the block is this test's.
    unsafe { block.writable_ptr().copy_from_nonoverlapping(b"bytes".as_ptr(), 5) };
    arena.close();
    arena.close();
    assert!(arena.is_closed());
    let closed = Error::ArenaClosed { arena: arena.id() };
    assert_eq!(arena.allocate(1).unwrap_err(), closed);
    assert_eq!(arena.acquire(block.index(), block.generation()).unwrap_err(), closed);
    // SAFETY: nobody writes any more.
    assert_eq!(unsafe { std::slice::from_raw_parts(block.clone().as_ptr(), 5) }, b"bytes");
}

#[test]
fn blocks_keep_their_arena_and_find_it_again() {
    let arena = arena(8 * MIB);
    let id = arena.id();
    assert_eq!(find(id).map(|found| found.id()), Some(id));
    let block = arena.allocate(100).expect("room");
    drop(arena);
    assert_eq!(find(id).map(|found| found.statistics().blocks), Some(1));
    let again = block.arena().expect("this process's");
    assert_eq!((again.id(), block.arena_id()), (id, id));
    let other = again.allocate(100).expect("room");
    drop((again, block));
    assert!(find(id).is_some());
    drop(other);
    assert!(find(id).is_none(), "gone with its last block");
}

#[test]
fn an_arena_without_blocks_goes_with_its_last_reference() {
    let arena = arena(8 * MIB);
    let id = arena.id();
    drop(arena.allocate(3 * MIB).expect("room"));
    let clone = arena.clone();
    drop(arena);
    assert!(find(id).is_some());
    drop(clone);
    assert!(find(id).is_none());
}

#[test]
fn addresses_lead_to_the_block_which_has_all_of_them() {
    let arena = arena(16 * MIB);
    for len in [1, 100, 5000, MIB] {
        let block = arena.allocate(len).expect("room");
        let start = block.as_ptr() as usize;
        let found = |address, len| block_at(address, len).map(|found| (found.index(), found.generation()));
        let this = Some((block.index(), block.generation()));
        assert_eq!(found(start, len), this);
        assert_eq!(found(start + len - 1, 1), this);
        assert_eq!(found(start, len + 1), None, "one byte too many");
        assert_eq!(found(start, usize::MAX), None);
        assert_eq!(found(block.writable_ptr() as usize, 1), None, "only the read-only window counts");
        drop(block);
        assert_eq!(found(start, 1), None, "freed");
    }
    let local = 0u8;
    assert!(block_at(&raw const local as usize, 1).is_none());
    assert!(block_at(0, 0).is_none());
    assert!(block_at(usize::MAX, 1).is_none());
}

#[test]
fn threads_hammer_one_arena() {
    const THREADS: u64 = 4;
    const ROUNDS: u64 = 20_000;
    let arena = arena(64 * MIB);
    let kept = arena.allocate(777).expect("room");
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (arena, kept) = (&arena, &kept);
            scope.spawn(move || {
                let mut held: Vec<(crate::arena::Block, u64)> = Vec::new();
                let mut random = thread + 1;
                for round in 0..ROUNDS {
                    random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    let len = 8 + (random >> 33) as usize % [100, 5_000, 300_000][round as usize % 3];
                    let block = arena.allocate(len).expect("room");
                    let mark = thread << 32 | round;
                    // SAFETY: the block is this thread's, aligned to 64 and at least 8 bytes long.
                    unsafe { block.writable_ptr().cast::<u64>().write(mark) };
                    assert_eq!(block_at(block.as_ptr() as usize, len).map(|found| found.index()), Some(block.index()));
                    drop(kept.clone());
                    drop(arena.acquire(kept.index(), kept.generation()).expect("kept"));
                    held.push((block, mark));
                    if held.len() > 16 {
                        let (block, mark) = held.swap_remove((random >> 20) as usize % held.len());
                        // SAFETY: written above, and nobody writes any more.
                        assert_eq!(unsafe { block.as_ptr().cast::<u64>().read() }, mark);
                        let (index, generation) = (block.index(), block.generation());
                        drop(block);
                        assert!(arena.acquire(index, generation).unwrap_err().is_stale());
                    }
                }
            });
        }
    });
    let statistics = arena.statistics();
    assert_eq!((statistics.blocks, statistics.allocations), (1, THREADS * ROUNDS + 1));
}

#[test]
fn threads_race_for_the_last_reference() {
    const ROUNDS: usize = 5_000;
    let arena = arena(8 * MIB);
    for _ in 0..ROUNDS {
        let block = arena.allocate(64).expect("room");
        let (index, generation) = (block.index(), block.generation());
        thread::scope(|scope| {
            let opener = scope.spawn(|| arena.acquire(index, generation).map(drop));
            drop(block);
            match opener.join().expect("no panic") {
                Ok(()) => {}
                Err(error) => assert!(error.is_stale()),
            }
        });
        assert_eq!(arena.statistics().blocks, 0);
    }
}
