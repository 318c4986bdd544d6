//! The memory of other objects, by the buffer protocol.

use std::ffi::{CStr, c_int};

use pyo3_ffi as ffi;

use super::raise::check;
use super::{Attached, Borrowed, PyResult, Raised};

/// A buffer that some object exports, held until drop.
///
/// Invariant 1: `view` was filled by `PyObject_GetBuffer` and not released since, so what it points to is alive and does not move.
/// Invariant 2: the exporter said no negative number of bytes or axes.
pub(in crate::cpython) struct BufferView {
    // Exporters may keep the address of the view, so it does not move.
    view: Box<ffi::Py_buffer>,
}

impl BufferView {
    /// Asks `object` for its buffer. Errors with what the exporter raises: TypeError, BufferError; BufferError, too, when its answer is absurd.
    pub(in crate::cpython) fn of(py: Attached<'_>, object: Borrowed<'_>, flags: c_int) -> PyResult<BufferView> {
        let mut view = Box::new(ffi::Py_buffer::new());
        // SAFETY: attached, the object is alive, the view is ours to fill.
        check(py, unsafe { ffi::PyObject_GetBuffer(object.as_ptr(), &mut *view, flags) })?;
        let view = BufferView { view };
        let ffi::Py_buffer { len, itemsize, ndim, .. } = *view.view;
        if len < 0 || itemsize < 0 || ndim < 0 {
            let class = object.class_name(py);
            let message = format!("the buffer of a {class} has {len} bytes, {itemsize} in each of its items, and {ndim} axes");
            return Err(Raised::buffer_error(py, &message));
        }
        Ok(view)
    }

    pub(in crate::cpython) fn exports(object: Borrowed<'_>) -> bool {
        // SAFETY: the object is alive.
        unsafe { ffi::PyObject_CheckBuffer(object.as_ptr()) != 0 }
    }

    /// Address of the element at index 0 of every axis.
    pub(in crate::cpython) fn start(&self) -> *const u8 {
        self.view.buf.cast_const().cast()
    }

    /// Bytes that all elements take, were they without gaps.
    pub(in crate::cpython) fn len(&self) -> usize {
        self.view.len.unsigned_abs()
    }

    pub(in crate::cpython) fn itemsize(&self) -> usize {
        self.view.itemsize.unsigned_abs()
    }

    /// PEP 3118 format; exporters that leave it out mean `B`.
    pub(in crate::cpython) fn format(&self) -> &CStr {
        if self.view.format.is_null() {
            return c"B";
        }
        // SAFETY: by invariant 1 a live C string.
        unsafe { CStr::from_ptr(self.view.format) }
    }

    /// Number of axes.
    pub(in crate::cpython) fn ndim(&self) -> usize {
        self.view.ndim.unsigned_abs() as usize
    }

    /// Copies all elements to `target` in C order, also where they lie behind pointers.
    ///
    /// # Panics
    /// When `target` has another length than the buffer.
    pub(in crate::cpython) fn gather(&mut self, py: Attached<'_>, target: &mut [u8]) -> PyResult<()> {
        assert_eq!(target.len(), self.len());
        // SAFETY: attached; by invariant 1 the view is filled, and the target has room for all of it.
        let code = unsafe { ffi::PyBuffer_ToContiguous(target.as_mut_ptr().cast(), &*self.view, self.view.len, b'C' as _) };
        check(py, code).map(drop)
    }

    /// Lengths of the axes, where they were asked for.
    pub(in crate::cpython) fn shape(&self) -> &[ffi::Py_ssize_t] {
        self.axes(self.view.shape)
    }

    /// Strides in bytes; empty when the exporter means C order.
    pub(in crate::cpython) fn strides(&self) -> &[ffi::Py_ssize_t] {
        self.axes(self.view.strides)
    }

    /// Whether elements lie behind pointers, as in Pillow-style buffers.
    pub(in crate::cpython) fn has_suboffsets(&self) -> bool {
        self.axes(self.view.suboffsets).iter().any(|&suboffset| suboffset >= 0)
    }

    fn axes(&self, start: *const ffi::Py_ssize_t) -> &[ffi::Py_ssize_t] {
        let ndim = self.ndim();
        if start.is_null() || ndim == 0 {
            return &[];
        }
        // SAFETY: by invariant 1 the exporter keeps one number for each axis.
        unsafe { std::slice::from_raw_parts(start, ndim) }
    }
}

impl Drop for BufferView {
    fn drop(&mut self) {
        // SAFETY: by invariant 1 it is released once. Holders are not `Send` (raw pointers), so the thread is attached.
        unsafe { ffi::PyBuffer_Release(&mut *self.view) }
    }
}
