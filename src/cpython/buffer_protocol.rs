//! The buffer protocol: Arrays for reading, Drafts for writing.

use std::ffi::{CString, c_int, c_void};

use pyo3_ffi as ffi;

use super::safe::{Attached, Borrowed, PyResult, Raised};
use crate::array::ArrayMeta;

/// Memory that an object of ours is about to export.
pub(super) struct Exported {
    pub(super) start: *mut u8,
    pub(super) writable: bool,
    pub(super) meta: ArrayMeta,
    /// Keeps the memory alive until the consumer releases the view.
    pub(super) keeper: Option<crate::Array>,
}

/// What a view refers to. It lives behind `Py_buffer::internal`.
struct Export {
    meta: ArrayMeta,
    format: CString,
    _keeper: Option<crate::Array>,
}

/// Fills `view` as `flags` ask. Errors with BufferError when the memory does not fit the request.
pub(super) fn fill(py: Attached<'_>, owner: Borrowed<'_>, exported: Exported, view: &mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
    let wants = |flag: c_int| flags & flag == flag;
    let meta = exported.meta;
    let (c, f) = (meta.is_c_contiguous(), meta.is_f_contiguous());
    let refusal = if wants(ffi::PyBUF_WRITABLE) && !exported.writable {
        Some("an Array is read-only; copy it, or fill a Draft (crossbuf.empty) and freeze it")
    } else if wants(ffi::PyBUF_C_CONTIGUOUS) && !c {
        Some("the elements are not C-contiguous")
    } else if wants(ffi::PyBUF_F_CONTIGUOUS) && !f {
        Some("the elements are not Fortran-contiguous")
    } else if wants(ffi::PyBUF_ANY_CONTIGUOUS) && !c && !f {
        Some("the elements are not contiguous")
    } else if !wants(ffi::PyBUF_STRIDES) && !c {
        Some("the elements are not C-contiguous and the request has no place for strides")
    } else if !wants(ffi::PyBUF_ND) && wants(ffi::PyBUF_FORMAT) {
        Some("the request for a format has no place for the shape")
    } else {
        None
    };
    if let Some(refusal) = refusal {
        return Err(Raised::buffer_error(py, refusal));
    }
    let format = if wants(ffi::PyBUF_FORMAT) {
        let format = meta.dtype().to_format().map_err(|error| Raised::buffer_error(py, &error.to_string()))?;
        CString::new(format).map_err(|_| Raised::buffer_error(py, "a field's name holds a NUL character"))?
    } else {
        CString::default()
    };
    let export = Box::new(Export { meta, format, _keeper: exported.keeper });
    *view = ffi::Py_buffer::new();
    view.buf = exported.start.cast();
    view.len = export.meta.nbytes() as ffi::Py_ssize_t;
    view.itemsize = export.meta.dtype().itemsize() as ffi::Py_ssize_t;
    view.readonly = c_int::from(!exported.writable);
    view.ndim = 1;
    if wants(ffi::PyBUF_ND) {
        view.ndim = export.meta.ndim() as c_int;
        // Consumers only read; lengths are below isize::MAX, so both types have the same bits.
        view.shape = export.meta.shape().as_ptr().cast_mut().cast();
    }
    if wants(ffi::PyBUF_STRIDES) {
        view.strides = export.meta.strides().as_ptr().cast_mut();
    }
    if wants(ffi::PyBUF_FORMAT) {
        view.format = export.format.as_ptr().cast_mut();
    }
    view.internal = Box::into_raw(export).cast();
    view.obj = owner.to_owned(py).into_ptr();
    Ok(())
}

/// Ends a view that [`fill`] made.
///
/// # Safety
/// `internal` is what `fill` put there, passed once.
pub(super) unsafe fn release(internal: *mut c_void) {
    if !internal.is_null() {
        // SAFETY: by the caller's promise a Box that nobody else drops.
        drop(unsafe { Box::<Export>::from_raw(internal.cast()) });
    }
}
