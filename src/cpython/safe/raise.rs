//! Exceptions as a type.

use std::ffi::CString;

use pyo3_ffi as ffi;

use super::{Attached, Borrowed, Owned};

/// What a C API call that may raise returns.
pub(in crate::cpython) type PyResult<T> = Result<T, Raised>;

/// The interpreter of this thread holds an exception.
#[derive(Debug)]
#[must_use]
pub(in crate::cpython) struct Raised(());

impl Raised {
    /// Sets `class(message)`.
    pub(in crate::cpython) fn new(_: Attached<'_>, class: Borrowed<'_>, message: &str) -> Raised {
        // NUL bytes cannot be in a C string; no message of ours needs them.
        let message = CString::new(message.replace('\0', "\\0")).unwrap_or_default();
        // SAFETY: attached; the class is alive, the message ends with NUL.
        unsafe { ffi::PyErr_SetString(class.as_ptr(), message.as_ptr()) };
        Raised(())
    }

    pub(in crate::cpython) fn type_error(py: Attached<'_>, message: &str) -> Raised {
        // SAFETY: an immortal exception class of the interpreter, readable while attached.
        Raised::new(py, unsafe { Borrowed::from_ptr(ffi::PyExc_TypeError) }, message)
    }

    pub(in crate::cpython) fn value_error(py: Attached<'_>, message: &str) -> Raised {
        // SAFETY: as in `type_error`.
        Raised::new(py, unsafe { Borrowed::from_ptr(ffi::PyExc_ValueError) }, message)
    }

    pub(in crate::cpython) fn index_error(py: Attached<'_>, message: &str) -> Raised {
        // SAFETY: as in `type_error`.
        Raised::new(py, unsafe { Borrowed::from_ptr(ffi::PyExc_IndexError) }, message)
    }

    pub(in crate::cpython) fn buffer_error(py: Attached<'_>, message: &str) -> Raised {
        // SAFETY: as in `type_error`.
        Raised::new(py, unsafe { Borrowed::from_ptr(ffi::PyExc_BufferError) }, message)
    }

    pub(in crate::cpython) fn system_exit(py: Attached<'_>, message: &str) -> Raised {
        // SAFETY: as in `type_error`.
        Raised::new(py, unsafe { Borrowed::from_ptr(ffi::PyExc_SystemExit) }, message)
    }

    pub(in crate::cpython) fn runtime_error(py: Attached<'_>, message: &str) -> Raised {
        // SAFETY: as in `type_error`.
        Raised::new(py, unsafe { Borrowed::from_ptr(ffi::PyExc_RuntimeError) }, message)
    }

    pub(in crate::cpython) fn import_error(py: Attached<'_>, message: &str) -> Raised {
        // SAFETY: as in `type_error`.
        Raised::new(py, unsafe { Borrowed::from_ptr(ffi::PyExc_ImportError) }, message)
    }

    /// The exception that is set now, as a C API call that failed has promised.
    pub(super) fn pending(_: Attached<'_>) -> Raised {
        Raised(())
    }

    /// As [`Raised::pending`], for functions that are called by their address.
    ///
    /// # Safety
    /// A call has just failed, and sets an exception when it does.
    pub(in crate::cpython) unsafe fn promised(py: Attached<'_>) -> Raised {
        Raised::pending(py)
    }

    /// Takes the exception away, as `except` does.
    pub(in crate::cpython) fn take(self, _: Attached<'_>) -> Owned {
        // SAFETY: attached; by the promise of `Raised` an exception is set, so the result is a new reference to it.
        unsafe { Owned::from_ptr(ffi::PyErr_GetRaisedException()) }
    }

    /// Whether it is an instance of `class`.
    pub(in crate::cpython) fn matches(&self, _: Attached<'_>, class: Borrowed<'_>) -> bool {
        // SAFETY: attached, the class is alive.
        unsafe { ffi::PyErr_ExceptionMatches(class.as_ptr()) != 0 }
    }

    pub(in crate::cpython) fn is_import_error(&self, py: Attached<'_>) -> bool {
        // SAFETY: an immortal exception class of the interpreter, readable while attached.
        self.matches(py, unsafe { Borrowed::from_ptr(ffi::PyExc_ImportError) })
    }

    pub(in crate::cpython) fn is_overflow_error(&self, py: Attached<'_>) -> bool {
        // SAFETY: as in `is_import_error`.
        self.matches(py, unsafe { Borrowed::from_ptr(ffi::PyExc_OverflowError) })
    }

    pub(in crate::cpython) fn is_type_error(&self, py: Attached<'_>) -> bool {
        // SAFETY: as in `is_import_error`.
        self.matches(py, unsafe { Borrowed::from_ptr(ffi::PyExc_TypeError) })
    }

    pub(in crate::cpython) fn is_attribute_error(&self, py: Attached<'_>) -> bool {
        // SAFETY: as in `is_import_error`.
        self.matches(py, unsafe { Borrowed::from_ptr(ffi::PyExc_AttributeError) })
    }
}

/// Sets again an exception that [`Raised::take`] gave.
pub(in crate::cpython) fn restore(py: Attached<'_>, exception: Owned) -> Raised {
    // SAFETY: attached; the call takes the reference over.
    unsafe { ffi::PyErr_SetRaisedException(exception.into_ptr()) };
    Raised::pending(py)
}

/// `Ok` unless a C API call returned -1 (or another negative number).
pub(in crate::cpython) fn check(py: Attached<'_>, code: std::ffi::c_int) -> PyResult<std::ffi::c_int> {
    if code < 0 { Err(Raised::pending(py)) } else { Ok(code) }
}

/// Whether an exception is set, where a return value alone does not tell.
pub(super) fn raised(_: Attached<'_>) -> bool {
    // SAFETY: attached.
    unsafe { !ffi::PyErr_Occurred().is_null() }
}

impl Raised {
    /// `OSError(errno, message)`, which picks the subclass by the number.
    pub(in crate::cpython) fn os_error(py: Attached<'_>, errno: i32, message: &str) -> Raised {
        // SAFETY: an immortal exception class of the interpreter, readable while attached.
        let class = unsafe { Borrowed::from_ptr(ffi::PyExc_OSError) };
        let made = Owned::int(py, errno.into()).and_then(|errno| class.call(py, [errno.get(), Owned::text(py, message)?.get()]));
        match made {
            Ok(exception) => restore(py, exception),
            Err(raised) => raised,
        }
    }
}
