//! Values of which each process has one of its own, also a forked child, which inherits its parent's memory.

use std::ptr;

use crate::forks::Birth;
use crate::sync::Ordering;
use crate::sync::of_process::AtomicPtr;

/// A value made at the first use. In a forked child the next use makes another: the inherited one speaks of threads, sockets and locks
/// that the child does not have, so it is never touched again.
///
/// Invariant 1: the pointer is null or comes from a `Box` that was leaked and is never freed.
pub(crate) struct PerProcess<T: 'static>(AtomicPtr<Entry<T>>);

struct Entry<T> {
    birth: Birth,
    value: T,
}

impl<T: Send + Sync> PerProcess<T> {
    pub(crate) const fn new() -> PerProcess<T> {
        PerProcess(AtomicPtr::new(ptr::null_mut()))
    }

    /// The value of this process, if it has one yet.
    pub(crate) fn get(&'static self) -> Option<&'static T> {
        self.entry(self.0.load(Ordering::Acquire)) // pairs with the Release below: the value is visible with its address
    }

    /// The value of this process.
    pub(crate) fn get_or_make(&'static self, make: impl FnOnce() -> T) -> &'static T {
        let seen = self.0.load(Ordering::Acquire); // as in `get`
        if let Some(value) = self.entry(seen) {
            return value;
        }
        let made = Box::into_raw(Box::new(Entry { birth: Birth::now(), value: make() }));
        // Release: whoever finds the address finds the value. Acquire: we may find another's.
        match self.0.compare_exchange(seen, made, Ordering::AcqRel, Ordering::Acquire) {
            // SAFETY: by invariant 1 from now on: leaked and never freed.
            Ok(_) => unsafe { &(*made).value },
            Err(theirs) => {
                // SAFETY: made above and known to nobody else.
                drop(unsafe { Box::from_raw(made) });
                self.entry(theirs).expect("whoever was quicker is of this process")
            }
        }
    }

    fn entry(&'static self, pointer: *mut Entry<T>) -> Option<&'static T> {
        // SAFETY: by invariant 1 null or alive for ever; nobody has it mutably.
        let entry = unsafe { pointer.as_ref() }?;
        (!entry.birth.was_before_fork()).then_some(&entry.value)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn all_threads_get_the_same() {
        static NUMBERS: PerProcess<usize> = PerProcess::new();
        assert!(NUMBERS.get().is_none());
        let seen: Vec<usize> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|number| scope.spawn(move || *NUMBERS.get_or_make(|| number))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(seen.iter().all(|&number| Some(&number) == NUMBERS.get()));
    }
}
