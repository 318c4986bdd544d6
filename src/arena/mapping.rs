//! The memory itself: one sparse memfd and two views of it, and the view of another process's. The core maps no other memory that users see.
//!
//! ```text
//!             memfd, sealed: cannot grow or shrink
//!            /                                    \
//!  writable window                          read-only window
//!  private to the core, gone after fork     all that users ever see; cannot be made writable
//! ```
//!
//! One descriptor is kept, and it is the read-only one: it is what other processes will be handed, and a descriptor which cannot write is
//! harmless wherever it ends up. Giving memory back would need a writable descriptor for `fallocate(PUNCH_HOLE)`, but `MADV_REMOVE` on
//! the writable window does the same without one.

use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::ptr::NonNull;

use memmap2::{Advice, MmapOptions, MmapRaw, UncheckedAdvice};
use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};
use rustix::process::{Resource, getrlimit};

use super::classes::SLAB;
use super::raw::Window;
use crate::error::{Error, Result};
use crate::forks::Birth;
use crate::offset::ArenaId;

/// Bytes behind the blocks, for counterfoils: whole pages, of whatever size pages are.
pub(super) const BEHIND: usize = 64 << 10;
/// The address space of the smallest arena.
const LEAST_SPACE: u64 = 1 << 30;
/// No arena asks for more address space than a process can have twice.
const MOST_SPACE: u64 = 1 << 46;
/// The longest memory of an arena, in bytes.
const MOST_FILE: u64 = MOST_SPACE + BEHIND as u64;

/// A memfd and its two windows.
#[derive(Debug)]
pub(super) struct Mapping {
    read_only: Window,
    /// Not dropped in a forked child: MADV_DONTFORK left nothing there, so the addresses may be someone else's by then.
    writable: ManuallyDrop<Window>,
    descriptor: OwnedFd,
    birth: Birth,
}

impl Mapping {
    /// Maps address space for `budget` bytes, several times over where the limits of the process allow it: free memory can then
    /// be scattered without a large block being refused.
    pub(super) fn new(budget: u64) -> Result<Mapping> {
        let least = budget.checked_next_multiple_of(SLAB as u64).filter(|&least| least <= MOST_SPACE).unwrap_or(u64::MAX);
        let mut space = budget.saturating_mul(4).clamp(LEAST_SPACE, MOST_SPACE).next_multiple_of(SLAB as u64);
        // A file beyond RLIMIT_FSIZE would be answered by a signal, not an error.
        if let Some(limit) = getrlimit(Resource::Fsize).current {
            space = space.min(limit.saturating_sub(BEHIND as u64) / SLAB as u64 * SLAB as u64);
        }
        let file = create()?;
        loop {
            if space < least.max(SLAB as u64) {
                return Err(refused(
                    "mmap",
                    Errno::NOMEM,
                    "an arena needs address space for its budget twice; lower the budget or raise the limits",
                ));
            }
            match Mapping::of(&file, space as usize + BEHIND) {
                Err(Error::System { errno: Errno::NOMEM, .. }) => {
                    space = (space / 2).max(least.min(space - 1)) / SLAB as u64 * SLAB as u64;
                }
                done => return done,
            }
        }
    }

    /// Sizes `file` and maps it.
    fn of(file: &OwnedFd, len: usize) -> Result<Mapping> {
        rustix::fs::ftruncate(file, len as u64).map_err(|errno| refused("ftruncate", errno, "to size the arena's memfd"))?;
        let descriptor = read_only_descriptor(file)?;
        let read_only = window(&descriptor, len, ProtFlags::READ)?;
        let writable = window(file, len, ProtFlags::READ | ProtFlags::WRITE)?;
        let (reservation, _) = writable.reservation();
        reservation.advise(Advice::DontFork).map_err(|error| advice_refused(&error, "so that a forked child cannot write"))?;
        // Core dumps have the bytes once already, from the read-only window.
        reservation.advise(Advice::DontDump).map_err(|error| advice_refused(&error, "to keep core dumps small"))?;
        let seals = SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
        rustix::fs::fcntl_add_seals(file, seals)
            .map_err(|errno| refused("fcntl(F_ADD_SEALS)", errno, "so that the arena's size is final"))?;
        Ok(Mapping { read_only, writable: ManuallyDrop::new(writable), descriptor, birth: Birth::now() })
    }

    /// What users see.
    #[inline]
    pub(super) fn read_only(&self) -> &Window {
        &self.read_only
    }

    /// What only the core sees, and a `Draft` while it is being filled.
    #[inline]
    pub(super) fn writable(&self) -> &Window {
        &self.writable
    }

    /// The descriptor that other processes are handed.
    pub(super) fn descriptor(&self) -> &OwnedFd {
        &self.descriptor
    }

    /// Whether this process inherited the mapping from the one that made it, and thus has no writable window.
    #[inline]
    pub(super) fn is_inherited(&self) -> bool {
        self.birth.was_before_fork()
    }

    /// Gives the memory of `range` back to the system; it reads as zeros then. `range` is made of whole pages which are in no block.
    pub(super) fn punch(&self, range: &Range<u64>) -> std::io::Result<()> {
        let (reservation, skew) = self.writable.reservation();
        let (start, len) = (skew + range.start as usize, (range.end - range.start) as usize);
        // SAFETY: the caller owns these pages (no block has them), so nobody holds a reference into what becomes zeros.
        unsafe { reservation.unchecked_advise_range(UncheckedAdvice::Remove, start, len) }
    }

    /// Backs `range` with memory or says why not, where a plain access would end in SIGBUS.
    pub(super) fn populate(&self, range: &Range<u64>) -> std::io::Result<()> {
        let (reservation, skew) = self.writable.reservation();
        reservation.advise_range(Advice::PopulateWrite, skew + range.start as usize, (range.end - range.start) as usize)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `self` is going and nothing looks at the field afterwards.
        let writable = unsafe { ManuallyDrop::take(&mut self.writable) };
        if self.is_inherited() {
            writable.forget();
        }
    }
}

/// An empty memfd that can be sealed, and that nobody but root can open for writing.
fn create() -> Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = match rustix::fs::memfd_create("crossbuf", flags | MemfdFlags::NOEXEC_SEAL) {
        // Before Linux 6.3.
        Err(Errno::INVAL) => rustix::fs::memfd_create("crossbuf", flags),
        made => made,
    };
    let file = file.map_err(|errno| refused("memfd_create", errno, "to make the arena's memory"))?;
    rustix::fs::fchmod(&file, Mode::RUSR).map_err(|errno| refused("fchmod", errno, "to make the arena's memfd read-only"))?;
    Ok(file)
}

/// The same memory through a description which cannot write, or `file` again where there is no /proc.
fn read_only_descriptor(file: &OwnedFd) -> Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    match rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(descriptor) => Ok(descriptor),
        Err(Errno::NOENT | Errno::ACCESS) => {
            rustix::io::fcntl_dupfd_cloexec(file, 0).map_err(|errno| refused("fcntl(F_DUPFD)", errno, "to keep the arena's memfd"))
        }
        Err(errno) => Err(refused("open", errno, "to reopen the arena's memfd read-only")),
    }
}

/// The read-only window of the arena `id` of another process, which handed out `descriptor`.
///
/// Errors with `BadLayout` unless all that the window relies on is so, and stays so whatever that process does: it cannot shrink the file,
/// and nothing here can write to it.
pub(super) fn foreign_window(id: ArenaId, descriptor: &OwnedFd) -> Result<Window> {
    let bad = |what: String| Error::BadLayout { reason: format!("the descriptor given for the memory of arena {id} {what}") };
    let final_size = SealFlags::SHRINK | SealFlags::GROW;
    let seals = rustix::fs::fcntl_get_seals(descriptor).map_err(|errno| bad(format!("is not of a memfd: fcntl(F_GET_SEALS): {errno}")))?;
    if !seals.contains(final_size) {
        return Err(bad(format!("is of a file with the seals {seals:?}, but its size is final only with {final_size:?}")));
    }
    let mode = rustix::fs::fcntl_getfl(descriptor).map_err(|errno| refused("fcntl(F_GETFL)", errno, "to see that memory is read-only"))?;
    if mode & OFlags::RWMODE != OFlags::RDONLY {
        return Err(bad("can write; arenas hand out read-only ones, for which their process needs /proc".to_owned()));
    }
    let status = rustix::fs::fstat(descriptor).map_err(|errno| refused("fstat", errno, "to learn the size of another process's memory"))?;
    let page = rustix::param::page_size() as u64;
    match u64::try_from(status.st_size) {
        Ok(len) if len > 0 && len <= MOST_FILE && len.is_multiple_of(page) => window(descriptor, len as usize, ProtFlags::READ),
        _ => Err(bad(format!("has {} bytes, but an arena has whole pages of {page} bytes, at most {MOST_FILE} bytes", status.st_size))),
    }
}

/// Maps `len` bytes of `file` at an address which is a multiple of 2 MiB, so that huge pages fit. The file has as many bytes, and is sealed
/// against shrinking before anyone reads.
///
/// The addresses are reserved by a longer mapping, within which the real one is placed. The reservation maps the file as well: an
/// anonymous one would count against RLIMIT_DATA and, without overcommit, as memory.
fn window(file: &OwnedFd, len: usize, protection: ProtFlags) -> Result<Window> {
    let reservation: MmapRaw = MmapOptions::new()
        .len(len + SLAB)
        .map_raw_read_only(file.as_raw_fd())
        .map_err(|error| refused("mmap", errno_of(&error), "to reserve the arena's addresses"))?;
    let skew = (reservation.as_ptr() as usize).wrapping_neg() % SLAB;
    let start = reservation.as_mut_ptr().wrapping_add(skew).cast::<c_void>();
    // SAFETY: `skew < SLAB`, so `start..start + len` lies inside the reservation, which is ours and not yet known to anyone.
    let placed = unsafe { rustix::mm::mmap(start, len, protection, MapFlags::SHARED | MapFlags::FIXED, file.as_fd(), 0) }
        .map_err(|errno| refused("mmap", errno, "to map the arena's memory"))?;
    let base = NonNull::new(placed.cast::<u8>()).ok_or_else(|| refused("mmap", Errno::NOMEM, "to map the arena's memory"))?;
    // SAFETY: 1: mapped just now inside `reservation`, which moves into the window. 2: the caller knows the size, and that the file is
    // sealed in time. 3: memmap2 refuses lengths above `isize::MAX`; the alignment is `skew`'s purpose.
    Ok(unsafe { Window::new(base, len, reservation) })
}

fn refused(call: &'static str, errno: Errno, purpose: &'static str) -> Error {
    Error::System { call, errno, purpose }
}

fn advice_refused(error: &std::io::Error, purpose: &'static str) -> Error {
    refused("madvise", errno_of(error), purpose)
}

/// The number in an error of memmap2.
pub(super) fn errno_of(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::INVAL)
}
