//! Has the server's thread look soon at what nobody tells it of, though it sleeps without a limit.
//!
//! ```text
//! server's thread                            any other thread
//! asleep = 1                                 something must be looked at soon
//! fence                                      fence
//! is there something to be looked at?        asleep? then 0, and wake it
//! ```
//! At least one of the two sees the other. While there is something the thread looks every now and then by itself, and nobody wakes it.

use std::os::fd::OwnedFd;

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

use crate::sync::{AtomicBool, Ordering, fence};

/// By which the thread is woken.
#[derive(Debug)]
pub(super) struct Alarm {
    asleep: Asleep,
    pub(super) descriptor: OwnedFd,
}

impl Alarm {
    pub(super) fn new() -> Result<Alarm, Errno> {
        let descriptor = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Alarm { asleep: Asleep(AtomicBool::new(false)), descriptor })
    }

    /// Something must be looked at soon, which is so before the call.
    pub(super) fn set(&self) {
        if self.asleep.must_wake() {
            // It can only be too full of such numbers to take one more.
            let _ = rustix::io::write(&self.descriptor, &1u64.to_ne_bytes());
        }
    }

    /// Whether the server's thread may sleep without a limit. `has_something` says whether there is something to be looked at.
    pub(super) fn may_sleep(&self, has_something: impl FnOnce() -> bool) -> bool {
        self.asleep.falls(has_something)
    }

    /// The server's thread is awake.
    pub(super) fn wakes(&self) {
        self.asleep.0.store(false, Ordering::Relaxed); // a hint: at worst it is woken for nothing
    }

    /// The server's thread has heard it.
    pub(super) fn clear(&self) {
        let _ = rustix::io::read(&self.descriptor, &mut [0u8; 8]);
    }
}

/// Whether the thread sleeps without a limit, or is about to.
#[derive(Debug)]
struct Asleep(AtomicBool);

impl Asleep {
    fn falls(&self, has_something: impl FnOnce() -> bool) -> bool {
        self.0.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst); // pairs with the fence in `must_wake`
        let stays_awake = has_something();
        if stays_awake {
            self.0.store(false, Ordering::Relaxed);
        }
        !stays_awake
    }

    fn must_wake(&self) -> bool {
        fence(Ordering::SeqCst); // pairs with the fence in `falls`: it sees what there is, or we see it asleep
        self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::Relaxed)
    }
}

#[cfg(all(test, loom))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    #[test]
    fn nobody_sleeps_beside_what_must_be_looked_at() {
        loom::model(|| {
            let (asleep, something) = (Arc::new(Asleep(AtomicBool::new(false))), Arc::new(AtomicBool::new(false)));
            let other = thread::spawn({
                let (asleep, something) = (asleep.clone(), something.clone());
                move || {
                    something.store(true, Ordering::Relaxed);
                    asleep.must_wake()
                }
            });
            let sleeps = asleep.falls(|| something.load(Ordering::Relaxed));
            let woken = other.join().unwrap();
            assert!(!sleeps || woken, "it sleeps beside it");
        });
    }
}
