//! Forks: what is pinned, what a child may do with what it inherits, and that it finds no lock held.

use std::sync::Arc;
use std::thread;

use super::foreign::{Ledger, filled, leased, mapped, read};
use super::{MIB, arena, forked, in_a_child};
use crate::arena::{Arena, block_at, find, pin_all};
use crate::error::Error;
use crate::sync::{AtomicBool, Ordering};

#[test]
#[ignore = "alone in a child process: it pins the blocks of all"]
fn child_pins() {
    let (owner, ledger) = (arena(64 * MIB), Arc::new(Ledger::default()));
    assert!(pin_all().is_empty());
    let foreign = mapped(&owner);
    let mut blocks: Vec<_> = (0..3000u32).map(|number| filled(&owner, &number.to_ne_bytes())).collect();
    blocks.truncate(2000); // a thousand slots are vacant
    let lease = leased(&foreign, &blocks[7], &ledger);
    let pins = pin_all();
    assert_eq!(pins.len(), 2001);
    drop((blocks, lease));
    assert_eq!((owner.statistics().blocks, ledger.count()), (2000, (1, 0)));
    assert!(pins.iter().take(2000).all(|pin| read(pin) == pin.index().0.to_ne_bytes()));
    assert_eq!(read(&pins[2000]), 7u32.to_ne_bytes());
    drop((owner, foreign));
    assert_eq!(pin_all().len(), 2001, "blocks keep their arena");
    drop(pins);
    assert_eq!(ledger.count(), (1, 1));
    assert!(pin_all().is_empty());
}

#[test]
fn pins_keep_all_that_is_live() {
    assert!(in_a_child("forks::child_pins").success());
}

#[test]
#[ignore = "alone in a child process: it forks"]
fn child_forks_with_leases() {
    let (owner, ledger) = (arena(8 * MIB), Arc::new(Ledger::default()));
    let foreign = mapped(&owner);
    let block = filled(&owner, b"bytes");
    let lease = leased(&foreign, &block, &ledger);
    let inherited = (lease.clone(), ledger.clone(), foreign.clone());
    let child = forked(move || {
        drop((owner, block, lease, foreign));
        let (lease, ledger, foreign) = inherited;
        assert_eq!(read(&lease), b"bytes");
        assert!(lease.is_inherited() && lease.foreign().is_some() && pin_all().is_empty());
        assert!(block_at(lease.as_ptr().addr(), 1).is_none());
        let refused = foreign.lease(lease.index(), lease.generation(), lease.offset(), 5, Some(ledger.clone())).unwrap_err();
        assert!(matches!(refused, Error::ArenaClosed { .. }));
        // The same memory under the same name, but leased by the child itself.
        let descriptor = foreign.descriptor().try_clone().expect("a duplicate");
        let anew = crate::arena::ForeignArena::map(foreign.id(), descriptor).expect("an arena's descriptor");
        let own = leased(&anew, &lease, &ledger);
        assert!(!own.is_inherited() && block_at(own.as_ptr().addr(), 5).is_some());
        drop((foreign, lease));
        assert_eq!((read(&own), ledger.count(), pin_all().len()), (&b"bytes"[..], (2, 0), 1));
        drop(own);
        assert_eq!(ledger.count(), (2, 1));
    });
    assert_eq!((child, ledger.count()), (0, (1, 1)), "what the child dropped is the child's");
}

#[test]
fn a_forked_child_gives_no_lease_back_but_its_own() {
    assert!(in_a_child("forks::child_forks_with_leases").success());
}

#[test]
#[ignore = "alone in a child process: it forks"]
fn child_forks_amid_changes() {
    const FORKS: usize = 200;
    let over = AtomicBool::new(false);
    let (owner, ledger) = (arena(8 * MIB), Arc::new(Ledger::default()));
    let (block, foreign) = (filled(&owner, b"bytes"), mapped(&owner));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    drop(Arena::shared().expect("an arena"));
                    drop(mapped(&owner));
                    drop(find(owner.id()).expect("live"));
                    drop((leased(&foreign, &block, &ledger), owner.allocate(MIB).expect("room")));
                }
            });
        }
        let fine = (0..FORKS).all(|_| {
            let lease = leased(&foreign, &block, &ledger);
            let pins = pin_all();
            let child = forked(|| {
                assert!(pins.iter().all(|pin| pin.is_inherited() && pin.arena().is_none()));
                assert!(find(owner.id()).is_none() && block_at(block.as_ptr().addr(), 1).is_none());
                drop((lease, pins));
                let own = Arena::shared().and_then(|arena| arena.allocate(5)).expect("an arena of its own");
                assert_eq!(block_at(own.as_ptr().addr(), 5).map(|found| found.arena_id()), Some(own.arena_id()));
            });
            child == 0
        });
        over.store(true, Ordering::Relaxed);
        assert!(fine);
    });
    let (granted, given_back) = ledger.count();
    assert_eq!(granted, given_back);
}

#[test]
fn a_child_forked_amid_changes_finds_no_lock_held() {
    assert!(in_a_child("forks::child_forks_amid_changes").success());
}
