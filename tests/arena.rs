//! Arenas as users of the library see them: through drafts and arrays.

use crossbuf::array::Order;
use crossbuf::{Arena, Array, ArrayMeta, Budget, Error};

const MIB: usize = 1 << 20;

fn arena(budget: usize) -> Arena {
    Arena::new(Budget::bytes(budget as u64)).expect("an arena")
}

fn bytes(len: usize) -> ArrayMeta {
    ArrayMeta::contiguous("|u1".parse().expect("a dtype"), &[len], Order::C).expect("a layout")
}

/// An array of `len` bytes, each `value`.
fn filled(arena: &Arena, len: usize, value: u8) -> Result<Array, Error> {
    let mut draft = arena.draft(bytes(len))?;
    draft.bytes_mut().fill(value);
    Ok(draft.freeze())
}

#[test]
fn arrays_come_and_go() {
    let arena = arena(64 * MIB);
    let arrays: Vec<Array> = (0..100).map(|value| filled(&arena, 1 + value * 7919, value as u8).expect("room")).collect();
    for (value, array) in arrays.iter().enumerate() {
        assert!(array.bytes().expect("contiguous").iter().all(|&byte| byte == value as u8));
        assert_eq!(array.address() % 64, 0);
    }
    assert_eq!(arena.statistics().blocks, 100);
    drop(arrays);
    let statistics = arena.statistics();
    assert_eq!((statistics.blocks, statistics.used, statistics.allocations), (0, 0, 100));
    assert!(statistics.peak >= (0..100).map(|value| 1 + value * 7919).sum::<u64>());
}

#[test]
fn a_full_arena_is_an_error_with_figures_and_stays_usable() {
    let arena = arena(8 * MIB);
    let held = filled(&arena, 6 * MIB, 1).expect("room");
    let error = filled(&arena, 3 * MIB, 2).unwrap_err();
    assert_eq!(error, Error::ArenaFull { asked: 3 << 20, used: 6 << 20, budget: 8 << 20, largest: 2 << 20 });
    assert!(error.is_full() && error.to_string().contains("release arrays, or take an arena of a larger budget"));
    assert!(held.bytes().expect("contiguous").iter().all(|&byte| byte == 1));
    filled(&arena, 2 * MIB, 3).expect("the largest it promised");
    drop(held);
    filled(&arena, 8 * MIB, 4).expect("all of it");
}

#[test]
fn memory_is_recycled_and_given_back_on_demand() {
    let arena = arena(256 * MIB);
    let first = filled(&arena, 40 * MIB, 1).expect("room").address();
    assert_eq!(filled(&arena, 40 * MIB, 2).expect("room").address(), first);
    assert_eq!(arena.statistics().resident, 40 << 20);
    assert_eq!(arena.trim(), 40 << 20);
    assert_eq!((arena.statistics().resident, arena.trim()), (0, 0));
}

#[test]
fn what_is_copied_in_is_counted() {
    let arena = arena(8 * MIB);
    let array = arena.share(bytes(5), b"bytes").expect("room");
    assert_eq!(array.bytes().expect("contiguous"), b"bytes");
    assert_eq!(arena.statistics().copied, 5);
}

#[test]
fn arrays_outlive_their_arena_and_closing() {
    let arena = arena(8 * MIB);
    let array = filled(&arena, 1000, 9).expect("room");
    arena.close();
    assert_eq!(filled(&arena, 1, 0).unwrap_err(), Error::ArenaClosed { arena: arena.id() });
    drop(arena);
    assert_eq!(array.bytes().expect("contiguous"), [9; 1000]);
    assert_eq!(array.arena().expect("this process's").statistics().blocks, 1);
}

#[test]
fn threads_share_one_arena() {
    let arena = arena(64 * MIB);
    std::thread::scope(|scope| {
        for thread in 0..4u8 {
            let arena = &arena;
            scope.spawn(move || {
                let mut held: Vec<Array> = Vec::new();
                for round in 0..2000usize {
                    held.push(filled(arena, 1 + round * 37 % 9000, thread).expect("room"));
                    if held.len() > 20 {
                        let array = held.swap_remove(round % held.len());
                        assert!(array.clone().bytes().expect("contiguous").iter().all(|&byte| byte == thread));
                    }
                }
            });
        }
    });
    assert_eq!((arena.statistics().blocks, arena.statistics().allocations), (0, 8000));
}

#[test]
fn the_shared_arena_is_one_until_it_is_closed() {
    let first = Arena::shared().expect("an arena");
    assert_eq!(Arena::shared().expect("the same").id(), first.id());
    first.close();
    assert_ne!(Arena::shared().expect("another").id(), first.id());
}
