//! Work that may bring about more of its kind, done without recursion.
//!
//! Only the outermost call on a thread works; calls from within it leave their work on a pile, but for what is done `apart`.

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

/// Does work whose own work is done when this returns, though it may be made from a call that is under way.
pub(super) fn apart<T: 'static, R>(pile: &'static LocalKey<Pile<T>>, work: impl FnOnce() -> R) -> R {
    let _outer = Outer(pile, pile.try_with(RefCell::take).ok().flatten());
    work()
}

/// Puts the pile of the outer call back, also when the work panics.
struct Outer<T: 'static>(&'static LocalKey<Pile<T>>, Option<Vec<T>>);

impl<T> Drop for Outer<T> {
    fn drop(&mut self) {
        let _ = self.0.try_with(|pile| pile.replace(self.1.take())); // it is empty: all calls from within are over
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    thread_local! {
        static PILE: Pile<u32> = const { RefCell::new(None) };
        static DONE: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
    }

    fn note(number: u32) {
        DONE.with_borrow_mut(|done| done.push(number));
    }

    #[test]
    fn what_is_brought_about_waits_for_its_turn() {
        work_off(&PILE, vec![1, 2], |number| {
            work_off(&PILE, vec![3; usize::from(number == 1)], note);
            note(number);
        });
        assert_eq!(DONE.take(), [1, 2, 3]);
    }

    #[test]
    fn but_for_what_is_done_apart() {
        work_off(&PILE, vec![1, 2], |number| {
            work_off(&PILE, vec![5; usize::from(number == 1)], note);
            apart(&PILE, || {
                work_off(&PILE, vec![3], note);
                assert_eq!(PILE.take(), None);
            });
            note(number);
        });
        assert_eq!(DONE.take(), [3, 1, 3, 2, 3, 5]);
    }

    #[test]
    fn a_panic_puts_all_back() {
        let panics = || work_off(&PILE, vec![1], |_| apart(&PILE, || work_off(&PILE, vec![2], |_| panic!("on purpose"))));
        assert!(std::panic::catch_unwind(panics).is_err());
        assert_eq!(PILE.take(), None);
    }
}
