//! Memory of other processes, played by arenas of this one: who is let in, what is seen, and that each lease goes back once.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags};
use rustix::io::Errno;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags};

use super::{KIB, MIB, arena, in_a_child};
use crate::arena::{Arena, Block, ForeignArena, Lessor, block_at};
use crate::array::{ArrayMeta, Order};
use crate::buffer::Array;
use crate::error::{Error, Result};
use crate::offset::{ArenaId, BlockIndex, Generation, Offset};

const ID: ArenaId = ArenaId(7);

/// The owner's side: for each leased block, its leases and a reference.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    leases: HashMap<(BlockIndex, Generation), (u32, Block)>,
    granted: u64,
    given_back: u64,
}

impl Ledger {
    pub(super) fn grant(&self, block: &Block) {
        let mut pages = self.0.lock().expect("no panic");
        pages.granted += 1;
        pages.leases.entry((block.index(), block.generation())).or_insert_with(|| (0, block.clone())).0 += 1;
    }

    /// Leases granted, and given back.
    pub(super) fn count(&self) -> (u64, u64) {
        let pages = self.0.lock().expect("no panic");
        (pages.granted, pages.given_back)
    }
}

impl Lessor for Ledger {
    fn give_back(&self, arena: ArenaId, block: BlockIndex, generation: Generation, count: u32) {
        assert_eq!(arena, ID);
        let mut pages = self.0.lock().expect("no panic");
        pages.given_back += u64::from(count);
        let (leases, _) = pages.leases.get_mut(&(block, generation)).expect("a lease that was granted and not yet given back");
        *leases = leases.checked_sub(count).expect("a lease is given back once");
        if *leases == 0 {
            pages.leases.remove(&(block, generation));
        }
    }
}

pub(super) fn mapped(owner: &Arena) -> Arc<ForeignArena> {
    let descriptor = rustix::io::fcntl_dupfd_cloexec(owner.descriptor(), 0).expect("a duplicate");
    ForeignArena::map(ID, descriptor).expect("an arena's descriptor")
}

pub(super) fn leased(foreign: &Arc<ForeignArena>, block: &Block, ledger: &Arc<Ledger>) -> Block {
    ledger.grant(block);
    foreign.lease(block.index(), block.generation(), block.offset(), block.len(), Some(ledger.clone())).expect("a block in the window")
}

pub(super) fn filled(arena: &Arena, bytes: &[u8]) -> Block {
    let block = arena.allocate(bytes.len()).expect("room");
    // SAFETY: the block is the caller's, and as long.
    unsafe { block.writable_ptr().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    block
}

pub(super) fn read(block: &Block) -> &[u8] {
    // SAFETY: the tests write to no block that they read in this way.
    unsafe { std::slice::from_raw_parts(block.as_ptr(), block.len()) }
}

#[test]
fn leased_blocks_show_their_owners_bytes_elsewhere() {
    let (owner, ledger) = (arena(16 * MIB), Arc::new(Ledger::default()));
    let foreign = mapped(&owner);
    for len in [0, 5, 70 * KIB, 3 * MIB] {
        let block = filled(&owner, &vec![len as u8 | 1; len]);
        let lease = leased(&foreign, &block, &ledger);
        assert_eq!(read(&lease), read(&block));
        assert_ne!(lease.as_ptr(), block.as_ptr());
        assert_eq!(lease.as_ptr().addr() % (2 * MIB), block.as_ptr().addr() % (2 * MIB), "huge pages fit");
        let name = |block: &Block| (block.index(), block.generation(), block.offset(), block.len());
        assert_eq!((name(&lease), format!("{lease:?}")), (name(&block), format!("{block:?}")));
        assert_eq!((lease.arena_id(), foreign.id()), (ID, ID));
        assert!(lease.arena().is_none() && block.arena().is_some());
        assert!(block.foreign().is_none() && block.lessor().is_none() && lease.lessor().is_some());
        assert!(lease.foreign().is_some_and(|arena| Arc::ptr_eq(arena, &foreign)));
        assert!(!lease.is_inherited() && !block.is_inherited());
    }
    assert_eq!(ledger.count(), (4, 4));
}

#[test]
fn a_lease_lasts_until_its_last_reference_and_keeps_the_mapping() {
    let (owner, ledger) = (arena(8 * MIB), Arc::new(Ledger::default()));
    let foreign = mapped(&owner);
    let block = filled(&owner, b"bytes");
    let lease = leased(&foreign, &block, &ledger);
    drop((block, foreign, owner));
    let clone = lease.clone();
    drop(lease);
    assert_eq!((read(&clone), ledger.count()), (&b"bytes"[..], (1, 0)));
    drop(clone);
    assert_eq!(ledger.count(), (1, 1));
}

#[test]
fn a_block_has_one_lease_here_and_those_too_many_go_back_at_once() {
    let (owner, ledger) = (arena(8 * MIB), Arc::new(Ledger::default()));
    let foreign = mapped(&owner);
    let block = filled(&owner, b"bytes");
    let first = leased(&foreign, &block, &ledger);
    let second = leased(&foreign, &block, &ledger);
    assert_eq!(ledger.count(), (2, 1));
    drop(first);
    assert_eq!((read(&second), ledger.count()), (&b"bytes"[..], (2, 1)));
    drop(second);
    let again = leased(&foreign, &block, &ledger);
    assert_eq!(ledger.count(), (3, 2));
    drop(again);
    assert_eq!(ledger.count(), (3, 3));
}

#[test]
fn the_memory_of_a_dead_owner_has_no_lessor() {
    let owner = arena(8 * MIB);
    let foreign = mapped(&owner);
    let block = filled(&owner, b"bytes");
    let (index, generation, offset) = (block.index(), block.generation(), block.offset());
    std::mem::forget(block); // as the dead do
    drop(owner);
    let lease = foreign.lease(index, generation, offset, 5, None).expect("in the window");
    assert!(lease.lessor().is_none());
    assert_eq!(read(&lease), b"bytes");
}

#[test]
fn what_lies_outside_of_the_window_is_refused_and_given_back() {
    let (owner, ledger) = (arena(8 * MIB), Arc::new(Ledger::default()));
    let foreign = mapped(&owner);
    let block = filled(&owner, b"bytes");
    let end = rustix::fs::fstat(owner.descriptor()).expect("a status").st_size as u64;
    let lease = |offset, len| {
        ledger.grant(&block);
        foreign.lease(block.index(), block.generation(), Offset(offset), len, Some(ledger.clone()))
    };
    for (offset, len) in [(end, 1), (end - 1, 2), (0, end as usize + 1), (1, usize::MAX), (u64::MAX, 1), (u64::MAX, usize::MAX)] {
        let refused = lease(offset, len).unwrap_err();
        assert!(matches!(&refused, Error::BadHandle { reason } if reason.contains(&len.to_string())), "{refused}");
    }
    assert!(lease(end, 0).is_ok() && lease(0, end as usize).is_ok());
    assert_eq!(ledger.count(), (8, 8));
}

#[test]
fn nobody_here_can_write() {
    let (owner, ledger) = (arena(8 * MIB), Arc::new(Ledger::default()));
    let foreign = mapped(&owner);
    let lease = leased(&foreign, &filled(&owner, &[1; 3 * MIB]), &ledger);
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping at an address of the system's choice touches nothing else.
    let mapped = unsafe { rustix::mm::mmap(std::ptr::null_mut(), 4096, protection, MapFlags::SHARED, foreign.descriptor(), 0) };
    assert_eq!(mapped.err(), Some(Errno::ACCESS));
    // SAFETY: if it succeeded, nothing would change for those who only read.
    let changed = unsafe { rustix::mm::mprotect(lease.as_ptr().cast_mut().cast(), 4096, MprotectFlags::READ | MprotectFlags::WRITE) };
    assert_eq!(changed, Err(Errno::ACCESS));
}

#[test]
#[should_panic(expected = "leased from another process")]
fn a_leased_block_has_no_writable_address() {
    let owner = arena(8 * MIB);
    leased(&mapped(&owner), &filled(&owner, b"bytes"), &Arc::new(Ledger::default())).writable_ptr();
}

/// A memfd of so many bytes with these seals, as an arena hands it out.
fn memfd(len: u64, seals: SealFlags) -> (OwnedFd, OwnedFd) {
    let file = rustix::fs::memfd_create("other", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).expect("a memfd");
    rustix::fs::ftruncate(&file, len).expect("a size");
    rustix::fs::fcntl_add_seals(&file, seals).expect("seals");
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
    (rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).expect("reopened"), file)
}

#[test]
fn only_sealed_whole_read_only_memfds_are_mapped() {
    fn refused(descriptor: OwnedFd, what: &str) {
        match ForeignArena::map(ID, descriptor) {
            Err(Error::BadLayout { reason }) => assert!(reason.contains(what), "{reason}"),
            other => panic!("{what}: {other:?}"),
        }
    }
    let seals = SealFlags::SHRINK | SealFlags::GROW;
    refused(std::fs::File::open("/proc/self/exe").expect("a file").into(), "F_GET_SEALS");
    refused(std::io::pipe().expect("a pipe").0.into(), "F_GET_SEALS");
    refused(memfd(4096, SealFlags::empty()).0, "SHRINK | GROW");
    refused(memfd(4096, SealFlags::SHRINK).0, "SealFlags(SHRINK)");
    refused(memfd(4096, SealFlags::GROW).0, "SealFlags(GROW)");
    refused(memfd(4096, seals).1, "can write");
    refused(memfd(0, seals).0, "0 bytes");
    refused(memfd(5000, seals).0, "5000 bytes");
    refused(memfd((1 << 46) + (64 << 10) + 4096, seals).0, "70368744247296 bytes");
    let page = rustix::param::page_size();
    let foreign = ForeignArena::map(ID, memfd(page as u64, seals).0).expect("one page");
    let lease = foreign.lease(BlockIndex(0), Generation(1), Offset(0), page, None).expect("all of it");
    assert_eq!(read(&lease), vec![0; page]);
}

#[test]
#[ignore = "alone in a child process: it limits the address space"]
fn child_has_no_room_for_foreign_memory() {
    let owner = arena(8 * MIB);
    let limit = rustix::process::Rlimit { current: Some(1 << 30), maximum: Some(1 << 30) };
    rustix::process::setrlimit(rustix::process::Resource::As, limit).expect("a limit");
    let descriptor = rustix::io::fcntl_dupfd_cloexec(owner.descriptor(), 0).expect("a duplicate");
    let refused = ForeignArena::map(ID, descriptor).unwrap_err();
    assert!(matches!(refused, Error::System { call: "mmap", errno: Errno::NOMEM, .. }), "{refused}");
}

#[test]
fn a_limit_of_address_space_refuses_foreign_memory() {
    assert!(in_a_child("foreign::child_has_no_room_for_foreign_memory").success());
}

#[test]
fn addresses_lead_to_the_lease_which_has_all_of_them() {
    let (owner, ledger) = (arena(16 * MIB), Arc::new(Ledger::default()));
    let foreign = mapped(&owner);
    let blocks: Vec<Block> = [1, 100, 5000, MIB].map(|len| filled(&owner, &vec![1; len])).into();
    let leases: Vec<Block> = blocks.iter().map(|block| leased(&foreign, block, &ledger)).collect();
    for (lease, block) in leases.into_iter().zip(&blocks) {
        let (start, len) = (lease.as_ptr().addr(), lease.len());
        let found = |address, len| block_at(address, len).map(|found| (found.arena_id(), found.index()));
        assert_eq!(found(start, len), Some((ID, block.index())));
        assert_eq!(found(start + len - 1, 1), Some((ID, block.index())));
        assert_eq!(found(start, len + 1), None, "one byte too many");
        assert_eq!(found(start, usize::MAX), None);
        assert_eq!(found(block.as_ptr().addr(), 1), Some((owner.id(), block.index())), "the owner's own window");
        let kept = block_at(start, len).expect("leased");
        drop(lease);
        assert_eq!(found(start, len), Some((ID, block.index())), "kept by what was found");
        drop(kept);
        assert_eq!(found(start, 1), None, "given back");
    }
    assert_eq!(ledger.count(), (4, 4));
}

#[test]
fn arrays_lie_on_leased_blocks_as_on_others() -> Result<()> {
    let (owner, ledger) = (arena(8 * MIB), Arc::new(Ledger::default()));
    let foreign = mapped(&owner);
    let lease = leased(&foreign, &filled(&owner, bytemuck::bytes_of(&[1i32, 2, 3, 4])), &ledger);
    let meta = |len| ArrayMeta::contiguous("<i4".parse()?, &[len], Order::C);
    assert!(Array::assemble(lease.clone(), 8, meta(3)?).is_none(), "beyond the block");
    let array = Array::assemble(lease, 8, meta(2)?).expect("in the block");
    assert_eq!((array.as_slice::<i32>()?, array.offset(), array.arena().is_none()), (&[3, 4][..], 8, true));
    let again = Array::at_address(array.address(), meta(2)?.into()).expect("the same block");
    assert_eq!((again.block().arena_id(), again.offset(), again.equals(&array)), (ID, 8, true));
    drop(array);
    assert_eq!(ledger.count(), (1, 0));
    drop(again);
    assert_eq!(ledger.count(), (1, 1));
    Ok(())
}

#[test]
fn threads_lease_and_give_back() {
    const THREADS: u64 = 4;
    const ROUNDS: u64 = 20_000;
    let (owner, ledger) = (arena(64 * MIB), Arc::new(Ledger::default()));
    let foreign = mapped(&owner);
    let common: Vec<Block> = (0..3u64).map(|number| filled(&owner, &number.to_ne_bytes())).collect();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (owner, foreign, ledger, common) = (&owner, &foreign, &ledger, &common);
            scope.spawn(move || {
                let mut held = std::collections::VecDeque::new();
                for round in 0..ROUNDS {
                    // A block that others lease and drop at the same time, and one whose place was another block's a moment ago.
                    let shared = leased(foreign, &common[(round % 3) as usize], ledger);
                    assert_eq!(read(&shared), (round % 3).to_ne_bytes());
                    assert!(block_at(shared.as_ptr().addr(), 8).is_some());
                    let mark = (thread << 32 | round).to_ne_bytes();
                    let fleeting = leased(foreign, &filled(owner, &mark), ledger);
                    let found = block_at(fleeting.as_ptr().addr(), 8).expect("leased");
                    assert_eq!((found.index(), found.generation()), (fleeting.index(), fleeting.generation()));
                    assert_eq!(read(&found), mark);
                    held.push_back((shared, found));
                    while held.len() > (round % 5) as usize {
                        held.pop_front();
                    }
                }
            });
        }
    });
    assert_eq!(ledger.count(), (2 * THREADS * ROUNDS, 2 * THREADS * ROUNDS));
    drop(common);
    assert_eq!(owner.statistics().blocks, 0);
}
