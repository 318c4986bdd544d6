//! Conversions for Rust authors of PyO3 modules that are used in the main interpreter (feature `numpy`).
//!
//! ```ignore
//! #[pyfunction]
//! fn frame(py: Python<'_>) -> PyResult<Bound<'_, PyArrayDyn<f32>>> {
//!     let mut draft = CAMERA.draft(meta)?;        // shared memory
//!     grab(draft.as_mut_slice::<f32>()?);
//!     draft.freeze().to_pyarray(py)               // an ndarray on it: nothing is copied
//! }
//! ```
//! `examples/numpy_module` is a whole module. The numpy crate keeps NumPy's tables once for the process, so none of
//! this may run in a sub-interpreter; the extension `crossbuf._core` looks them up in each interpreter instead.

use std::ffi::c_int;
use std::sync::Arc;

use numpy::npyffi::{self, NpyTypes, PY_ARRAY_API};
use numpy::{PyArrayDescrMethods, PyArrayDyn, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::exceptions::{PyBufferError, PyMemoryError, PyValueError};
use pyo3::prelude::*;

use crate::array::ArrayMeta;
use crate::buffer::{Element, LONG_COPY};
use crate::{Arena, Array, Error};

/// The base of an ndarray: keeps the block alive as long as Python looks at it.
#[pyclass(frozen)]
struct Keeper {
    _array: Array,
}

impl Array {
    /// A read-only ndarray on the same memory.
    ///
    /// # Errors
    /// ValueError when the dtype is not that of `T` in this machine's byte order.
    pub fn to_pyarray<'py, T: Element + numpy::Element>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArrayDyn<T>>> {
        T::check(self.meta().dtype())?;
        let keeper = Bound::new(py, Keeper { _array: self.clone() })?;
        let meta = self.meta();
        // SAFETY: NumPy's table is loaded by the first use; the type object lives as long as NumPy, which is never unloaded.
        let class = unsafe { npyffi::get_type_object(py, NpyTypes::PyArray_Type) };
        // SAFETY: shape and strides have `ndim` numbers, copied by the call; flags 0 make the ndarray read-only; the
        // elements are readable as long as the keeper lives, which becomes the base below. The dtype reference is given away.
        let object = unsafe {
            PY_ARRAY_API.PyArray_NewFromDescr(
                py,
                class,
                T::get_dtype(py).into_dtype_ptr(),
                meta.ndim() as c_int,
                meta.shape().as_ptr().cast_mut().cast(),
                meta.strides().as_ptr().cast_mut().cast(),
                self.as_ptr().cast_mut().cast(),
                0,
                std::ptr::null_mut(),
            )
        };
        // SAFETY: a new reference to an ndarray, or NULL with an exception.
        let ndarray = unsafe { Bound::from_owned_ptr_or_err(py, object) }?;
        // SAFETY: a new ndarray without a base; the reference to the keeper is given away.
        let code = unsafe { PY_ARRAY_API.PyArray_SetBaseObject(py, ndarray.as_ptr().cast(), keeper.into_ptr()) };
        if code < 0 {
            return Err(PyErr::fetch(py));
        }
        // SAFETY: an ndarray of `T`, as its dtype was taken from there.
        Ok(unsafe { ndarray.cast_into_unchecked() })
    }
}

impl Arena {
    /// The Array with the elements of an ndarray: the very memory where that lies in an arena already, else a copy in this one.
    ///
    /// # Errors
    /// MemoryError when the arena is full, ValueError when it is closed.
    pub fn share_pyarray<T: Element + numpy::Element>(&self, ndarray: &PyReadonlyArrayDyn<'_, T>) -> PyResult<Array> {
        let meta = Arc::new(ArrayMeta::strided(T::dtype(), ndarray.shape(), ndarray.strides())?);
        let start = ndarray.as_array().as_ptr();
        let meta = match Array::at_address(start.addr(), meta) {
            Ok(array) => return Ok(array),
            Err(meta) => meta,
        };
        let (is_long, source) = (meta.nbytes() >= LONG_COPY, start.expose_provenance());
        let copy = || {
            let source = std::ptr::with_exposed_provenance(source);
            // SAFETY: the ndarray vouches for its elements, and `ndarray` keeps it borrowed for reading during the call.
            unsafe { self.share_from(meta, source) }
        };
        Ok(if is_long { ndarray.py().detach(copy) } else { copy() }?)
    }
}

impl From<Error> for PyErr {
    fn from(error: Error) -> PyErr {
        let message = error.to_string();
        match error {
            Error::ArenaFull { .. } => PyMemoryError::new_err(message),
            Error::System { .. } => std::io::Error::other(message).into(),
            Error::BadLayout { .. } => PyBufferError::new_err(message),
            _ => PyValueError::new_err(message),
        }
    }
}
