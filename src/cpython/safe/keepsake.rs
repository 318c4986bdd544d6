//! A Rust value that an interpreter keeps until it is cleared, even where Python objects leak and no module is ever freed.

use std::ffi::{CStr, c_void};
use std::sync::Arc;

use pyo3_ffi as ffi;

use super::entry::FromSelf;
use super::{Attached, Borrowed, Owned, PyResult, Raised};

/// A value of which each interpreter keeps one.
pub(in crate::cpython) trait Keepsake: Send + Sync + Sized {
    /// The interpreter is being cleared: attached still, but no Python code can run any more.
    fn interpreter_cleared(&self);
}

/// The name of our capsules. Each holds an `Arc<T>` as `Arc::into_raw` gives it, which its destructor drops; who takes the address out
/// knows `T` by the place of the capsule.
const NAME: &CStr = c"crossbuf.keepsake";

/// The value of this interpreter, which `make` makes at the first call.
pub(in crate::cpython) fn kept<T: Keepsake>(py: Attached<'_>, make: impl FnOnce() -> T) -> PyResult<Arc<T>> {
    // The address tells values of different types apart, and those of two copies of this library.
    let key = Owned::text(py, &format!("crossbuf.keepsake {:p}", clear::<T> as *const ()))?;
    // SAFETY: attached, so there is an interpreter.
    let interpreter = unsafe { ffi::PyInterpreterState_Get() };
    // SAFETY: the interpreter to which this thread is attached.
    let dict = unsafe { ffi::PyInterpreterState_GetDict(interpreter) };
    if dict.is_null() {
        return Err(Raised::runtime_error(py, "this interpreter has no dict for what extensions keep; it is shutting down"));
    }
    // SAFETY: lent by the interpreter, which outlives the call.
    let dict = unsafe { Borrowed::from_ptr(dict) };
    match dict.item(py, key.get()) {
        Ok(capsule) => {
            let address = capsule.get().capsule(py, Some(NAME))?;
            // SAFETY: only this function puts a capsule under the key, with an `Arc<T>`, which it holds on to.
            unsafe { Arc::increment_strong_count(address.cast::<T>()) };
            // SAFETY: as above; the reference just counted is this one's.
            Ok(unsafe { Arc::from_raw(address.cast::<T>()) })
        }
        Err(raised) => {
            drop(raised.take(py));
            let value = Arc::new(make());
            dict.set_item(py, key.get(), capsule(py, &value, clear::<T>)?.get())?;
            Ok(value)
        }
    }
}

/// A function whose receiver is `&T`. It keeps the value in memory, but does not keep it from being cleared.
///
/// # Safety
/// The function in `definition` takes its `self` as `&T`.
pub(in crate::cpython) unsafe fn bound<T: Keepsake>(
    py: Attached<'_>,
    value: &Arc<T>,
    definition: &'static ffi::PyMethodDef,
) -> PyResult<Owned> {
    let receiver = capsule(py, value, forget::<T>)?;
    let definition = (&raw const *definition).cast_mut();
    // SAFETY: attached; the definition is static and CPython only reads it; the capsule is alive.
    unsafe { Owned::from_result(py, ffi::PyCFunction_NewEx(definition, receiver.as_ptr(), std::ptr::null_mut())) }
}

impl<'a, T: Keepsake> FromSelf<'a> for &'a T {
    unsafe fn from_self(capsule: *mut ffi::PyObject) -> Self {
        // SAFETY: the caller passes the receiver that `bound` gave the function, alive during the call.
        let address = unsafe { ffi::PyCapsule_GetPointer(capsule, NAME.as_ptr()) };
        // SAFETY: it holds an `Arc<T>`.
        unsafe { &*address.cast::<T>() }
    }
}

fn capsule<T>(py: Attached<'_>, value: &Arc<T>, destructor: unsafe extern "C" fn(*mut ffi::PyObject)) -> PyResult<Owned> {
    let address: *mut c_void = Arc::into_raw(Arc::clone(value)).cast_mut().cast();
    // SAFETY: attached; the name is static. Where there is no memory for a capsule, the value is leaked.
    unsafe { Owned::from_result(py, ffi::PyCapsule_New(address, NAME.as_ptr(), Some(destructor))) }
}

unsafe extern "C" fn forget<T>(capsule: *mut ffi::PyObject) {
    // SAFETY: CPython passes a dying capsule of ours.
    drop(unsafe { taken::<T>(capsule) });
}

unsafe extern "C" fn clear<T: Keepsake>(capsule: *mut ffi::PyObject) {
    // SAFETY: CPython passes a dying capsule of ours.
    let value = unsafe { taken::<T>(capsule) };
    // A panic may not cross into C.
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| value.interpreter_cleared()));
}

/// # Safety
/// `capsule` holds an `Arc<T>` and is being destroyed, attached.
unsafe fn taken<T>(capsule: *mut ffi::PyObject) -> Arc<T> {
    // SAFETY: a capsule of ours.
    let address = unsafe { ffi::PyCapsule_GetPointer(capsule, NAME.as_ptr()) };
    // SAFETY: a destructor runs once, so nobody else drops this reference.
    unsafe { Arc::from_raw(address.cast()) }
}
