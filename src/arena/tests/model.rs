//! The allocator against a list of ranges: nothing overlaps, nothing is lost, and the high water stays near what is alive.

use proptest::prelude::*;

use super::super::allocator::{Allocator, Shortage};
use super::super::classes::LARGEST;
use super::MIB;
use crate::offset::Offset;

const BUDGET: u64 = 64 << 20;
const SPACE: u64 = 4 * BUDGET;

/// Takes, and gives cached memory back where it stands in the way, as `Inner` does.
fn take(allocator: &mut Allocator, len: usize, slot: u32) -> Option<Offset> {
    loop {
        match allocator.take(len, slot) {
            Ok(grant) => return Some(grant.offset),
            Err(Shortage::Bytes(excess)) if excess <= allocator.cached() => {
                let victim = allocator.take_victim(allocator.cached() - excess)?;
                allocator.return_victim(&victim, false);
            }
            Err(Shortage::Room) if allocator.release_empty_slabs() => {}
            Err(_) => return None,
        }
    }
}

fn trim(allocator: &mut Allocator) {
    while let Some(victim) = allocator.take_victim(0) {
        allocator.return_victim(&victim, false);
    }
}

fn len() -> impl Strategy<Value = usize> {
    prop_oneof![0usize..5_000, 5_000usize..400_000, 400_000usize..12_000_000]
}

proptest! {
    #[test]
    fn blocks_never_overlap_and_all_comes_back(steps in prop::collection::vec((len(), any::<prop::sample::Index>(), 0..5u8), 1..300)) {
        let mut allocator = Allocator::new(SPACE, BUDGET, 4096);
        let mut live: Vec<(Offset, usize, u32)> = Vec::new();
        for (slot, (len, pick, action)) in steps.into_iter().enumerate() {
            match action {
                0 if !live.is_empty() => {
                    let (offset, len, _) = live.swap_remove(pick.index(live.len()));
                    allocator.give(offset, len);
                }
                1 => trim(&mut allocator),
                _ => match take(&mut allocator, len, slot as u32) {
                    Some(offset) => {
                        let range = offset.0..offset.0 + Allocator::rounded(len);
                        prop_assert!(range.end <= SPACE);
                        for &(other, other_len, _) in &live {
                            prop_assert!(other.0 + Allocator::rounded(other_len) <= range.start || range.end <= other.0, "overlap");
                        }
                        live.push((offset, len, slot as u32));
                    }
                    // A small size may be out of cells where a larger one has some left, but the promise holds for the size promised.
                    None => {
                        let largest = allocator.largest() as usize;
                        prop_assert!(len <= LARGEST || largest < len, "{} were promised", largest);
                        if largest > 0 {
                            let offset = take(&mut allocator, largest, slot as u32);
                            prop_assert!(offset.is_some(), "{} were promised", largest);
                            offset.into_iter().for_each(|offset| _ = allocator.give(offset, largest));
                        }
                    }
                },
            }
            let tally = allocator.tally();
            prop_assert_eq!(tally.blocks, live.len() as u64);
            prop_assert_eq!(tally.used, live.iter().map(|&(_, len, _)| Allocator::rounded(len)).sum::<u64>());
            prop_assert!(tally.used <= tally.backed - allocator.cached());
            prop_assert!(tally.backed - allocator.cached() <= BUDGET);
            for &(offset, len, slot) in &live {
                prop_assert_eq!(allocator.slot_at(Offset(offset.0 + len.saturating_sub(1) as u64)), Some(slot));
            }
        }
        for (offset, len, _) in live {
            allocator.give(offset, len);
        }
        prop_assert_eq!(allocator.cached(), allocator.tally().backed, "what is not cached is lost");
        trim(&mut allocator);
        prop_assert_eq!((allocator.tally().backed, allocator.tally().used), (0, 0));
        let whole = allocator.take(BUDGET as usize, 0).map(|grant| (grant.offset, grant.fresh));
        prop_assert_eq!(whole, Ok((Offset(0), 0..BUDGET)), "one run again");
    }
}

#[test]
fn high_water_stays_near_what_is_alive() {
    let mut allocator = Allocator::new(64 << 30, 16 << 30, 4096);
    let mut live: Vec<(Offset, usize)> = Vec::new();
    let (mut random, mut bytes, mut high) = (1u64, 0, 0);
    for slot in 0..200_000 {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        // As many blocks of each size from 64 bytes to 64 MiB, by magnitude.
        let len = (64 << ((random >> 40) % 20)) | ((random >> 16) as usize % 64);
        while bytes + len > 1024 * MIB {
            let (offset, len) = live.swap_remove((random >> 24) as usize % live.len());
            allocator.give(offset, len);
            bytes -= len;
        }
        live.push((take(&mut allocator, len, slot).expect("room"), len));
        bytes += len;
        high = high.max(live.last().map_or(0, |(offset, len)| offset.0 + *len as u64));
    }
    assert!(high <= 2 * 1024 * MIB as u64, "{} MiB of addresses for 1024 MiB", high >> 20);
    assert!(allocator.tally().backed <= 2 * 1024 * MIB as u64);
}
