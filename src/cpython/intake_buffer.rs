//! Arrays out of foreign buffers (PEP 3118).
//!
//! An exporter vouches for its pointer and its strides: nobody can check those. All else that it says is checked, so that an
//! exporter which contradicts itself gets an error.

use std::sync::Arc;

use pyo3_ffi as ffi;

use super::dtypes::spread;
use super::intake::taken;
use super::safe::{Attached, Borrowed, BufferView, PyResult};
use super::state::State;
use crate::array::{ArrayMeta, DType, Dims, MAX_DIMS, Order, Strides};
use crate::error::{Error, Result};
use crate::{Arena, Array};

/// The Array with the elements of an exporter: its memory where that lies in an arena, else a copy in `arena`.
pub(super) fn from_buffer(py: Attached<'_>, state: &State, object: Borrowed<'_>, arena: &Arena) -> PyResult<Array> {
    let mut view = BufferView::of(py, object, ffi::PyBUF_FULL_RO)?;
    let raise = |error| state.errors.raise(py, &error);
    let meta = described(&view).map_err(raise)?;
    if view.has_suboffsets() {
        let mut draft = arena.draft(meta.compact()).map_err(raise)?;
        view.gather(py, draft.bytes_mut())?;
        arena.count_copied(view.len());
        return Ok(draft.freeze());
    }
    // SAFETY: the exporter vouches for the elements, until the view is dropped.
    unsafe { taken(py, state, arena, Arc::new(meta), view.start()) }
}

/// What the exporter says of its elements. Of those behind pointers the strides mean nothing.
fn described(view: &BufferView) -> Result<ArrayMeta> {
    let contradiction = |reason: String| Error::BadLayout { reason: format!("the exporter of this buffer contradicts itself: {reason}") };
    let format = view.format().to_str().map_err(|_| contradiction(format!("format {:?} is not UTF-8", view.format())))?;
    let itemsize = view.itemsize();
    let dtype = DType::from_format(format, itemsize)?;
    let mut shape = shape(view)?;
    // As for NumPy, no product of lengths is too large when one of them is zero.
    let bytes = if shape.contains(&0) { Some(0) } else { shape.iter().try_fold(itemsize, |bytes, &length| bytes.checked_mul(length)) };
    if bytes != Some(view.len()) {
        return Err(contradiction(format!("shape {:?} of {itemsize} bytes each makes not {} bytes", &*shape, view.len())));
    }
    let axes = shape.len();
    let dtype = spread(dtype, &mut shape);
    if view.strides().is_empty() || view.has_suboffsets() {
        return ArrayMeta::contiguous(dtype, &shape, Order::C);
    }
    let mut strides = Strides::from_slice(view.strides());
    let inner = ArrayMeta::contiguous(dtype.clone(), &shape[axes..], Order::C)?;
    strides.extend_from_slice(inner.strides());
    ArrayMeta::strided(dtype, &shape, &strides)
}

fn shape(view: &BufferView) -> Result<Dims> {
    let refused = |reason: String| Err(Error::BadLayout { reason: format!("the exporter of this buffer says {reason}") });
    let (ndim, given) = (view.ndim(), view.shape());
    if ndim > MAX_DIMS {
        return refused(format!("that it has {ndim} axes; an array may have up to {MAX_DIMS}"));
    }
    if ndim == 1 && given.is_empty() {
        // Without a shape, a buffer is one run of items.
        return Ok(Dims::from_slice(&[view.len() / view.itemsize().max(1)]));
    }
    if ndim != given.len() {
        return refused(format!("that it has {ndim} axes, but not how long they are"));
    }
    match given.iter().map(|&length| usize::try_from(length)).collect() {
        Ok(shape) => Ok(shape),
        Err(_) => refused(format!("that its shape is {given:?}")),
    }
}
