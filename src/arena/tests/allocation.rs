//! What is handed out, what is refused, and with which words.

use super::super::classes::{GRAIN, UNIT};
use super::{KIB, MIB, arena};
use crate::error::Error;

#[test]
fn blocks_are_aligned_distinct_and_the_same_bytes_in_both_windows() {
    let arena = arena(64 * MIB);
    let lens = [0, 1, 63, 64, 65, 800, 4096, 100 * KIB, 256 * KIB, 256 * KIB + 1, 3 * MIB];
    let blocks: Vec<_> = lens.iter().map(|&len| arena.allocate(len).expect("room")).collect();
    for (number, block) in blocks.iter().enumerate() {
        assert_eq!(block.as_ptr() as usize % GRAIN, 0);
        // SAFETY: the block is this test's, and as long as it says.
        unsafe { block.writable_ptr().write_bytes(number as u8 + 1, block.len()) };
    }
    for ((number, block), len) in blocks.iter().enumerate().zip(lens) {
        assert_eq!(block.len(), len);
        // SAFETY: nobody writes any more.
        let bytes = unsafe { std::slice::from_raw_parts(block.as_ptr(), block.len()) };
        assert!(bytes.iter().all(|&byte| byte == number as u8 + 1), "block {number} was overwritten");
    }
    let statistics = arena.statistics();
    assert_eq!((statistics.blocks, statistics.allocations), (11, 11));
    assert!(statistics.used >= lens.iter().sum::<usize>() as u64 && statistics.used <= statistics.resident);
    assert_eq!(statistics.peak, statistics.used);
    drop(blocks);
    assert_eq!((arena.statistics().blocks, arena.statistics().used), (0, 0));
}

#[test]
fn large_blocks_start_at_huge_pages() {
    let arena = arena(64 * MIB);
    let _odd = arena.allocate(300 * KIB).expect("room");
    let large = arena.allocate(2 * MIB).expect("room");
    assert_eq!(large.as_ptr() as usize % (2 * MIB), 0);
    assert_eq!(large.writable_ptr() as usize % (2 * MIB), 0);
}

#[test]
fn a_full_arena_says_what_it_has_and_goes_on() {
    let arena = arena(8 * MIB);
    let first = arena.allocate(5 * MIB).expect("room");
    let full = Error::ArenaFull { asked: 4 << 20, used: 5 << 20, budget: 8 << 20, largest: 3 << 20 };
    assert_eq!(arena.allocate(4 * MIB).unwrap_err(), full);
    assert_eq!(arena.statistics().blocks, 1, "a refusal takes nothing");
    let rest = arena.allocate(3 * MIB).expect("the largest that would succeed");
    assert!(arena.allocate(0).unwrap_err().is_full());
    assert_eq!(arena.statistics().largest, 0);
    drop(first);
    arena.allocate(4 * MIB).expect("room again");
    drop(rest);
}

#[test]
fn lengths_beyond_all_sense_are_refused() {
    let arena = arena(8 * MIB);
    for len in [9 * MIB, 1 << 40, isize::MAX as usize, usize::MAX] {
        assert!(arena.allocate(len).unwrap_err().is_full());
    }
    assert!(super::arena(0).allocate(1).unwrap_err().is_full());
    assert!(super::arena(GRAIN).allocate(1).unwrap_err().is_full(), "less than a page");
    assert!(super::Arena::new(super::Budget::bytes(u64::MAX)).is_err());
}

#[test]
fn freed_memory_is_used_again() {
    let arena = arena(64 * MIB);
    for len in [64, 800, 256 * KIB, MIB, 20 * MIB] {
        let first = arena.allocate(len).expect("room");
        let (offset, resident) = (first.offset(), arena.statistics().resident);
        drop(first);
        let again = arena.allocate(len).expect("room");
        assert_eq!((again.offset(), arena.statistics().resident), (offset, resident), "{len} bytes");
    }
}

#[test]
fn growing_blocks_reuse_what_their_predecessors_left() {
    let arena = arena(64 * MIB);
    for step in 0..40 {
        drop(arena.allocate(20 * MIB + step * UNIT as usize).expect("room"));
    }
    assert_eq!(arena.statistics().resident, 20 * MIB as u64 + 39 * UNIT);
}

#[test]
fn cached_memory_makes_way_for_other_sizes() {
    let arena = arena(16 * MIB);
    for len in [1, 3 * KIB, 100 * KIB, 5 * MIB, 16 * MIB, 64 * KIB] {
        let count = 12 * MIB / (len + 4 * KIB);
        let blocks: Vec<_> = (0..count.clamp(1, 2000)).map(|_| arena.allocate(len).expect("room")).collect();
        assert!(arena.statistics().resident <= 16 * MIB as u64);
        drop(blocks);
    }
}

#[test]
fn the_largest_that_would_succeed_does() {
    let arena = arena(24 * MIB);
    let mut held = Vec::new();
    for len in [7 * MIB, 100, 5 * KIB, MIB, 130 * KIB, 9 * MIB, 3 * MIB, 2 * MIB, 300 * KIB, 200 * KIB, 50 * KIB, 10 * KIB] {
        if let Ok(block) = arena.allocate(len) {
            held.push(block);
        }
        let largest = arena.statistics().largest as usize;
        assert!(arena.allocate(largest + 1).unwrap_err().is_full(), "{largest} was the largest");
        assert!(largest == 0 || arena.allocate(largest).is_ok(), "{largest} bytes were promised");
    }
}
