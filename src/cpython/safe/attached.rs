//! The proof that the C API may be called.

use std::marker::PhantomData;

use pyo3_ffi as ffi;

/// This thread is attached to an interpreter: it holds that interpreter's GIL.
///
/// Invariant 1: a value exists only on a thread that is attached, for as long as `'py` lasts. It is made at each C
/// entry, is not `Send`, and [`detach`](super::detach) runs only closures that are `Send`, so none is reachable there.
#[derive(Clone, Copy)]
pub(in crate::cpython) struct Attached<'py>(PhantomData<(&'py (), *mut ())>);

impl Attached<'_> {
    /// # Safety
    /// The calling thread is attached to an interpreter and stays so while the result is used.
    pub(in crate::cpython) unsafe fn assume() -> Self {
        Attached(PhantomData)
    }
}

/// The number by which CPython knows the interpreter. No other of the process ever has it; the main one's is 0.
pub(in crate::cpython) fn interpreter_id(_: Attached<'_>) -> i64 {
    // SAFETY: attached, so there is an interpreter.
    let interpreter = unsafe { ffi::PyInterpreterState_Get() };
    // SAFETY: the interpreter to which this thread is attached.
    unsafe { ffi::PyInterpreterState_GetID(interpreter) }
}
