//! The proof that the C API may be called.

use std::marker::PhantomData;

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
