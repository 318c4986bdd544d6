//! Where C calls us: each entry proves [`Attached`], catches panics and turns results into what C expects.

use std::any::Any;
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3_ffi as ffi;

use super::{Arguments, Attached, Borrowed, Owned, PyResult, Raised};

/// The receiver of a method or function, made from the `self` that C passes.
pub(in crate::cpython) trait FromSelf<'a>: Copy {
    /// # Safety
    /// `slf` is the live object that CPython passes to a method of the class (or function of the module) this type stands for.
    unsafe fn from_self(slf: *mut ffi::PyObject) -> Self;
}

impl<'a, T> FromSelf<'a> for super::This<'a, T> {
    unsafe fn from_self(slf: *mut ffi::PyObject) -> Self {
        // SAFETY: passed on.
        unsafe { super::This::from_ptr(slf) }
    }
}

/// A value that C reads from a return register, and its value for "raised".
pub(in crate::cpython) trait ForC {
    type C;
    const RAISED: Self::C;
    fn into_c(self) -> Self::C;
}

impl ForC for Owned {
    type C = *mut ffi::PyObject;
    const RAISED: Self::C = std::ptr::null_mut();
    fn into_c(self) -> Self::C {
        self.into_ptr()
    }
}

/// What an iterator gives: `None` is its end, told by NULL without an exception.
impl ForC for Option<Owned> {
    type C = *mut ffi::PyObject;
    const RAISED: Self::C = std::ptr::null_mut();
    fn into_c(self) -> Self::C {
        self.map_or(std::ptr::null_mut(), Owned::into_ptr)
    }
}

impl ForC for () {
    type C = c_int;
    const RAISED: c_int = -1;
    fn into_c(self) -> c_int {
        0
    }
}

impl ForC for usize {
    type C = ffi::Py_ssize_t;
    const RAISED: Self::C = -1;
    fn into_c(self) -> Self::C {
        self as Self::C
    }
}

/// Runs `body`; a panic in it becomes a RuntimeError.
///
/// # Safety
/// Called by CPython on an attached thread.
pub(in crate::cpython) unsafe fn guarded<R: ForC>(body: impl FnOnce(Attached<'_>) -> PyResult<R>) -> R::C {
    // SAFETY: the caller's promise; the thread stays attached until this returns.
    let py = unsafe { Attached::assume() };
    match catch_unwind(AssertUnwindSafe(|| body(py))) {
        Ok(Ok(value)) => value.into_c(),
        Ok(Err(_raised)) => R::RAISED,
        Err(panic) => {
            let _raised = Raised::runtime_error(py, &format!("crossbuf has a bug, please report it: {}", panic_text(&*panic)));
            R::RAISED
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("panic")
}

/// # Safety
/// As CPython calls a function with `METH_NOARGS`, or a slot with one argument.
pub(in crate::cpython) unsafe fn unary<'a, S: FromSelf<'a>, R: ForC>(
    slf: *mut ffi::PyObject,
    body: impl FnOnce(S, Attached<'_>) -> PyResult<R>,
) -> R::C {
    // SAFETY: the caller's promise; `slf` is alive during the call.
    unsafe { guarded(|py| body(S::from_self(slf), py)) }
}

/// # Safety
/// As CPython calls a function with `METH_O`, or a slot with two arguments.
pub(in crate::cpython) unsafe fn binary<'a, S: FromSelf<'a>, R: ForC>(
    slf: *mut ffi::PyObject,
    other: *mut ffi::PyObject,
    body: impl FnOnce(S, Attached<'_>, Borrowed<'a>) -> PyResult<R>,
) -> R::C {
    // SAFETY: the caller's promise; both are alive during the call.
    unsafe { guarded(|py| body(S::from_self(slf), py, Borrowed::from_ptr(other))) }
}

/// # Safety
/// As CPython calls a function with `METH_FASTCALL | METH_KEYWORDS`.
pub(in crate::cpython) unsafe fn fastcall<'a, S: FromSelf<'a>>(
    slf: *mut ffi::PyObject,
    values: *const *mut ffi::PyObject,
    places: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
    body: impl FnOnce(S, Attached<'_>, Arguments<'a>) -> PyResult<Owned>,
) -> *mut ffi::PyObject {
    // SAFETY: the caller's promise; all are alive during the call.
    unsafe { guarded(|py| body(S::from_self(slf), py, Arguments::new(values, places, names))) }
}

/// The end of a table of attributes.
pub(in crate::cpython) const NO_GETTER: ffi::PyGetSetDef =
    ffi::PyGetSetDef { name: std::ptr::null(), get: None, set: None, doc: std::ptr::null(), closure: std::ptr::null_mut() };

/// `fn(receiver, py) -> PyResult<Owned>`
macro_rules! noargs {
    ($receiver:ty, $name:literal, $body:path, $doc:literal) => {{
        unsafe extern "C" fn call(slf: *mut pyo3_ffi::PyObject, _: *mut pyo3_ffi::PyObject) -> *mut pyo3_ffi::PyObject {
            // SAFETY: CPython calls a method with its own live `self`, on an attached thread.
            unsafe { $crate::cpython::safe::entry::unary::<$receiver, _>(slf, $body) }
        }
        pyo3_ffi::PyMethodDef {
            ml_name: concat!($name, "\0").as_ptr().cast(),
            ml_meth: pyo3_ffi::PyMethodDefPointer { PyCFunction: call },
            ml_flags: pyo3_ffi::METH_NOARGS,
            ml_doc: concat!($doc, "\0").as_ptr().cast(),
        }
    }};
}
pub(in crate::cpython) use noargs;

/// `fn(receiver, py, argument) -> PyResult<Owned>`
macro_rules! one {
    ($receiver:ty, $name:literal, $body:path, $doc:literal) => {{
        unsafe extern "C" fn call(slf: *mut pyo3_ffi::PyObject, other: *mut pyo3_ffi::PyObject) -> *mut pyo3_ffi::PyObject {
            // SAFETY: CPython calls a method with its own live `self` and a live argument, on an attached thread.
            unsafe { $crate::cpython::safe::entry::binary::<$receiver, _>(slf, other, $body) }
        }
        pyo3_ffi::PyMethodDef {
            ml_name: concat!($name, "\0").as_ptr().cast(),
            ml_meth: pyo3_ffi::PyMethodDefPointer { PyCFunction: call },
            ml_flags: pyo3_ffi::METH_O,
            ml_doc: concat!($doc, "\0").as_ptr().cast(),
        }
    }};
}
pub(in crate::cpython) use one;

/// `fn(receiver, py, arguments) -> PyResult<Owned>`
macro_rules! fast {
    ($receiver:ty, $name:literal, $body:path, $doc:literal) => {{
        unsafe extern "C" fn call(
            slf: *mut pyo3_ffi::PyObject,
            values: *const *mut pyo3_ffi::PyObject,
            places: pyo3_ffi::Py_ssize_t,
            names: *mut pyo3_ffi::PyObject,
        ) -> *mut pyo3_ffi::PyObject {
            // SAFETY: CPython calls a method with its own live `self` and live arguments, on an attached thread.
            unsafe { $crate::cpython::safe::entry::fastcall::<$receiver>(slf, values, places, names, $body) }
        }
        pyo3_ffi::PyMethodDef {
            ml_name: concat!($name, "\0").as_ptr().cast(),
            ml_meth: pyo3_ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: call },
            ml_flags: pyo3_ffi::METH_FASTCALL | pyo3_ffi::METH_KEYWORDS,
            ml_doc: concat!($doc, "\0").as_ptr().cast(),
        }
    }};
}
pub(in crate::cpython) use fast;

/// `fn(receiver, py) -> PyResult<Owned>`
macro_rules! getter {
    ($receiver:ty, $name:literal, $body:path, $doc:literal) => {{
        unsafe extern "C" fn get(slf: *mut pyo3_ffi::PyObject, _: *mut std::ffi::c_void) -> *mut pyo3_ffi::PyObject {
            // SAFETY: CPython calls a getter with its own live `self`, on an attached thread.
            unsafe { $crate::cpython::safe::entry::unary::<$receiver, _>(slf, $body) }
        }
        pyo3_ffi::PyGetSetDef {
            name: concat!($name, "\0").as_ptr().cast(),
            get: Some(get),
            set: None,
            doc: concat!($doc, "\0").as_ptr().cast(),
            closure: std::ptr::null_mut(),
        }
    }};
}
pub(in crate::cpython) use getter;

/// A slot with one argument, `self`; its result is an object.
macro_rules! unary_slot {
    ($receiver:ty, $body:path) => {{
        unsafe extern "C" fn call(slf: *mut pyo3_ffi::PyObject) -> *mut pyo3_ffi::PyObject {
            // SAFETY: CPython calls a slot with its own live `self`, on an attached thread.
            unsafe { $crate::cpython::safe::entry::unary::<$receiver, _>(slf, $body) }
        }
        call as *mut std::ffi::c_void
    }};
}
pub(in crate::cpython) use unary_slot;

/// A slot with `self` and one more object; its result is an object.
macro_rules! binary_slot {
    ($receiver:ty, $body:path) => {{
        unsafe extern "C" fn call(slf: *mut pyo3_ffi::PyObject, other: *mut pyo3_ffi::PyObject) -> *mut pyo3_ffi::PyObject {
            // SAFETY: CPython calls a slot with its own live `self` and argument, on an attached thread.
            unsafe { $crate::cpython::safe::entry::binary::<$receiver, _>(slf, other, $body) }
        }
        call as *mut std::ffi::c_void
    }};
}
pub(in crate::cpython) use binary_slot;

/// A slot that returns a length.
macro_rules! length_slot {
    ($receiver:ty, $body:path) => {{
        unsafe extern "C" fn call(slf: *mut pyo3_ffi::PyObject) -> pyo3_ffi::Py_ssize_t {
            // SAFETY: CPython calls a slot with its own live `self`, on an attached thread.
            unsafe { $crate::cpython::safe::entry::unary::<$receiver, usize>(slf, $body) }
        }
        call as *mut std::ffi::c_void
    }};
}
pub(in crate::cpython) use length_slot;
