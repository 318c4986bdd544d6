//! Which interpreter has which copies, so that they can be unloaded when it is closed.
//!
//! Invariant 1: the copies under a number are used by the interpreter of that number alone. CPython never gives a number twice.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::image::Image;
use crate::sync::Ordering;
use crate::sync::of_process::{AtomicBool, AtomicUsize};

/// How many interpreters were closed that had copies.
static CLOSED: AtomicUsize = AtomicUsize::new(0);
/// Whether somebody was told that they are many.
static TOLD: AtomicBool = AtomicBool::new(false);
static COPIES: Mutex<BTreeMap<i64, Vec<Entry>>> = Mutex::new(BTreeMap::new());

/// One module that was loaded from a copy.
#[derive(Clone)]
pub(in crate::cpython) struct Loaded {
    pub(in crate::cpython) name: String,
    pub(in crate::cpython) path: String,
    pub(in crate::cpython) bytes: u64,
}

struct Entry {
    about: Loaded,
    image: Image,
    /// Whether it is known to go quietly: no threads, nothing registered with the process.
    unloadable: bool,
}

/// Notes a copy before any of its code has run for the interpreter.
pub(super) fn add(interpreter: i64, about: Loaded, image: Image, unloadable: bool) {
    locked().entry(interpreter).or_default().push(Entry { about, image, unloadable });
}

/// What was loaded for the interpreter, in that order.
pub(in crate::cpython) fn loaded(interpreter: i64) -> Vec<Loaded> {
    locked().get(&interpreter).map_or_else(Vec::new, |entries| entries.iter().map(|entry| entry.about.clone()).collect())
}

/// Forgets the copies of an interpreter, and unloads those that can be. Returns how many there were.
///
/// # Safety
/// The interpreter has been closed.
pub(in crate::cpython) unsafe fn unload(interpreter: i64) -> usize {
    let entries = locked().remove(&interpreter).unwrap_or_default();
    let number = entries.len();
    if number > 0 {
        CLOSED.fetch_add(1, Ordering::Relaxed);
    }
    // In the opposite order: later ones may refer to earlier ones.
    for entry in entries.into_iter().rev() {
        if !entry.unloadable {
            entry.image.keep();
        }
    }
    number
}

/// How many interpreters of the process were closed that had copies, if they are `many`: at the first such call, whoever makes it.
pub(in crate::cpython) fn many_closed(many: usize) -> Option<usize> {
    let closed = CLOSED.load(Ordering::Relaxed);
    (closed >= many && !TOLD.swap(true, Ordering::Relaxed)).then_some(closed)
}

fn locked() -> std::sync::MutexGuard<'static, BTreeMap<i64, Vec<Entry>>> {
    COPIES.lock().unwrap_or_else(PoisonError::into_inner)
}
