//! Letting other threads of the interpreter run.

use pyo3_ffi as ffi;

use super::Attached;

/// Runs `work` detached from the interpreter. `work` can touch no Python object (they are not `Send`) and should hold no
/// lock when it returns, as attaching again waits for the GIL.
pub(in crate::cpython) fn detach<R: Send>(_: Attached<'_>, work: impl FnOnce() -> R + Send) -> R {
    struct Reattach(*mut ffi::PyThreadState);
    impl Drop for Reattach {
        fn drop(&mut self) {
            // SAFETY: the state was saved below by this very thread, once.
            unsafe { ffi::PyEval_RestoreThread(self.0) }
        }
    }
    // SAFETY: `Attached` says that this thread has a state to save; `work` is `Send`, so it holds no `Attached`.
    let _reattach = Reattach(unsafe { ffi::PyEval_SaveThread() });
    work()
}
