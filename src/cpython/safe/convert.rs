//! Numbers, texts and containers, both ways.

use std::ffi::c_void;
use std::mem::MaybeUninit;

use pyo3_ffi as ffi;

use super::raise::{check, raised};
use super::{Attached, Borrowed, Owned, PyResult, Raised};

impl Owned {
    pub(in crate::cpython) fn text(py: Attached<'_>, text: &str) -> PyResult<Owned> {
        // SAFETY: attached; pointer and length are those of a str.
        unsafe { Owned::from_result(py, ffi::PyUnicode_FromStringAndSize(text.as_ptr().cast(), text.len() as ffi::Py_ssize_t)) }
    }

    /// A str of these code points, which may be surrogates. Errors with UnicodeDecodeError on numbers beyond them.
    pub(in crate::cpython) fn code_points(py: Attached<'_>, points: &[u32]) -> PyResult<Owned> {
        let bytes = size_of_val(points) as ffi::Py_ssize_t;
        let mut order = if cfg!(target_endian = "little") { -1 } else { 1 };
        // SAFETY: attached; pointer and length are those of a slice, the name of the error handler ends with NUL.
        unsafe {
            let text = ffi::PyUnicode_DecodeUTF32(points.as_ptr().cast(), bytes, c"surrogatepass".as_ptr(), &mut order);
            Owned::from_result(py, text)
        }
    }

    pub(in crate::cpython) fn bytes(py: Attached<'_>, bytes: &[u8]) -> PyResult<Owned> {
        // SAFETY: attached; pointer and length are those of a slice.
        unsafe { Owned::from_result(py, ffi::PyBytes_FromStringAndSize(bytes.as_ptr().cast(), bytes.len() as ffi::Py_ssize_t)) }
    }

    /// Bytes which `write` writes, all of them.
    pub(in crate::cpython) fn bytes_written(py: Attached<'_>, len: usize, write: impl FnOnce(&mut [MaybeUninit<u8>])) -> PyResult<Owned> {
        // SAFETY: attached; without a source the bytes are uninitialized.
        let made = unsafe { Owned::from_result(py, ffi::PyBytes_FromStringAndSize(std::ptr::null(), len as ffi::Py_ssize_t)) }?;
        // SAFETY: attached, a bytes object.
        let start = unsafe { ffi::PyBytes_AsString(made.as_ptr()) };
        // SAFETY: so many bytes, of an object which nobody else knows yet.
        write(unsafe { std::slice::from_raw_parts_mut(start.cast(), len) });
        Ok(made)
    }

    pub(in crate::cpython) fn bool(_: Attached<'_>, value: bool) -> Owned {
        let pointer = if value { ffi::Py_True } else { ffi::Py_False };
        // SAFETY: both are objects of every interpreter; the new reference is ours.
        unsafe { Owned::from_ptr(ffi::Py_NewRef(pointer())) }
    }

    pub(in crate::cpython) fn int(py: Attached<'_>, value: i64) -> PyResult<Owned> {
        // SAFETY: attached.
        unsafe { Owned::from_result(py, ffi::PyLong_FromLongLong(value)) }
    }

    pub(in crate::cpython) fn unsigned(py: Attached<'_>, value: u64) -> PyResult<Owned> {
        // SAFETY: attached.
        unsafe { Owned::from_result(py, ffi::PyLong_FromUnsignedLongLong(value)) }
    }

    pub(in crate::cpython) fn size(py: Attached<'_>, value: usize) -> PyResult<Owned> {
        // SAFETY: attached.
        unsafe { Owned::from_result(py, ffi::PyLong_FromSize_t(value)) }
    }

    /// An int of any size from its bytes in two's complement, least significant first.
    pub(in crate::cpython) fn big_int(py: Attached<'_>, bytes: &[u8]) -> PyResult<Owned> {
        // SAFETY: the class of ints is an object of every interpreter.
        let class = unsafe { Borrowed::from_ptr((&raw mut ffi::PyLong_Type).cast()) };
        let (bytes, little) = (Owned::bytes(py, bytes)?, Owned::text(py, "little")?);
        let signed = Owned::dict(py)?;
        signed.get().set_item(py, Owned::text(py, "signed")?.get(), Owned::bool(py, true).get())?;
        let positional = Owned::tuple(py, [bytes, little])?;
        let method = class.attribute(py, c"from_bytes")?;
        // SAFETY: attached; callee, tuple and dict are alive.
        unsafe { Owned::from_result(py, ffi::PyObject_Call(method.as_ptr(), positional.as_ptr(), signed.as_ptr())) }
    }

    pub(in crate::cpython) fn float(py: Attached<'_>, value: f64) -> PyResult<Owned> {
        // SAFETY: attached.
        unsafe { Owned::from_result(py, ffi::PyFloat_FromDouble(value)) }
    }

    pub(in crate::cpython) fn complex(py: Attached<'_>, real: f64, imaginary: f64) -> PyResult<Owned> {
        // SAFETY: attached.
        unsafe { Owned::from_result(py, ffi::PyComplex_FromDoubles(real, imaginary)) }
    }

    pub(in crate::cpython) fn tuple(
        py: Attached<'_>,
        items: impl IntoIterator<Item = Owned, IntoIter: ExactSizeIterator>,
    ) -> PyResult<Owned> {
        let items = items.into_iter();
        // SAFETY: attached.
        let tuple = unsafe { Owned::from_result(py, ffi::PyTuple_New(items.len() as ffi::Py_ssize_t)) }?;
        for (at, item) in items.enumerate() {
            // SAFETY: the tuple is new and has place `at`; the call takes the reference over.
            unsafe { ffi::PyTuple_SetItem(tuple.as_ptr(), at as ffi::Py_ssize_t, item.into_ptr()) };
        }
        Ok(tuple)
    }

    pub(in crate::cpython) fn list(
        py: Attached<'_>,
        items: impl IntoIterator<Item = Owned, IntoIter: ExactSizeIterator>,
    ) -> PyResult<Owned> {
        let items = items.into_iter();
        // SAFETY: attached.
        let list = unsafe { Owned::from_result(py, ffi::PyList_New(items.len() as ffi::Py_ssize_t)) }?;
        for (at, item) in items.enumerate() {
            // SAFETY: the list is new and has place `at`; the call takes the reference over.
            unsafe { ffi::PyList_SetItem(list.as_ptr(), at as ffi::Py_ssize_t, item.into_ptr()) };
        }
        Ok(list)
    }

    pub(in crate::cpython) fn dict(py: Attached<'_>) -> PyResult<Owned> {
        // SAFETY: attached.
        unsafe { Owned::from_result(py, ffi::PyDict_New()) }
    }

    /// A tuple of sizes, as `shape` is.
    pub(in crate::cpython) fn sizes(py: Attached<'_>, sizes: &[usize]) -> PyResult<Owned> {
        let items = sizes.iter().map(|&size| Owned::size(py, size)).collect::<PyResult<Vec<_>>>()?;
        Owned::tuple(py, items)
    }

    /// A tuple of distances, as `strides` is.
    pub(in crate::cpython) fn distances(py: Attached<'_>, distances: &[isize]) -> PyResult<Owned> {
        let items = distances.iter().map(|&distance| Owned::int(py, distance as i64)).collect::<PyResult<Vec<_>>>()?;
        Owned::tuple(py, items)
    }
}

impl<'a> Borrowed<'a> {
    /// The text of the argument `name`. Errors as `as_str`, in words of the argument.
    pub(in crate::cpython) fn text_argument(self, py: Attached<'_>, name: &str) -> PyResult<&'a str> {
        if !self.is_str() {
            return Err(Raised::type_error(py, &format!("{name}={} is not a str", self.describe(py))));
        }
        self.as_str(py)
    }

    /// Errors with TypeError unless it is a str, UnicodeEncodeError where it has lone surrogates.
    pub(in crate::cpython) fn as_str(self, py: Attached<'_>) -> PyResult<&'a str> {
        let mut len = 0;
        // SAFETY: attached, the object is alive.
        let start = unsafe { ffi::PyUnicode_AsUTF8AndSize(self.as_ptr(), &mut len) };
        if start.is_null() {
            return Err(Raised::pending(py));
        }
        // SAFETY: `len` bytes, cached in the str and immutable as long as it lives, which is `'a`.
        let bytes = unsafe { std::slice::from_raw_parts(start.cast(), len.unsigned_abs()) };
        // SAFETY: CPython promises UTF-8.
        Ok(unsafe { std::str::from_utf8_unchecked(bytes) })
    }

    pub(in crate::cpython) fn to_text(self, py: Attached<'_>) -> PyResult<String> {
        self.as_str(py).map(str::to_owned)
    }

    /// The content of a bytes object. Errors with TypeError.
    pub(in crate::cpython) fn as_bytes(self, py: Attached<'_>) -> PyResult<&'a [u8]> {
        let (mut start, mut len) = (std::ptr::null_mut(), 0);
        // SAFETY: attached, the object is alive; on success both places are set.
        check(py, unsafe { ffi::PyBytes_AsStringAndSize(self.as_ptr(), &mut start, &mut len) })?;
        // SAFETY: `len` immutable bytes in an object that lives for `'a`.
        Ok(unsafe { std::slice::from_raw_parts(start.cast(), len.unsigned_abs()) })
    }

    /// Errors with TypeError unless it is an integer, OverflowError when it does not fit.
    pub(in crate::cpython) fn as_i64(self, py: Attached<'_>) -> PyResult<i64> {
        // SAFETY: attached, the object is alive.
        let value = unsafe { ffi::PyLong_AsLongLong(self.as_ptr()) };
        if value == -1 && raised(py) { Err(Raised::pending(py)) } else { Ok(value) }
    }

    /// Errors as [`Borrowed::as_i64`].
    pub(in crate::cpython) fn as_u64(self, py: Attached<'_>) -> PyResult<u64> {
        // SAFETY: attached, the object is alive.
        let value = unsafe { ffi::PyLong_AsUnsignedLongLong(self.as_ptr()) };
        if value == u64::MAX && raised(py) { Err(Raised::pending(py)) } else { Ok(value) }
    }

    /// An index: anything with `__index__`. Values beyond `isize` are clipped, as slices do.
    pub(in crate::cpython) fn as_index_clipped(self, py: Attached<'_>) -> PyResult<isize> {
        // SAFETY: attached, the object is alive; NULL asks for clipping.
        let value = unsafe { ffi::PyNumber_AsSsize_t(self.as_ptr(), std::ptr::null_mut()) };
        if value == -1 && raised(py) { Err(Raised::pending(py)) } else { Ok(value) }
    }

    /// An index: anything with `__index__`. Errors with TypeError, or OverflowError beyond `isize`.
    pub(in crate::cpython) fn as_index(self, py: Attached<'_>) -> PyResult<isize> {
        // SAFETY: attached, the object is alive, the class of the error is immortal.
        let value = unsafe { ffi::PyNumber_AsSsize_t(self.as_ptr(), ffi::PyExc_OverflowError) };
        if value == -1 && raised(py) { Err(Raised::pending(py)) } else { Ok(value) }
    }

    /// Whether it has `__index__`.
    pub(in crate::cpython) fn is_index(self) -> bool {
        // SAFETY: the object is alive.
        unsafe { ffi::PyIndex_Check(self.as_ptr()) != 0 }
    }

    pub(in crate::cpython) fn as_f64(self, py: Attached<'_>) -> PyResult<f64> {
        // SAFETY: attached, the object is alive.
        let value = unsafe { ffi::PyFloat_AsDouble(self.as_ptr()) };
        if value == -1.0 && raised(py) { Err(Raised::pending(py)) } else { Ok(value) }
    }

    pub(in crate::cpython) fn is_truthy(self, py: Attached<'_>) -> PyResult<bool> {
        // SAFETY: attached, the object is alive.
        check(py, unsafe { ffi::PyObject_IsTrue(self.as_ptr()) }).map(|answer| answer == 1)
    }

    /// Whether it is an instance of one of the basic classes, which CPython flags in the class.
    fn has_class_flag(self, flag: std::ffi::c_ulong) -> bool {
        // SAFETY: the object is alive, so its class is too.
        unsafe { ffi::PyType_HasFeature(ffi::Py_TYPE(self.as_ptr()), flag) != 0 }
    }

    pub(in crate::cpython) fn is_int(self) -> bool {
        self.has_class_flag(ffi::Py_TPFLAGS_LONG_SUBCLASS)
    }

    pub(in crate::cpython) fn is_str(self) -> bool {
        self.has_class_flag(ffi::Py_TPFLAGS_UNICODE_SUBCLASS)
    }

    pub(in crate::cpython) fn is_tuple(self) -> bool {
        self.has_class_flag(ffi::Py_TPFLAGS_TUPLE_SUBCLASS)
    }

    pub(in crate::cpython) fn is_class(self) -> bool {
        self.has_class_flag(ffi::Py_TPFLAGS_TYPE_SUBCLASS)
    }

    pub(in crate::cpython) fn is_bool(self) -> bool {
        // SAFETY: reads the addresses of two objects only.
        let (yes, no) = unsafe { (ffi::Py_True(), ffi::Py_False()) };
        self.as_ptr() == yes || self.as_ptr() == no
    }

    pub(in crate::cpython) fn is_ellipsis(self) -> bool {
        // SAFETY: reads an address only.
        self.as_ptr() == unsafe { ffi::Py_Ellipsis() }
    }

    pub(in crate::cpython) fn is_slice(self) -> bool {
        // SAFETY: the object is alive.
        unsafe { ffi::PySlice_Check(self.as_ptr()) != 0 }
    }

    /// Items of a tuple. Errors with SystemError on anything else.
    pub(in crate::cpython) fn tuple_items(self, py: Attached<'_>) -> PyResult<Vec<Borrowed<'a>>> {
        // SAFETY: attached, the object is alive.
        let len = unsafe { ffi::PyTuple_Size(self.as_ptr()) };
        if len < 0 {
            return Err(Raised::pending(py));
        }
        let item = |at| {
            // SAFETY: a tuple, as its size could be read; `at` is below it, and tuples do not change.
            let item = unsafe { ffi::PyTuple_GetItem(self.as_ptr(), at) };
            // SAFETY: not NULL for an index in range; the tuple keeps it alive.
            unsafe { Borrowed::from_ptr(item) }
        };
        Ok((0..len).map(item).collect())
    }

    /// Items of any iterable, as a list of owned references.
    pub(in crate::cpython) fn items(self, py: Attached<'_>) -> PyResult<Vec<Owned>> {
        // SAFETY: attached, the object is alive.
        let tuple = unsafe { Owned::from_result(py, ffi::PySequence_Tuple(self.as_ptr())) }?;
        Ok(tuple.get().tuple_items(py)?.into_iter().map(|item| item.to_owned(py)).collect())
    }

    pub(in crate::cpython) fn set_item(self, py: Attached<'_>, key: Borrowed<'_>, value: Borrowed<'_>) -> PyResult<()> {
        // SAFETY: attached, all three are alive.
        check(py, unsafe { ffi::PyObject_SetItem(self.as_ptr(), key.as_ptr(), value.as_ptr()) }).map(drop)
    }

    pub(in crate::cpython) fn item(self, py: Attached<'_>, key: Borrowed<'_>) -> PyResult<Owned> {
        // SAFETY: attached, both are alive.
        unsafe { Owned::from_result(py, ffi::PyObject_GetItem(self.as_ptr(), key.as_ptr())) }
    }

    /// The address that a capsule of that name, or of none, holds.
    pub(in crate::cpython) fn capsule(self, py: Attached<'_>, name: Option<&std::ffi::CStr>) -> PyResult<*mut c_void> {
        let name = name.map_or(std::ptr::null(), std::ffi::CStr::as_ptr);
        // SAFETY: attached, the object is alive, the name is NULL or ends with NUL.
        let pointer = unsafe { ffi::PyCapsule_GetPointer(self.as_ptr(), name) };
        if pointer.is_null() { Err(Raised::pending(py)) } else { Ok(pointer) }
    }
}
