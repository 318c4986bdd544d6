//! NumPy's objects in memory, as far as every NumPy from 1.7 on lays them out alike.

use std::ffi::{c_char, c_int};

use pyo3_ffi as ffi;

use super::safe::{Attached, Borrowed, Owned};
use crate::array::{ArrayMeta, ByteOrder, Dims, Strides};

/// The head of an ndarray: `PyArrayObject_fields` in `numpy/ndarraytypes.h`.
#[repr(C)]
struct ArrayFields {
    head: ffi::PyObject,
    data: *const u8,
    nd: c_int,
    dimensions: *const isize,
    strides: *const isize,
    base: *mut ffi::PyObject,
    descr: *mut ffi::PyObject,
}

/// The head of a dtype: what `PyArray_Descr` in `numpy/ndarraytypes.h` has in NumPy 1 and in NumPy 2.
#[repr(C)]
struct DescrFields {
    head: ffi::PyObject,
    scalar: *mut ffi::PyTypeObject,
    kind: c_char,
    letter: c_char,
    byteorder: c_char,
    flags: c_char,
    number: c_int,
}

/// An ndarray, or an instance of a class derived from it.
///
/// Invariant 1: its memory begins with `ArrayFields`, and it is alive for `'a`.
#[derive(Clone, Copy)]
pub(super) struct NdArray<'a>(Borrowed<'a>);

/// A dtype.
///
/// Invariant 1: its memory begins with `DescrFields`, and it is alive for `'a`.
#[derive(Clone, Copy)]
pub(super) struct Descr<'a>(Borrowed<'a>);

/// What these functions give is so at one moment: any Python code that runs may change it.
impl<'a> NdArray<'a> {
    /// # Safety
    /// `object` is an ndarray, alive for `'a`.
    pub(super) unsafe fn new(object: Borrowed<'a>) -> NdArray<'a> {
        NdArray(object)
    }

    fn fields(self) -> *const ArrayFields {
        self.0.as_ptr().cast_const().cast()
    }

    pub(super) fn object(self) -> Borrowed<'a> {
        self.0
    }

    /// Its dtype object.
    pub(super) fn descr(self, py: Attached<'_>) -> Owned {
        // SAFETY: by invariant 1; attached, so nobody writes to it now.
        let descr = unsafe { (*self.fields()).descr };
        // SAFETY: an ndarray always has a dtype, which it keeps alive.
        unsafe { Borrowed::from_ptr(descr) }.to_owned(py)
    }

    /// NumPy's number for its dtype, and the order of its bytes.
    pub(super) fn number(self, _: Attached<'_>) -> (c_int, ByteOrder) {
        // SAFETY: by invariant 1; attached, so nobody writes to it now.
        let descr = unsafe { (*self.fields()).descr };
        // SAFETY: an ndarray always has a dtype, which it keeps alive until Python code runs.
        let descr = unsafe { Descr::new(Borrowed::from_ptr(descr)) };
        (descr.number(), descr.order())
    }

    /// The element at index 0 of every axis.
    pub(super) fn start(self, _: Attached<'_>) -> *const u8 {
        // SAFETY: by invariant 1; attached, so nobody writes to it now.
        unsafe { (*self.fields()).data }
    }

    /// Its shape and strides.
    pub(super) fn layout(self, py: Attached<'_>) -> (Dims, Strides) {
        self.axes(py, |shape, strides| (shape.iter().map(|length| length.unsigned_abs()).collect(), Strides::from_slice(strides)))
    }

    /// Whether it has the shape and the strides of `meta`.
    pub(super) fn lies_as(self, py: Attached<'_>, meta: &ArrayMeta) -> bool {
        self.axes(py, |shape, strides| {
            strides == meta.strides() && shape.iter().map(|length| length.unsigned_abs()).eq(meta.shape().iter().copied())
        })
    }

    /// A number that is the same for all of that shape, and rarely for others.
    pub(super) fn shape_hash(self, py: Attached<'_>) -> usize {
        self.axes(py, |shape, _| {
            shape.iter().fold(shape.len(), |hash, length| (hash ^ length.unsigned_abs()).wrapping_mul(0x9e37_79b9_7f4a_7c15))
        })
    }

    /// Calls `look` with the shape and the strides. It runs no Python code, which might change them.
    fn axes<R>(self, _: Attached<'_>, look: impl FnOnce(&[isize], &[isize]) -> R) -> R {
        // SAFETY: by invariant 1; attached, and nothing below runs Python code, so nobody writes to it meanwhile.
        let fields = unsafe { &*self.fields() };
        let ndim = fields.nd.unsigned_abs() as usize;
        if ndim == 0 {
            return look(&[], &[]);
        }
        // SAFETY: NumPy keeps one length for each axis.
        let shape = unsafe { std::slice::from_raw_parts(fields.dimensions, ndim) };
        // SAFETY: NumPy keeps one stride for each axis.
        let strides = unsafe { std::slice::from_raw_parts(fields.strides, ndim) };
        look(shape, strides)
    }
}

impl<'a> Descr<'a> {
    /// # Safety
    /// `object` is a `numpy.dtype`, alive for `'a`.
    pub(super) unsafe fn new(object: Borrowed<'a>) -> Descr<'a> {
        Descr(object)
    }

    pub(super) fn object(self) -> Borrowed<'a> {
        self.0
    }

    /// NumPy's number for the type, one of `NPY_TYPES`.
    pub(super) fn number(self) -> c_int {
        // SAFETY: by invariant 1; the number of a dtype never changes.
        unsafe { (*self.0.as_ptr().cast::<DescrFields>()).number }
    }

    /// The order of its bytes, where they have one.
    pub(super) fn order(self) -> ByteOrder {
        // SAFETY: by invariant 1; the byte order of a dtype never changes.
        match unsafe { (*self.0.as_ptr().cast::<DescrFields>()).byteorder } as u8 {
            b'<' => ByteOrder::Little,
            b'>' => ByteOrder::Big,
            _ => ByteOrder::NATIVE,
        }
    }
}
