//! Whether this process is a forked child of the one that made something, and how its locks come through a fork.
//!
//! A child inherits the read-only windows and may go on reading. It has no writable window, and it has but one thread: the one that
//! forked. Locks which other threads held at that moment stay held in it for ever. So there are two kinds of them:
//!
//! * A lock of *one arena* is never taken where [`Birth`] says that the arena is inherited: such an arena neither allocates nor frees.
//! * The locks of the *registry* are everybody's, and a child needs them for arenas of its own. The thread that forks takes them before,
//!   so that no other thread is half way through a change, and gives them back after, in the parent and in the child.
//!
//! ```text
//! fork --before_fork: take the registry's locks--> the system's fork --+--> after_fork: give them back         (parent, or refused)
//!                                                                      +--> in_child: count, give them back    (child)
//! ```
//! Nobody forks while holding the registry's locks: no code of others runs under them. There is no handler for a fork that began before
//! the first arena did, but such a fork has no arena to inherit.

use std::cell::Cell;

use super::registry::{self, Held};
use crate::sync::Ordering;
use crate::sync::unmodelled::{AtomicBool, AtomicU32};

/// How many forks lie between this process and the first one that watched; at least so many, what counts is that it differs.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// Whether the handlers are there. Not a `Once`, which a child would find half done for ever.
static WATCHED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The registry's locks, from `before_fork` on, until this thread comes out of its fork.
    static HELD: Cell<Option<Held>> = const { Cell::new(None) };
}

/// Has forks noticed from now on. For whoever takes a lock of the registry, and makes what a child inherits.
#[inline]
pub(super) fn watch() {
    // Acquire pairs with the Release in `install`: the handlers are there.
    if !WATCHED.load(Ordering::Acquire) {
        install();
    }
}

/// Threads that come here at once all install the handlers, which may therefore run several times for a fork: each bears that.
#[cold]
fn install() {
    // SAFETY: the handlers do what is allowed around a fork: they take and give back locks, whose holders wait for nobody who forks, and
    // count. They are never unloaded, as nothing in this library can be while a process may fork.
    let status = unsafe { libc::pthread_atfork(Some(before_fork), Some(after_fork), Some(in_child)) };
    // It fails only for want of memory; the next call tries again.
    if status == 0 {
        WATCHED.store(true, Ordering::Release); // pairs with the Acquire in `watch`
    }
}

extern "C" fn before_fork() {
    // A thread that forks after its thread-local values are gone, while it ends, holds nothing.
    let _ = HELD.try_with(|held| held.set(Some(held.take().unwrap_or_else(registry::hold))));
}

extern "C" fn after_fork() {
    let _ = HELD.try_with(Cell::take);
}

extern "C" fn in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed); // the child has one thread, so there is no partner
    after_fork();
}

/// The process in which something was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Birth(u32);

impl Birth {
    pub(super) fn now() -> Birth {
        watch();
        Birth(FORKS.load(Ordering::Relaxed))
    }

    #[inline]
    pub(super) fn was_before_fork(self) -> bool {
        FORKS.load(Ordering::Relaxed) != self.0
    }
}
