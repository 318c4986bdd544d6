//! A word on which threads sleep: the kernel's futex in production, a lock and a condition variable under loom.

#[cfg(not(loom))]
pub(crate) use system::{Futex, sleep_on_any, wake_one};

#[cfg(loom)]
pub(crate) use model::{Futex, sleep_on_any, wake_one};

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
    use rustix::thread::futex::{self, Flags, Timespec, Wait, WaitFlags, WaitPtr, WaitvFlags};
    use rustix::time::{ClockId, clock_gettime};
    use smallvec::SmallVec;

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
            match futex::wait_bitset(&self.0, Flags::PRIVATE, seen, end_of(time).as_ref(), mask) {
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

    /// The calls used here take an absolute time of the monotonic clock; `None` is for ever.
    fn end_of(time: Option<Duration>) -> Option<Timespec> {
        time.and_then(|time| clock_gettime(ClockId::Monotonic).checked_add(Timespec::try_from(time).ok()?))
    }

    /// Sleeps while all words are as they were seen, at most for `time`: `own` is of this process, `shared` are in memory that other processes
    /// have as well. `None` where the kernel cannot (before Linux 5.16, or more than 128 words).
    pub(crate) fn sleep_on_any<'w>(
        own: (&AtomicU32, u32),
        shared: impl Iterator<Item = (&'w AtomicU32, u32)>,
        time: Option<Duration>,
    ) -> Option<Sleep> {
        let wait = |(word, seen): (&AtomicU32, u32), flags| {
            let mut wait = Wait::new();
            wait.val = u64::from(seen);
            wait.uaddr = WaitPtr::new(word.as_ptr().cast());
            wait.flags = flags;
            wait
        };
        let mut words: SmallVec<[Wait; 8]> = SmallVec::new();
        words.push(wait(own, WaitFlags::SIZE_U32 | WaitFlags::PRIVATE));
        words.extend(shared.map(|word| wait(word, WaitFlags::SIZE_U32)));
        match futex::waitv(&words, WaitvFlags::empty(), end_of(time).as_ref(), ClockId::Monotonic) {
            // AGAIN says that a word had changed.
            Ok(_) | Err(Errno::AGAIN) => Some(Sleep::Woken),
            Err(Errno::INTR) => Some(Sleep::Signal),
            Err(Errno::TIMEDOUT) => Some(Sleep::Elapsed),
            Err(_) => None,
        }
    }

    /// Wakes one who sleeps on a shared word, in whatever process.
    pub(crate) fn wake_one(word: &AtomicU32) {
        // As above. The other process sleeps on the same word by another address.
        let _ = futex::wake(word, Flags::empty(), 1);
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

    /// There are no other processes under loom, so nobody listens to them.
    pub(crate) fn sleep_on_any<'w>(
        _own: (&AtomicU32, u32),
        _shared: impl Iterator<Item = (&'w AtomicU32, u32)>,
        _time: Option<Duration>,
    ) -> Option<Sleep> {
        None
    }

    /// As above.
    pub(crate) fn wake_one(_word: &AtomicU32) {}
}
