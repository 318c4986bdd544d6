//! The code of a copy, shared with the original once the copy is loaded.
//!
//! ```text
//! loaded    copy      [ code, constants | variables ]     all of it this interpreter's
//! after     original  [ code, constants ]                 the system has these pages once, for all interpreters and processes
//!           copy                        [ variables ]
//! ```
//! What nobody may write to is the same in every copy. So it is mapped from the original's file over the copy's, and its pages in the
//! copy are given back: an interpreter pays for NumPy's variables and not for its ten megabytes of code.

use std::ffi::c_void;
use std::fs::File;
use std::ops::Range;

use rustix::fs::FallocateFlags;
use rustix::io::{Errno, Result};
use rustix::mm::{MapFlags, ProtFlags};

use super::elf::Segment;

/// Maps the read-only segments of a library from its original, and gives back what then is not used of the copy.
///
/// # Safety
/// The library is loaded from `copy` with its zero at `zero`; `segments` are its own, and `original` has the same content.
pub(super) unsafe fn share(zero: *mut u8, segments: &[Segment], original: &File, copy: &File) -> Result<()> {
    let (shared, kept): (Vec<&Segment>, Vec<&Segment>) = segments.iter().partition(|segment| can_be_shared(segment, segments));
    for segment in shared {
        let pages = pages(segment.address, segment.size);
        let protection = if segment.executable { ProtFlags::READ | ProtFlags::EXEC } else { ProtFlags::READ };
        let place: *mut c_void = zero.wrapping_add(pages.start as usize).cast();
        let offset = segment.offset - (segment.address - pages.start);
        // SAFETY: the pages are the segment's alone and hold the same bytes after this as before; who reads or runs them sees no difference.
        let mapped = unsafe {
            rustix::mm::mmap(place, (pages.end - pages.start) as usize, protection, MapFlags::PRIVATE | MapFlags::FIXED, original, offset)
        };
        match mapped {
            Ok(_) => {}
            // The original lies where nothing may be run from. The copy is whole, and does without.
            Err(Errno::PERM | Errno::ACCESS) => return Ok(()),
            Err(errno) => return Err(errno),
        }
    }
    give_back(copy, &kept)
}

/// Whether nothing is ever written to its pages, by the linker or by the library.
fn can_be_shared(segment: &Segment, all: &[Segment]) -> bool {
    let own = pages(segment.address, segment.size);
    let alone = |other: &&Segment| {
        let theirs = pages(other.address, other.size);
        theirs.end <= own.start || own.end <= theirs.start
    };
    !segment.writable && segment.size == segment.size_in_file && all.iter().filter(alone).count() == all.len() - 1
}

/// Frees the pages of the copy that none of the segments has in memory.
fn give_back(copy: &File, kept: &[&Segment]) -> Result<()> {
    let mut used: Vec<Range<u64>> = kept.iter().map(|segment| pages(segment.offset, segment.size_in_file)).collect();
    used.sort_by_key(|range| range.start);
    let end = rustix::fs::fstat(copy)?.st_size.unsigned_abs();
    let mut from = 0;
    for range in used.into_iter().chain(std::iter::once(end..end)) {
        if from < range.start {
            rustix::fs::fallocate(copy, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, from, range.start - from)?;
        }
        from = from.max(range.end);
    }
    Ok(())
}

/// The whole pages that hold these bytes.
fn pages(start: u64, size: u64) -> Range<u64> {
    let page = rustix::param::page_size() as u64;
    start / page * page..(start + size).next_multiple_of(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(address: u64, offset: u64, size: u64, writable: bool) -> Segment {
        Segment { address, size, offset, size_in_file: size, writable, executable: false }
    }

    #[test]
    fn only_pages_that_nobody_else_has_are_shared() {
        let code = segment(0x0, 0x0, 0x1800, false);
        assert!(can_be_shared(&code, &[code, segment(0x2800, 0x1800, 0x100, true)]));
        assert!(!can_be_shared(&code, &[code, segment(0x1900, 0x1900, 0x100, true)]));
        let data = segment(0x2800, 0x1800, 0x100, true);
        assert!(!can_be_shared(&data, &[code, data]));
        let longer_in_memory = Segment { size_in_file: 0x100, ..code };
        assert!(!can_be_shared(&longer_in_memory, &[longer_in_memory]));
    }

    #[test]
    fn what_is_used_stays_in_the_copy() {
        use std::io::{Read, Seek, Write};
        use std::os::unix::fs::MetadataExt;

        let mut copy = File::from(rustix::fs::memfd_create("text", rustix::fs::MemfdFlags::CLOEXEC).unwrap());
        copy.write_all(&[7; 10 * 4096]).unwrap();
        give_back(&copy, &[&segment(0x9000, 0x5800, 0x900, true), &segment(0x4000, 0x2000, 0x10, true)]).unwrap();
        assert_eq!(copy.metadata().unwrap().blocks() * 512, 3 * 4096);
        let mut bytes = Vec::new();
        copy.rewind().unwrap();
        copy.read_to_end(&mut bytes).unwrap();
        let kept = |page: usize| bytes[page * 4096..(page + 1) * 4096] == [7; 4096];
        assert_eq!((0..10).filter(|&page| kept(page)).collect::<Vec<_>>(), [2, 5, 6]);
    }
}
