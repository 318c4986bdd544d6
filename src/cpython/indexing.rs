//! Basic indices, from Python's objects.

use super::safe::{Attached, Borrowed, Owned, PyResult, Raised};
use crate::array::Index;

/// What stands in the brackets: one index or a tuple of them. Errors with TypeError on anything that is not basic.
pub(super) fn indices(py: Attached<'_>, object: Borrowed<'_>) -> PyResult<Vec<Index>> {
    if object.is_tuple() {
        object.tuple_items(py)?.into_iter().map(|part| index(py, part)).collect()
    } else {
        index(py, object).map(|part| vec![part])
    }
}

fn index(py: Attached<'_>, object: Borrowed<'_>) -> PyResult<Index> {
    if object.is_none() {
        return Ok(Index::NewAxis);
    }
    if object.is_ellipsis() {
        return Ok(Index::Ellipsis);
    }
    if object.is_slice() {
        let part = |name| bound(py, object.attribute(py, name)?);
        return Ok(Index::Slice(part(c"start")?, part(c"stop")?, part(c"step")?));
    }
    // bool has __index__ too, but means a mask. So does every ndarray, which then refuses to be one number.
    let number = if object.is_index() && !object.is_bool() { Some(object.as_index_clipped(py)) } else { None };
    match number {
        Some(Err(raised)) if !raised.is_type_error(py) => Err(raised),
        Some(Ok(number)) => Ok(Index::At(number)),
        refused => {
            if let Some(Err(raised)) = refused {
                drop(raised.take(py));
            }
            let (seen, class) = (object.describe(py), object.class_name(py));
            let message =
                format!("an Array is indexed by ints, slices, ... and None, not by {seen} ({class}); use .numpy() for other indexing");
            Err(Raised::type_error(py, &message))
        }
    }
}

/// One part of a slice.
fn bound(py: Attached<'_>, object: Owned) -> PyResult<Option<isize>> {
    if object.get().is_none() { Ok(None) } else { object.get().as_index_clipped(py).map(Some) }
}
