//! Work that may bring about more of its kind, done without recursion.
//!
//! Only the outermost call on a thread works; calls from within it leave their work on a pile.

use std::cell::RefCell;
use std::thread::LocalKey;

/// What waits to be done; `None` while no call is under way.
pub(super) type Pile<T> = RefCell<Option<Vec<T>>>;

/// Does the work, or leaves it to the call that this one is made from.
pub(super) fn work_off<T: 'static>(pile: &'static LocalKey<Pile<T>>, mut items: Vec<T>, work: impl Fn(T)) {
    if items.is_empty() {
        return;
    }
    let outermost = pile.try_with(|pile| match &mut *pile.borrow_mut() {
        Some(pile) => {
            pile.append(&mut items);
            false
        }
        idle => {
            *idle = Some(Vec::new());
            true
        }
    });
    // A thread so near its end that it has no pile works at once, recursion or not.
    let _idle = (outermost == Ok(true)).then(|| Idle(pile));
    while !items.is_empty() {
        items.into_iter().for_each(&work);
        items = pile.try_with(|pile| pile.borrow_mut().as_mut().map(std::mem::take)).ok().flatten().unwrap_or_default();
    }
}

/// Opens the pile for the next call, also when the work panics.
struct Idle<T: 'static>(&'static LocalKey<Pile<T>>);

impl<T> Drop for Idle<T> {
    fn drop(&mut self) {
        // The thread has its pile still: it can only go after all calls on it are over.
        let rest = self.0.try_with(|pile| pile.borrow_mut().take());
        drop(rest);
    }
}
