//! The attributes that tell how elements lie, the same for Arrays and Drafts.

use crate::array::ArrayMeta;
use crate::cpython::safe::{Attached, Owned, PyResult, Raised, This};

/// The value of a class whose instances have dtype, shape and strides.
pub(super) trait Layout {
    /// Errors with ValueError when the instance has given its memory up.
    fn layout(&self, py: Attached<'_>) -> PyResult<ArrayMeta>;
}

pub(super) fn dtype<V: Layout>(this: This<'_, V>, py: Attached<'_>) -> PyResult<Owned> {
    Owned::text(py, &this.layout(py)?.dtype().to_string())
}

pub(super) fn format<V: Layout>(this: This<'_, V>, py: Attached<'_>) -> PyResult<Owned> {
    let format = this.layout(py)?.dtype().to_format().map_err(|error| Raised::value_error(py, &error.to_string()))?;
    Owned::text(py, &format)
}

pub(super) fn itemsize<V: Layout>(this: This<'_, V>, py: Attached<'_>) -> PyResult<Owned> {
    Owned::size(py, this.layout(py)?.dtype().itemsize())
}

pub(super) fn ndim<V: Layout>(this: This<'_, V>, py: Attached<'_>) -> PyResult<Owned> {
    Owned::size(py, this.layout(py)?.ndim())
}

pub(super) fn shape<V: Layout>(this: This<'_, V>, py: Attached<'_>) -> PyResult<Owned> {
    Owned::sizes(py, this.layout(py)?.shape())
}

pub(super) fn strides<V: Layout>(this: This<'_, V>, py: Attached<'_>) -> PyResult<Owned> {
    Owned::distances(py, this.layout(py)?.strides())
}

pub(super) fn size<V: Layout>(this: This<'_, V>, py: Attached<'_>) -> PyResult<Owned> {
    Owned::size(py, this.layout(py)?.size())
}

pub(super) fn nbytes<V: Layout>(this: This<'_, V>, py: Attached<'_>) -> PyResult<Owned> {
    Owned::size(py, this.layout(py)?.nbytes())
}

pub(super) fn c_contiguous<V: Layout>(this: This<'_, V>, py: Attached<'_>) -> PyResult<Owned> {
    Ok(Owned::bool(py, this.layout(py)?.is_c_contiguous()))
}

pub(super) fn f_contiguous<V: Layout>(this: This<'_, V>, py: Attached<'_>) -> PyResult<Owned> {
    Ok(Owned::bool(py, this.layout(py)?.is_f_contiguous()))
}

pub(super) fn contiguous<V: Layout>(this: This<'_, V>, py: Attached<'_>) -> PyResult<Owned> {
    let layout = this.layout(py)?;
    Ok(Owned::bool(py, layout.is_c_contiguous() || layout.is_f_contiguous()))
}
