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

    /// Hands it to `sys.unraisablehook`, where there is nobody to raise it to.
    pub(in crate::cpython) fn report(self, _: Attached<'_>, context: Borrowed<'_>) {
        // SAFETY: attached; by the promise of `Raised` an exception is set; the context is alive.
        unsafe { ffi::PyErr_WriteUnraisable(context.as_ptr()) };
    }

    /// Whether it is an instance of `class`.
    pub(in crate::cpython) fn matches(&self, _: Attached<'_>, class: Borrowed<'_>) -> bool {
        // SAFETY: attached, the class is alive.
        unsafe { ffi::PyErr_ExceptionMatches(class.as_ptr()) != 0 }
    }
}

/// Python's own exception classes: those that are raised with a message, and those that are told apart.
macro_rules! builtin_exceptions {
    (raised { $($raise:ident = $raised_class:ident,)* } told_apart { $($is:ident = $class:ident,)* }) => {
        impl Raised {
            $(pub(in crate::cpython) fn $raise(py: Attached<'_>, message: &str) -> Raised {
                // SAFETY: an immortal exception class of the interpreter, readable while attached.
                Raised::new(py, unsafe { Borrowed::from_ptr(ffi::$raised_class) }, message)
            })*

            $(pub(in crate::cpython) fn $is(&self, py: Attached<'_>) -> bool {
                // SAFETY: an immortal exception class of the interpreter, readable while attached.
                self.matches(py, unsafe { Borrowed::from_ptr(ffi::$class) })
            })*
        }
    };
}

builtin_exceptions! {
    raised {
        buffer_error = PyExc_BufferError,
        import_error = PyExc_ImportError,
        index_error = PyExc_IndexError,
        runtime_error = PyExc_RuntimeError,
        system_exit = PyExc_SystemExit,
        type_error = PyExc_TypeError,
        value_error = PyExc_ValueError,
    }
    told_apart {
        is_attribute_error = PyExc_AttributeError,
        is_import_error = PyExc_ImportError,
        is_overflow_error = PyExc_OverflowError,
        is_type_error = PyExc_TypeError,
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
