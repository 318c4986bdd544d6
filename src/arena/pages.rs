//! Pages for fresh memory, and their return.
//!
//! Fresh memory costs most of the time of a first copy: a fault for each 4 KiB. So blocks of 2 MiB and more get huge pages on purpose:
//! one page of each chunk is touched, then `MADV_COLLAPSE` makes the chunk one huge page, in one go for the whole range. It works
//! whatever `shmem_enabled` says, and readers fault once per 2 MiB as well. Where the kernel cannot, all works with small pages.
//!
//! A memfd is charged page by page. With strict overcommit (`vm.overcommit_memory` = 2) a charge may be refused, which an access would
//! learn by SIGBUS; there all fresh memory is populated by `MADV_POPULATE_WRITE` first, which returns an error. It is not used
//! elsewhere: it is slower than faulting.

use std::ops::Range;

use super::classes::SLAB;
use super::mapping::{Mapping, errno_of};
use crate::error::{Error, Result};
use crate::offset::Offset;

/// How fresh memory of one arena gets its pages.
#[derive(Debug)]
pub(super) struct Pages {
    /// Whether the kernel knows MADV_COLLAPSE.
    collapses: bool,
    /// Whether the kernel may refuse memory which lies within the budget.
    strict: bool,
}

impl Pages {
    pub(super) fn new(mapping: &Mapping) -> Pages {
        let start = mapping.writable().at(Offset(0));
        // SAFETY: an advice about no bytes changes none; it only fails when the kernel does not know it.
        let collapses = unsafe { libc::madvise(start.cast(), 0, libc::MADV_COLLAPSE) } == 0;
        let mode = std::fs::read_to_string("/proc/sys/vm/overcommit_memory");
        Pages { collapses, strict: mode.is_ok_and(|mode| mode.trim() == "2") }
    }

    /// Prepares the fresh memory of a block that nobody else knows yet.
    pub(super) fn prepare(&self, mapping: &Mapping, block: &Range<u64>, fresh: &Range<u64>) -> Result<()> {
        if self.strict {
            let refused = |error: std::io::Error| Error::System {
                call: "madvise(MADV_POPULATE_WRITE)",
                errno: errno_of(&error),
                purpose: "to get memory for a block; the machine has none left, so release arrays or lower the budget",
            };
            return mapping.populate(fresh).map_err(refused);
        }
        let chunk = SLAB as u64;
        let first = (fresh.start / chunk * chunk).max(block.start.next_multiple_of(chunk));
        let last = fresh.end.next_multiple_of(chunk).min(block.end / chunk * chunk);
        if first < last && self.collapses {
            collapse(mapping, &(first..last));
        }
        Ok(())
    }

    /// Gives the memory of free pages back to the system.
    pub(super) fn punch(&self, mapping: &Mapping, range: &Range<u64>) -> Result<()> {
        mapping.punch(range).map_err(|error| Error::System {
            call: "madvise(MADV_REMOVE)",
            errno: errno_of(&error),
            purpose: "to give free memory back to the system",
        })
    }
}

/// Makes huge pages of whole chunks, as far as the kernel has any to give; small ones do where it has not.
fn collapse(mapping: &Mapping, chunks: &Range<u64>) {
    for chunk in chunks.clone().step_by(SLAB) {
        let first = mapping.writable().at(Offset(chunk));
        // SAFETY: the byte lies in the writable window, in a block that nobody else knows yet.
        unsafe { first.write_volatile(0) };
    }
    let start = mapping.writable().at(Offset(chunks.start));
    // SAFETY: the chunks lie in the writable window; collapsing changes neither addresses nor bytes.
    unsafe { libc::madvise(start.cast(), (chunks.end - chunks.start) as usize, libc::MADV_COLLAPSE) };
}
