//! The memory between two processes: a ring for each direction, in a memfd that whoever dialled has made.
//!
//! Both may write all of it. It holds packets under way, none of which bring descriptors, and what either has for ends of the other: credit, and
//! messages.

use std::fs::File;
use std::os::fd::OwnedFd;

use memmap2::{MmapOptions, MmapRaw};
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;

use super::numbered::OneOf;
use super::ring::Ring;
use crate::sync::{AtomicU32, AtomicU64};

/// Words of the ring for all packets, and of a shelf.
const WORDS: usize = 1 << 13;
const WORDS_OF_SHELF: usize = 1 << 9;
/// So many ends of one side can have credit at once, and so many a shelf.
pub(super) const WORDS_OF_CREDIT: usize = 64;
pub(super) const SHELVES: usize = 8;

pub(super) type WordOfCredit = OneOf<WORDS_OF_CREDIT>;
pub(super) type ShelfNumber = OneOf<SHELVES>;

/// A ring as it lies in memory. The two sides of each pair of words are written by different processes, so they lie in different lines of
/// the cache.
#[repr(C, align(128))]
struct Circle<const N: usize> {
    written: AtomicU64,
    _line: [u64; 15],
    read: AtomicU64,
    thirst: AtomicU32,
    _other: [u32; 29],
    bell: AtomicU32,
    waker: AtomicU32,
    _third: [u32; 30],
    words: [AtomicU64; N],
}

impl<const N: usize> Circle<N> {
    fn ring(&self) -> Ring<'_> {
        let Circle { written, read, bell, waker, thirst, words, .. } = self;
        Ring { written, read, bell, waker, thirst, words }
    }
}

/// One direction.
#[repr(C, align(128))]
struct Direction {
    packets: Circle<WORDS>,
    /// How many messages the writer's ends may send without asking.
    credit: [AtomicU32; WORDS_OF_CREDIT],
    /// Messages that lie ready for the reader's ends.
    shelves: [Circle<WORDS_OF_SHELF>; SHELVES],
}
#[cfg(not(loom))]
const _: () = assert!(size_of::<Direction>() == 102_016, "the layout is part of the protocol");

const LENGTH: usize = 2 * size_of::<Direction>();

/// The mapped memory.
///
/// Invariant 1: `mapping` has at least `LENGTH` bytes, of a memfd that is sealed against shrinking, and is aligned to pages.
#[derive(Debug)]
pub(super) struct Lane {
    mapping: MmapRaw,
    /// Which direction is this process's to write: 0 for the one that dialled.
    writing: usize,
}

impl Lane {
    /// New memory, and the descriptor for the other side.
    pub(super) fn new() -> Result<(Lane, OwnedFd), Errno> {
        let file = rustix::fs::memfd_create("crossbuf-lane", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        rustix::fs::ftruncate(&file, LENGTH as u64)?;
        rustix::fs::fcntl_add_seals(&file, SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
        let file = File::from(file);
        let lane = Lane::of(&file, 0)?;
        Ok((lane, file.into()))
    }

    /// The memory that the other side has made. Errors with INVAL when it is something else.
    pub(super) fn map(descriptor: OwnedFd) -> Result<Lane, Errno> {
        let seals = rustix::fs::fcntl_get_seals(&descriptor)?;
        let size = rustix::fs::fstat(&descriptor)?.st_size;
        if !seals.contains(SealFlags::SHRINK) || seals.contains(SealFlags::WRITE) || size != LENGTH as i64 {
            return Err(Errno::INVAL);
        }
        Lane::of(&File::from(descriptor), 1)
    }

    fn of(file: &File, writing: usize) -> Result<Lane, Errno> {
        let mapping = MmapOptions::new().len(LENGTH).map_raw(file);
        let mapping = mapping.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::NOMEM))?;
        Ok(Lane { mapping, writing })
    }

    /// For what this process says.
    pub(super) fn outgoing(&self) -> Ring<'_> {
        self.direction(self.writing).packets.ring()
    }

    /// For what it hears.
    pub(super) fn incoming(&self) -> Ring<'_> {
        self.direction(1 - self.writing).packets.ring()
    }

    /// The credit of an end that this process uses.
    pub(super) fn spending(&self, word: WordOfCredit) -> &AtomicU32 {
        &self.direction(self.writing).credit[word.index()]
    }

    /// The credit of an end that it keeps for the other one.
    pub(super) fn granting(&self, word: WordOfCredit) -> &AtomicU32 {
        &self.direction(1 - self.writing).credit[word.index()]
    }

    /// The shelf of an end that it keeps for the other one.
    pub(super) fn filling(&self, shelf: ShelfNumber) -> Ring<'_> {
        self.direction(self.writing).shelves[shelf.index()].ring()
    }

    /// The shelf of an end that this process uses.
    pub(super) fn picking(&self, shelf: ShelfNumber) -> Ring<'_> {
        self.direction(1 - self.writing).shelves[shelf.index()].ring()
    }

    fn direction(&self, number: usize) -> &Direction {
        let start = self.mapping.as_ptr().cast::<Direction>().wrapping_add(number);
        // SAFETY: by invariant 1 both directions lie in the mapping, aligned, and stay mapped as long as `self`. They are atomics all through,
        // for which any bits are valid, and whoever writes them meanwhile, in whatever process, does so atomically or harms the values only.
        unsafe { &*start }
    }
}
