//! What the system sees: descriptors, mappings, pages, protection.

use std::fs;

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags};

use super::{MIB, arena, forked, in_a_child};
use crate::arena::{Arena, Budget};

/// Descriptors and lines in the list of mappings which are arenas'.
fn footprint() -> (usize, usize) {
    let descriptors = fs::read_dir("/proc/self/fd").expect("a list").filter_map(Result::ok);
    let descriptors = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok()).filter(|path| is_ours(&path.to_string_lossy()));
    let maps = fs::read_to_string("/proc/self/maps").expect("a list");
    (descriptors.count(), maps.lines().filter(|line| is_ours(line)).count())
}

fn is_ours(name: &str) -> bool {
    name.contains("memfd:crossbuf")
}

#[test]
#[ignore = "alone in a child process: it counts what all arenas have"]
fn child_counts_descriptors_and_mappings() {
    assert_eq!(footprint(), (0, 0));
    let arena = arena(256 * MIB);
    let before = footprint();
    assert_eq!(before.0, 1);
    let blocks: Vec<_> = (0..10_000).map(|number| arena.allocate(number * 7 % 20_000).expect("room")).collect();
    let large = arena.allocate(40 * MIB).expect("room");
    assert_eq!(footprint(), before);
    drop((blocks, large));
    arena.trim();
    assert_eq!(footprint(), before);
    drop(arena);
    assert_eq!(footprint(), (0, 0));
}

#[test]
fn ten_thousand_blocks_need_one_descriptor_and_two_mappings() {
    assert!(in_a_child("memory::child_counts_descriptors_and_mappings").success());
}

#[test]
fn the_read_only_window_cannot_be_made_writable() {
    let arena = arena(8 * MIB);
    let block = arena.allocate(2 * MIB).expect("room");
    let address = block.as_ptr().cast_mut().cast();
    // SAFETY: if it succeeded, nothing would change for those who only read.
    let changed = unsafe { rustix::mm::mprotect(address, 4096, MprotectFlags::READ | MprotectFlags::WRITE) };
    assert_eq!(changed, Err(rustix::io::Errno::ACCESS));
}

#[test]
fn the_descriptor_that_is_kept_cannot_write() {
    let arena = arena(8 * MIB);
    let descriptor = arena.inner().mapping().descriptor();
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping at an address of the system's choice touches nothing else.
    let mapped = unsafe { rustix::mm::mmap(std::ptr::null_mut(), 4096, protection, MapFlags::SHARED, descriptor, 0) };
    assert_eq!(mapped.err(), Some(rustix::io::Errno::ACCESS));
    assert_eq!(rustix::io::pwrite(descriptor, b"x", 0), Err(rustix::io::Errno::BADF));
    assert_eq!(rustix::fs::ftruncate(descriptor, 0), Err(rustix::io::Errno::INVAL));
}

/// Bytes of the memfd that have pages, as the system says.
fn backed(arena: &Arena) -> u64 {
    rustix::fs::fstat(arena.inner().mapping().descriptor()).expect("a status").st_blocks as u64 * 512
}

#[test]
fn memory_is_touched_late_and_given_back() {
    let arena = arena(256 * MIB);
    assert_eq!((arena.statistics().resident, backed(&arena)), (0, 0));
    let block = arena.allocate(100 * MIB).expect("room");
    // SAFETY: the block is this test's.
    unsafe { block.writable_ptr().write_bytes(7, block.len()) };
    assert_eq!(arena.statistics().resident, 100 << 20);
    assert_eq!(backed(&arena), 100 << 20);
    assert_eq!(arena.trim(), 0, "nothing is free");
    drop(block);
    // The watermark is 64 MiB.
    assert_eq!(arena.statistics().resident, 64 << 20);
    assert_eq!(backed(&arena), 64 << 20);
    assert_eq!(arena.trim(), 64 << 20);
    assert_eq!((arena.statistics().resident, backed(&arena)), (0, 0));
    let fresh = arena.allocate(4 * MIB).expect("room");
    // SAFETY: the block is this test's, and nobody writes.
    let bytes = unsafe { std::slice::from_raw_parts(fresh.as_ptr(), fresh.len()) };
    assert_eq!(bytes[3 * MIB], 0, "its pages went");
}

#[test]
fn small_blocks_are_counted_by_their_pages_and_given_back() {
    let arena = arena(64 * MIB);
    let blocks: Vec<_> = (0..3000).map(|_| arena.allocate(1000).expect("room")).collect();
    for block in &blocks {
        // SAFETY: the block is this test's.
        unsafe { block.writable_ptr().write_bytes(7, block.len()) };
    }
    assert_eq!(arena.statistics().resident, backed(&arena));
    drop(blocks);
    arena.trim();
    assert_eq!((arena.statistics().resident, backed(&arena)), (0, 0));
}

#[test]
#[ignore = "alone in a child process: it limits the address space"]
fn child_gets_an_arena_in_little_address_space() {
    let space: u64 = 2 << 30;
    let limit = rustix::process::Rlimit { current: Some(space), maximum: Some(space) };
    rustix::process::setrlimit(rustix::process::Resource::As, limit).expect("a limit");
    let arena = Arena::new(Budget::bytes(500 << 20)).expect("four times the budget do not fit, but once does");
    let block = arena.allocate(500 * MIB).expect("all of the budget");
    assert_eq!(block.len(), 500 * MIB);
    let refused = Arena::new(Budget::bytes(4 << 30)).unwrap_err();
    assert!(matches!(refused, crate::Error::System { call: "mmap", .. }), "{refused}");
}

#[test]
fn a_limit_of_address_space_makes_arenas_smaller() {
    assert!(in_a_child("memory::child_gets_an_arena_in_little_address_space").success());
}

#[test]
#[ignore = "alone in a child process: it limits the size of files"]
fn child_gets_an_arena_in_little_file_size() {
    let limit = rustix::process::Rlimit { current: Some(100 << 20), maximum: Some(100 << 20) };
    rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).expect("a limit");
    Arena::new(Budget::bytes(64 << 20)).expect("fits").allocate(64 * MIB).expect("all of the budget");
    Arena::new(Budget::bytes(128 << 20)).expect_err("an error, not SIGXFSZ");
}

#[test]
fn a_limit_of_file_size_makes_arenas_smaller() {
    assert!(in_a_child("memory::child_gets_an_arena_in_little_file_size").success());
}

#[test]
#[ignore = "alone in a child process: it forks"]
fn child_forks_and_reads_on() {
    let arena = Arena::shared().expect("an arena");
    let block = arena.allocate(5).expect("room");
    // SAFETY: the block is this test's.
    unsafe { block.writable_ptr().copy_from_nonoverlapping(b"bytes".as_ptr(), 5) };
    let clones = (block.clone(), arena.clone());
    let child = forked(move || {
        let (block, arena) = clones;
        // SAFETY: the read-only window is inherited.
        assert_eq!(unsafe { std::slice::from_raw_parts(block.as_ptr(), 5) }, b"bytes");
        assert!(arena.is_closed() && arena.allocate(1).is_err());
        assert!(block.is_inherited() && block.arena().is_none());
        drop((block, arena));
        Arena::shared().and_then(|arena| arena.allocate(3 * MIB)).expect("an arena of its own");
    });
    assert_eq!(child, 0);
    assert!(!arena.is_closed());
    assert_eq!(arena.statistics().blocks, 1, "what the child dropped is the child's");
}

#[test]
fn a_forked_child_reads_on_and_has_its_own_arena() {
    assert!(in_a_child("memory::child_forks_and_reads_on").success());
}
