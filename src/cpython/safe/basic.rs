//! The builtin classes that every interpreter shares, and how to look into their instances.

use std::ffi::{c_int, c_void};
use std::ptr;

use pyo3_ffi as ffi;

use super::raise::check;
use super::{Attached, Borrowed, Owned, PyResult, Raised};

/// A builtin class of which an object is an exact instance, not one of a class derived from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cpython) enum Basic {
    None,
    Bool,
    Int,
    Float,
    Complex,
    Str,
    Bytes,
    Tuple,
    List,
    Dict,
}

impl Basic {
    /// Whether it has items.
    pub(in crate::cpython) fn is_container(self) -> bool {
        matches!(self, Basic::Tuple | Basic::List | Basic::Dict)
    }
}

impl<'a> Borrowed<'a> {
    /// The basic class of the object, if it has one.
    pub(in crate::cpython) fn basic(self, py: Attached<'_>) -> Option<Basic> {
        let class: *mut ffi::PyTypeObject = self.class(py).as_ptr().cast();
        let known = [
            (&raw mut ffi::PyUnicode_Type, Basic::Str),
            (&raw mut ffi::PyLong_Type, Basic::Int),
            (&raw mut ffi::PyFloat_Type, Basic::Float),
            (&raw mut ffi::PyTuple_Type, Basic::Tuple),
            (&raw mut ffi::PyList_Type, Basic::List),
            (&raw mut ffi::PyDict_Type, Basic::Dict),
            (&raw mut ffi::PyBytes_Type, Basic::Bytes),
            (&raw mut ffi::PyBool_Type, Basic::Bool),
            (&raw mut ffi::PyComplex_Type, Basic::Complex),
        ];
        match known.into_iter().find(|(address, _)| *address == class) {
            Some((_, basic)) => Some(basic),
            None => self.is_none().then_some(Basic::None),
        }
    }

    /// The value of an int that fits. Errors with TypeError on anything else.
    pub(in crate::cpython) fn small_int(self, py: Attached<'_>) -> PyResult<Option<i64>> {
        let mut overflow: c_int = 0;
        // SAFETY: attached, the object is alive.
        let value = unsafe { ffi::PyLong_AsLongLongAndOverflow(self.as_ptr(), &mut overflow) };
        match (value, overflow) {
            (-1, 0) => self.as_i64(py).map(Some),
            (value, 0) => Ok(Some(value)),
            _ => Ok(None),
        }
    }

    /// The bytes of an int of any size, in two's complement, least significant first.
    pub(in crate::cpython) fn int_bytes(self, py: Attached<'_>) -> PyResult<Owned> {
        let bits = self.invoke(py, c"bit_length", [])?.get().as_u64(py)?;
        let arguments = Owned::tuple(py, [Owned::unsigned(py, bits / 8 + 1)?, Owned::text(py, "little")?])?;
        let signed = Owned::dict(py)?;
        signed.get().set_item(py, Owned::text(py, "signed")?.get(), Owned::bool(py, true).get())?;
        let method = self.attribute(py, c"to_bytes")?;
        // SAFETY: attached; callee, tuple and dict are alive.
        unsafe { Owned::from_result(py, ffi::PyObject_Call(method.as_ptr(), arguments.as_ptr(), signed.as_ptr())) }
    }

    /// Real and imaginary part of a complex.
    pub(in crate::cpython) fn complex_parts(self, _: Attached<'_>) -> (f64, f64) {
        // SAFETY: attached, the object is alive; neither call can fail on a complex.
        let real = unsafe { ffi::PyComplex_RealAsDouble(self.as_ptr()) };
        // SAFETY: as above.
        let imaginary = unsafe { ffi::PyComplex_ImagAsDouble(self.as_ptr()) };
        (real, imaginary)
    }

    /// A str as UTF-8, where lone surrogates take three bytes each.
    pub(in crate::cpython) fn surrogate_bytes(self, py: Attached<'_>) -> PyResult<Owned> {
        // SAFETY: attached, the object is alive; both names end with NUL.
        unsafe { Owned::from_result(py, ffi::PyUnicode_AsEncodedString(self.as_ptr(), c"utf-8".as_ptr(), c"surrogatepass".as_ptr())) }
    }

    /// The length of a tuple, list or dict. Errors with TypeError on objects without one.
    pub(in crate::cpython) fn length(self, py: Attached<'_>) -> PyResult<usize> {
        // SAFETY: attached, the object is alive.
        let length = unsafe { ffi::PyObject_Size(self.as_ptr()) };
        usize::try_from(length).map_err(|_| Raised::pending(py))
    }

    /// Item `at` of a tuple. Errors with IndexError beyond its end.
    pub(in crate::cpython) fn tuple_item(self, py: Attached<'_>, at: usize) -> PyResult<Owned> {
        // SAFETY: attached, the object is alive; the call checks class and index.
        let item = unsafe { ffi::PyTuple_GetItem(self.as_ptr(), at as ffi::Py_ssize_t) };
        // SAFETY: NULL with an exception, or lent by the tuple, which is alive.
        unsafe { lent(py, item) }
    }

    /// Item `at` of a list. Errors with IndexError beyond its end.
    pub(in crate::cpython) fn list_item(self, py: Attached<'_>, at: usize) -> PyResult<Owned> {
        // SAFETY: attached, the object is alive; the call checks class and index.
        let item = unsafe { ffi::PyList_GetItem(self.as_ptr(), at as ffi::Py_ssize_t) };
        // SAFETY: NULL with an exception, or lent by the list, which nobody can change before the reference is ours.
        unsafe { lent(py, item) }
    }

    /// The pair of a dict that comes after `place`, which starts as 0 and is moved on; `None` at the end. When the dict is
    /// changed between two calls, pairs may be left out or come twice.
    pub(in crate::cpython) fn dict_next(self, py: Attached<'_>, place: &mut ffi::Py_ssize_t) -> Option<(Owned, Owned)> {
        let (mut key, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: attached, the object is alive; on success both places are set.
        if unsafe { ffi::PyDict_Next(self.as_ptr(), place, &mut key, &mut value) } == 0 {
            return None;
        }
        // SAFETY: lent by the dict, which nobody can change before the references are ours.
        let (key, value) = unsafe { (Borrowed::from_ptr(key), Borrowed::from_ptr(value)) };
        Some((key.to_owned(py), value.to_owned(py)))
    }
}

impl Owned {
    /// The inverse of [`Borrowed::surrogate_bytes`].
    pub(in crate::cpython) fn surrogates(py: Attached<'_>, text: &[u8]) -> PyResult<Owned> {
        let (start, len) = (text.as_ptr().cast(), text.len() as ffi::Py_ssize_t);
        // SAFETY: attached; pointer and length are those of a slice, the name ends with NUL.
        unsafe { Owned::from_result(py, ffi::PyUnicode_DecodeUTF8(start, len, c"surrogatepass".as_ptr())) }
    }
}

/// A reference of our own to what a call has lent.
///
/// # Safety
/// `item` is alive, or NULL with an exception set.
unsafe fn lent(py: Attached<'_>, item: *mut ffi::PyObject) -> PyResult<Owned> {
    if item.is_null() {
        return Err(Raised::pending(py));
    }
    // SAFETY: alive by the caller's promise.
    Ok(unsafe { Borrowed::from_ptr(item) }.to_owned(py))
}

/// Runs the handlers of signals that have come. Errors with what a handler raises. Does nothing but on the main thread of the
/// main interpreter.
pub(in crate::cpython) fn run_signal_handlers(py: Attached<'_>) -> PyResult<()> {
    // SAFETY: attached.
    check(py, unsafe { ffi::PyErr_CheckSignals() }).map(drop)
}

/// Has the main thread of the main interpreter call `work` when it next executes bytecode. Whether it will.
pub(in crate::cpython) fn do_soon(_: Attached<'_>, work: extern "C" fn(*mut c_void) -> c_int) -> bool {
    // SAFETY: attached; the function is never unloaded, and does not look at its argument's target, as there is none.
    unsafe { ffi::Py_AddPendingCall(Some(work), ptr::null_mut()) == 0 }
}
