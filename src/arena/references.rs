//! How many references a block has, and which use of its slot it is: one word.
//!
//! ```text
//!            publish                 add, acquire           release
//! vacant g --------> live g, 1 ref <------------> n refs ----------> ending g, 0 refs --retire--> vacant g + 1
//! ```
//!
//! `acquire` races with the last `release`: it succeeds only while there is a reference, so a block never comes back to life.

use crate::offset::Generation;
use crate::sync::{AtomicU64, Ordering, fence};

const ONE_GENERATION: u64 = 1 << 32;
/// More references than any program holds; beyond it they might run into the generation.
const MOST_REFERENCES: u32 = 1 << 31;

/// `generation << 32 | references` of one slot.
#[derive(Debug)]
pub(super) struct References(AtomicU64);

/// Why a block could not be acquired.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// The slot is at this other generation.
    Other(Generation),
    /// The slot is at that generation, but no block is in it (any more).
    Ended,
}

impl References {
    /// Vacant, at generation 1.
    pub(super) fn new() -> References {
        References(AtomicU64::new(ONE_GENERATION))
    }

    /// The present generation. It changes only while there is no reference.
    #[inline]
    pub(super) fn generation(&self) -> Generation {
        Generation((self.0.load(Ordering::Relaxed) >> 32) as u32) // whoever may rely on it holds a reference or the lock
    }

    /// Makes the first reference. Only for the one who took the slot from among the vacant ones.
    #[inline]
    pub(super) fn publish(&self) {
        let vacant = self.0.load(Ordering::Relaxed); // nobody changes a vacant slot
        self.0.store(vacant | 1, Ordering::Release); // pairs with the Acquire in `acquire`: the block's place is visible with it
    }

    /// One more reference, if the slot is live at that generation.
    pub(super) fn acquire(&self, generation: Generation) -> Result<(), Gone> {
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            let found = Generation((seen >> 32) as u32);
            if found != generation {
                return Err(Gone::Other(found));
            }
            if seen as u32 == 0 {
                return Err(Gone::Ended);
            }
            guard(seen as u32);
            // Acquire pairs with the Release in `publish`; additions in between continue its release sequence.
            match self.0.compare_exchange_weak(seen, seen + 1, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(now) => seen = now,
            }
        }
    }

    /// One more reference, for one who has one.
    #[inline]
    pub(super) fn add(&self) {
        let before = self.0.fetch_add(1, Ordering::Relaxed); // nothing is published: the caller saw all already
        guard(before as u32);
    }

    /// One reference less; whether it was the last. Then the caller alone may end the block's life.
    #[inline]
    pub(super) fn release(&self) -> bool {
        let before = self.0.fetch_sub(1, Ordering::Release); // pairs with the fence below, of whoever comes last
        if before as u32 != 1 {
            return false;
        }
        fence(Ordering::Acquire); // all that others did with the block is over before it is freed
        true
    }

    /// Makes the slot vacant at its next generation, after the last `release`; false when it has used up all and must rest for ever.
    #[inline]
    pub(super) fn retire(&self) -> bool {
        let next = self.0.load(Ordering::Relaxed) + ONE_GENERATION; // nobody else changes a slot without references
        self.0.store(next, Ordering::Relaxed); // the allocator's lock orders it before the next `publish`
        (next >> 32) as u32 != u32::MAX
    }
}

/// Ends the process when references leak by the billion, as `Arc` does: to go on would let a block be freed under its users.
#[inline]
fn guard(references: u32) {
    if references >= MOST_REFERENCES {
        std::process::abort();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_slot_lives_ends_and_lives_again() {
        let references = References::new();
        let first = references.generation();
        assert_eq!(references.acquire(first), Err(Gone::Ended), "vacant");
        references.publish();
        assert_eq!(references.acquire(first), Ok(()));
        references.add();
        assert!(!references.release() && !references.release() && references.release());
        assert_eq!(references.acquire(first), Err(Gone::Ended));
        assert!(references.retire());
        let second = Generation(first.0 + 1);
        assert_eq!(references.acquire(first), Err(Gone::Other(second)));
        references.publish();
        assert_eq!(references.acquire(second), Ok(()));
    }

    #[test]
    fn a_slot_rests_after_its_last_generation() {
        let references = References(AtomicU64::new(((u32::MAX - 1) as u64) << 32));
        references.publish();
        assert!(references.release());
        assert!(!references.retire());
        assert_eq!(references.acquire(Generation(u32::MAX)), Err(Gone::Ended));
    }
}

/// Each model runs through all interleavings: `RUSTFLAGS="--cfg loom" cargo test --lib --release loom`.
#[cfg(all(test, loom))]
mod loom_models {
    use loom::cell::UnsafeCell;
    use loom::sync::{Arc, Mutex};
    use loom::thread;

    use super::*;

    /// A slot whose place loom watches, and the lock of the allocator around the vacant slot.
    struct Model {
        references: References,
        place: UnsafeCell<u32>,
        vacant: Mutex<bool>,
    }

    impl Model {
        /// Live at generation 1, with one reference; its place names the generation.
        fn new() -> Arc<Model> {
            let model = Model { references: References::new(), place: UnsafeCell::new(1), vacant: Mutex::new(false) };
            model.references.publish();
            Arc::new(model)
        }

        fn drop_reference(&self) {
            if self.references.release() {
                let mut vacant = self.vacant.lock().unwrap();
                self.place.with(|place| {
                    // SAFETY: loom watches for writers meanwhile.
                    assert_eq!(unsafe { *place }, self.references.generation().0)
                });
                self.references.retire();
                *vacant = true;
            }
        }

        /// Puts another block into the slot, if it is vacant.
        fn reuse(&self) -> bool {
            let mut vacant = self.vacant.lock().unwrap();
            if !std::mem::take(&mut *vacant) {
                return false;
            }
            // SAFETY: loom watches for readers meanwhile.
            self.place.with_mut(|place| unsafe { *place = self.references.generation().0 });
            self.references.publish();
            true
        }

        /// Opens a handle that names `generation`, and reads.
        fn open(&self, generation: Generation) -> bool {
            let opened = self.references.acquire(generation).is_ok();
            if opened {
                self.place.with(|place| {
                    // SAFETY: loom watches for writers meanwhile.
                    assert_eq!(unsafe { *place }, generation.0, "never another block")
                });
                self.drop_reference();
            }
            opened
        }
    }

    #[test]
    fn loom_opening_races_with_the_last_drop_and_reuse() {
        loom::model(|| {
            let model = Model::new();
            let opener = thread::spawn({
                let model = model.clone();
                move || {
                    model.open(Generation(1));
                    model.open(Generation(2));
                }
            });
            let reuser = thread::spawn({
                let model = model.clone();
                move || {
                    if model.reuse() {
                        model.drop_reference();
                    }
                }
            });
            model.drop_reference();
            opener.join().unwrap();
            reuser.join().unwrap();
            assert!(*model.vacant.lock().unwrap(), "the last reference made the slot vacant");
            assert!(!model.open(Generation(1)));
        });
    }

    #[test]
    fn loom_clones_are_all_seen_by_the_last() {
        loom::model(|| {
            let model = Model::new();
            let threads: Vec<_> = (0..2)
                .map(|_| {
                    model.references.add();
                    let model = model.clone();
                    thread::spawn(move || {
                        // SAFETY: loom watches for writers meanwhile.
                        model.place.with(|place| assert_eq!(unsafe { *place }, 1));
                        model.drop_reference();
                    })
                })
                .collect();
            model.drop_reference();
            let early = model.reuse();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert_ne!(early, model.reuse(), "vacant once, and only after the last");
            assert!(model.open(Generation(2)));
        });
    }
}
