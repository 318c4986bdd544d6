//! Whether this process is a forked child of the one that made something.
//!
//! A child inherits the read-only window and may go on reading. It has no writable window, and the allocator's lock may have been
//! held by a thread that does not exist in it. So an inherited arena must neither allocate nor free.

use std::sync::OnceLock;

use crate::sync::{AtomicU32, Ordering};

/// How many forks lie between this process and the first one that asked.
static FORKS: OnceLock<AtomicU32> = OnceLock::new();

fn forks() -> &'static AtomicU32 {
    FORKS.get_or_init(|| {
        // SAFETY: the handler only adds to an atomic, which is allowed after fork; the function is never unloaded, as nothing in this
        // library can be while a process may fork. It fails only for want of memory, and then forks go unnoticed as they would without it.
        unsafe { libc::pthread_atfork(None, None, Some(count_fork)) };
        AtomicU32::new(0)
    })
}

extern "C" fn count_fork() {
    if let Some(forks) = FORKS.get() {
        forks.fetch_add(1, Ordering::Relaxed); // the child has one thread, so there is no partner
    }
}

/// The process in which something was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Birth(u32);

impl Birth {
    pub(super) fn now() -> Birth {
        Birth(forks().load(Ordering::Relaxed))
    }

    #[inline]
    pub(super) fn was_before_fork(self) -> bool {
        forks().load(Ordering::Relaxed) != self.0
    }
}
