//! A copy of a library that has no name in any folder, and so leaves nothing behind, however the process ends.
//!
//! ```text
//! /proc/self/fd/.//././5       number 11 (1011, lowest bit first: "./" is 1, "/" is 0), descriptor 5
//! ```
//! The dynamic linker takes two libraries of the same name for one, also when the first one's descriptor was closed and its number used
//! again. So each copy is opened by a name that no other had: a number that counts up, written in path components that lead nowhere.

use std::fs::File;
use std::io::{self, Seek};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::MemfdFlags;
use rustix::io::Errno;

use crate::sync::{AtomicU64, Ordering};

static COPIES: AtomicU64 = AtomicU64::new(1);

/// A memory file.
pub(super) struct Copy {
    pub(super) file: File,
    pub(super) bytes: u64,
}

impl Copy {
    /// `path` is the original's.
    pub(super) fn new(mut original: &File, path: &Path) -> io::Result<Copy> {
        let mut file = File::from(memory_file(path)?);
        original.rewind()?;
        // The kernel copies, where it can.
        let bytes = io::copy(&mut original, &mut file)?;
        Ok(Copy { file, bytes })
    }

    /// A path that opens it as long as this lives, never the same again.
    pub(super) fn path(&self) -> String {
        let number = COPIES.fetch_add(1, Ordering::Relaxed);
        let detour: String = (0..u64::BITS - number.leading_zeros()).map(|bit| if number >> bit & 1 == 1 { "./" } else { "/" }).collect();
        format!("/proc/self/fd/{detour}{}", self.file.as_raw_fd())
    }
}

/// Named as the original, for those who look at the process's mappings.
fn memory_file(original: &Path) -> io::Result<OwnedFd> {
    // The system takes names of up to 249 bytes.
    let name: String = original.file_name().unwrap_or_default().to_string_lossy().chars().take(60).collect();
    let flags = MemfdFlags::CLOEXEC;
    match rustix::fs::memfd_create(&*name, flags | MemfdFlags::EXEC) {
        // Linux before 6.3 has no such flag, and makes all of them executable.
        Err(Errno::INVAL) => Ok(rustix::fs::memfd_create(&*name, flags)?),
        made => Ok(made?),
    }
}
