//! A word on which threads sleep: the kernel's futex in production, a lock and a condition variable under loom.

#[cfg(not(loom))]
pub(crate) use system::Futex;

#[cfg(loom)]
pub(crate) use model::Futex;

use super::outlook::Listen;

/// Which sleepers a wake-up is meant for: those whose mask shares a bit with it.
pub(crate) type Mask = std::num::NonZeroU32;

/// Everyone.
pub(crate) const ALL: Mask = Mask::MAX;

/// Why a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sleep {
    /// Woken, or the word had changed already. May be spurious.
    Woken,
    /// A signal handler ran in this thread.
    Signal,
    /// The time was up.
    Elapsed,
}

#[cfg(not(loom))]
mod system {
    use std::time::Duration;

    use rustix::io::Errno;
    use rustix::thread::futex::{self, Flags, Timespec};
    use rustix::time::{ClockId, clock_gettime};

    use super::{Listen, Mask, Sleep};
    use crate::sync::{AtomicU32, Ordering};

    /// The word. The kernel compares it with what the sleeper saw, so a change in between is never slept through.
    #[derive(Debug, Default)]
    pub(crate) struct Futex(AtomicU32);

    impl Futex {
        pub(crate) fn get(&self) -> u32 {
            self.0.load(Ordering::Relaxed)
        }

        pub(crate) fn advance(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }

        /// Sleeps while the word is `seen`, at most for `time`.
        pub(crate) fn sleep(&self, seen: u32, mask: Mask, time: Option<Duration>) -> Sleep {
            // This form of the call takes an absolute time of the monotonic clock.
            let until = time.and_then(|time| clock_gettime(ClockId::Monotonic).checked_add(Timespec::try_from(time).ok()?));
            match futex::wait_bitset(&self.0, Flags::PRIVATE, seen, until.as_ref(), mask) {
                Err(Errno::INTR) => Sleep::Signal,
                Err(Errno::TIMEDOUT) => Sleep::Elapsed,
                // AGAIN says that the word had changed. Any other error can only be a kernel without futexes: looking again is safe.
                Ok(()) | Err(_) => Sleep::Woken,
            }
        }

        /// As `sleep`, under any mask, by somebody who attends to more than this word.
        pub(crate) fn sleep_by(&self, listener: &mut dyn Listen, seen: u32, time: Option<Duration>) -> Sleep {
            listener.sleep(&self.0, seen, time)
        }

        pub(crate) fn wake(&self, count: u32, mask: Mask) {
            // It fails for bad addresses only; this one is our own. The kernel reads the count as a signed number.
            let _ = futex::wake_bitset(&self.0, Flags::PRIVATE, count.min(i32::MAX as u32), mask);
        }
    }
}

#[cfg(loom)]
mod model {
    use std::time::Duration;

    use loom::sync::{Condvar, Mutex};

    use super::{ALL, Listen, Mask, Sleep};
    use crate::sync::{AtomicU32, Ordering};

    /// The gate stands for the kernel's own lock on the queue of sleepers. Time does not pass under loom: a sleep that has
    /// a limit is over at once.
    #[derive(Debug)]
    pub(crate) struct Futex {
        word: AtomicU32,
        gate: Mutex<()>,
        sleepers: Condvar,
    }

    impl Default for Futex {
        fn default() -> Futex {
            Futex { word: AtomicU32::new(0), gate: Mutex::new(()), sleepers: Condvar::new() }
        }
    }

    impl Futex {
        pub(crate) fn get(&self) -> u32 {
            self.word.load(Ordering::Relaxed)
        }

        pub(crate) fn advance(&self) {
            self.word.fetch_add(1, Ordering::Relaxed);
        }

        pub(crate) fn sleep(&self, seen: u32, _mask: Mask, time: Option<Duration>) -> Sleep {
            if time.is_some() {
                return Sleep::Elapsed;
            }
            let gate = self.gate.lock().unwrap();
            if self.get() == seen {
                drop(self.sleepers.wait(gate).unwrap());
            }
            Sleep::Woken
        }

        /// Nobody listens under loom.
        pub(crate) fn sleep_by(&self, listener: &mut dyn Listen, seen: u32, time: Option<Duration>) -> Sleep {
            listener.sleep(&self.word, seen, time)
        }

        /// Masks are not modelled: whoever is not meant finds nothing to do and sleeps again.
        pub(crate) fn wake(&self, count: u32, mask: Mask) {
            let _gate = self.gate.lock().unwrap();
            if count == 1 && mask == ALL {
                self.sleepers.notify_one();
            } else {
                self.sleepers.notify_all();
            }
        }
    }
}
