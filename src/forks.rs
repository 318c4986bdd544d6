//! Whether this process is a forked child of the one that made something.
//!
//! A child has a copy of its parent's memory at one moment, in the midst of whatever the parent's other threads were doing. Those threads do
//! not exist in the child: a lock that one of them held stays locked, and what it guards may be half changed. So what was made before
//! a fork is left alone in the child, unless it can be used without any lock. What every process needs anew is made by
//! [`PerProcess`](crate::per_process::PerProcess).

use crate::sync::Ordering;
use crate::sync::of_process::{AtomicBool, AtomicU32};

/// How many forks lie between this process and the first one that asked; at least so many, what counts is that it differs.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// Whether the handler is there. Not a `Once`, which a child forked meanwhile would find half done for ever.
static WATCHED: AtomicBool = AtomicBool::new(false);

/// Threads that come here at once all install the handler, which may therefore count a fork several times.
#[cold]
fn watch() {
    // SAFETY: the handler only adds to an atomic, which is allowed after fork; the function is never unloaded, as nothing in this library
    // can be while a process may fork.
    let status = unsafe { libc::pthread_atfork(None, None, Some(count_fork)) };
    // It fails only for want of memory; the next call tries again.
    if status == 0 {
        WATCHED.store(true, Ordering::Release); // pairs with the Acquire in `Birth::now`: the handler is there
    }
}

extern "C" fn count_fork() {
    FORKS.fetch_add(1, Ordering::Relaxed); // the child has one thread, so there is no partner
}

/// The process in which something was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Birth(u32);

impl Birth {
    pub(crate) fn now() -> Birth {
        // Acquire pairs with the Release in `watch`.
        if !WATCHED.load(Ordering::Acquire) {
            watch();
        }
        Birth(FORKS.load(Ordering::Relaxed))
    }

    #[inline]
    pub(crate) fn was_before_fork(self) -> bool {
        FORKS.load(Ordering::Relaxed) != self.0
    }
}
