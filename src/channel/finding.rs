//! What is found out about the machine once, by whoever needs it first.
//!
//! No `LazyLock`: in a child that was forked while another thread was finding out, it would wait for that thread for ever. Here two threads may
//! find out at the same time, which does no harm.

use crate::sync::Ordering;
use crate::sync::of_process::AtomicU32;

/// A number, below the largest.
pub(super) struct Finding {
    /// 0 until it is known, then one more than it is.
    known: AtomicU32,
    find: fn() -> u32,
}

impl Finding {
    pub(super) const fn new(find: fn() -> u32) -> Finding {
        Finding { known: AtomicU32::new(0), find }
    }

    pub(super) fn get(&self) -> u32 {
        match self.known.load(Ordering::Relaxed) {
            0 => {
                let found = (self.find)().min(u32::MAX - 1);
                self.known.store(found + 1, Ordering::Relaxed);
                found
            }
            known => known - 1,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_once() {
        static ASKED: AtomicU32 = AtomicU32::new(0);
        static NOTHING: Finding = Finding::new(|| ASKED.fetch_add(1, Ordering::Relaxed));
        assert_eq!((NOTHING.get(), NOTHING.get()), (0, 0));
        assert_eq!(ASKED.load(Ordering::Relaxed), 1);
        assert_eq!(Finding::new(|| u32::MAX).get(), u32::MAX - 1);
    }
}
