//! Calling back from another interpreter into the one that this thread came from.
//!
//! ```text
//! one thread      main interpreter     lend ── body ── Interpreter.exec ─┐              ┌─ on_call ─┐
//!                 sub-interpreter                                        └─ call_home ──┘           └─ goes on
//! ```
//! A thread that runs code in another interpreter has two thread states: the one it entered with, which sleeps below `exec`, and the
//! one it runs with. [`call_home`] swaps them for the length of one call. So an interpreter that has finished something says so on
//! its own thread: no thread waits for it at home, and none has to be woken.
//!
//! Neither arguments nor results cross; what there is to say waits in a channel, whose ends the thread takes along: [`lend`] is given
//! them, and [`lent`] gives them to the interpreter that it runs. Both interpreters' GILs are never held at once.
//!
//! Who is woken by `on_call` would find home's GIL taken, and sleep again until this thread has left. So waking can be put off:
//! [`after_call`].

use std::cell::{Cell, RefCell};

use pyo3_ffi as ffi;

use super::{Attached, Borrowed, Owned, PyResult, Raised};
use crate::channel::Attachment;

thread_local! {
    /// The innermost [`lend`] of this thread, or NULL.
    ///
    /// Invariant 1: it is NULL or points to a `Home` in the frame of a `lend` that runs on this thread.
    static HOME: Cell<*const Home> = const { Cell::new(std::ptr::null()) };
    /// What is to be done when the innermost [`call_home`] of this thread has left home; `None` outside of any.
    static LATER: RefCell<Option<Vec<Work>>> = const { RefCell::new(None) };
}

type Work = Box<dyn FnOnce()>;

/// Where a thread came from.
struct Home {
    /// Invariant 2: this thread's state in the interpreter that called `lend`. It cannot be deleted before `lend` returns, as frames
    /// of it are on the stack.
    state: *mut ffi::PyThreadState,
    /// Invariant 3: alive, and an object of that interpreter.
    on_call: *mut ffi::PyObject,
    /// What nobody has taken yet of that which the thread takes along.
    luggage: RefCell<Vec<Attachment>>,
    outer: *const Home,
}

impl Home {
    /// Where this thread came from, if that is another interpreter.
    fn of_thread<'a>(py: Attached<'a>) -> PyResult<&'a Home> {
        // SAFETY: by invariant 1. It stays on the stack below all that is called with this `Attached`.
        let home = unsafe { HOME.get().as_ref() };
        // SAFETY: attached, so there is a state.
        let here = unsafe { ffi::PyThreadState_Get() };
        home.filter(|home| !std::ptr::eq(home.state, here)).ok_or_else(|| {
            Raised::runtime_error(
                py,
                "this thread has not been lent by another interpreter, so there is nowhere to call and nothing to take",
            )
        })
    }
}

/// Puts the innermost home back when its `lend` is over.
struct Restore(*const Home);

impl Drop for Restore {
    fn drop(&mut self) {
        HOME.set(self.0);
    }
}

/// Calls `body()`. Code that it runs on this thread in other interpreters may call `on_call()` through [`call_home`], and take the luggage.
pub(in crate::cpython) fn lend(py: Attached<'_>, on_call: Borrowed<'_>, body: Borrowed<'_>, luggage: Vec<Attachment>) -> PyResult<Owned> {
    let on_call = on_call.to_owned(py);
    // SAFETY: attached, so there is a state.
    let state = unsafe { ffi::PyThreadState_Get() };
    let home = Home { state, on_call: on_call.as_ptr(), luggage: RefCell::new(luggage), outer: HOME.get() };
    let _restore = Restore(HOME.replace(&raw const home));
    body.call(py, [])
}

/// Takes what this thread's [`lend`] was given to take along; nothing, when somebody did before. Errors as [`call_home`].
pub(in crate::cpython) fn lent(py: Attached<'_>) -> PyResult<Vec<Attachment>> {
    Ok(Home::of_thread(py)?.luggage.take())
}

/// Calls the function that this thread's [`lend`] was given, in the interpreter where that was. What it raises is reported there, as
/// nobody here could read it. Errors with RuntimeError when this thread came from no other interpreter.
pub(in crate::cpython) fn call_home(py: Attached<'_>) -> PyResult<()> {
    let home = Home::of_thread(py)?;
    // What is called may itself run another interpreter, whose home it is.
    let _restore = Restore(HOME.replace(home.outer));
    // Dropped after `Swap`, which does what is in the list.
    let _later = Later(LATER.replace(Some(Vec::new())));
    let _return = Swap::to(py, home.state);
    // SAFETY: `Swap` has attached this thread to the home interpreter until it is dropped.
    let there = unsafe { Attached::assume() };
    // SAFETY: by invariant 3.
    let on_call = unsafe { Borrowed::from_ptr(home.on_call) };
    if let Err(raised) = on_call.call(there, []) {
        raised.report(there, on_call);
    }
    Ok(())
}

/// Does `work` when the [`call_home`] that runs on this thread has left the home interpreter, or at once if none does.
pub(in crate::cpython) fn after_call(work: impl FnOnce() + 'static) {
    let work: Work = Box::new(work);
    let now = LATER.with_borrow_mut(|later| match later {
        Some(later) => {
            later.push(work);
            None
        }
        None => Some(work),
    });
    if let Some(work) = now {
        work();
    }
}

/// Does now what was to be done later.
pub(in crate::cpython) fn hurry() {
    let works = LATER.with_borrow_mut(|later| later.as_mut().map(std::mem::take));
    works.into_iter().flatten().for_each(|work| work());
}

/// Puts the outer list back.
struct Later(Option<Vec<Work>>);

impl Drop for Later {
    fn drop(&mut self) {
        LATER.set(self.0.take());
    }
}

/// This thread runs with another of its states, and gets its own back at the end.
struct Swap(*mut ffi::PyThreadState);

impl Swap {
    /// `state` is a detached state of this thread.
    fn to(_: Attached<'_>, state: *mut ffi::PyThreadState) -> Swap {
        // SAFETY: attached; nothing is called with this `Attached` until the state is back.
        let own = unsafe { ffi::PyEval_SaveThread() };
        // SAFETY: by invariant 2 a state of this thread, detached since the thread entered another interpreter.
        unsafe { ffi::PyEval_RestoreThread(state) };
        Swap(own)
    }
}

impl Drop for Swap {
    fn drop(&mut self) {
        // SAFETY: attached with the state that `to` restored: whatever ran since has come back to it.
        unsafe { ffi::PyEval_SaveThread() };
        hurry();
        // SAFETY: saved by `to` on this thread.
        unsafe { ffi::PyEval_RestoreThread(self.0) };
    }
}
