//! The dtypes and shapes that users ask for.

use pyo3_ffi as ffi;

use super::numpy_dtypes::from_numpy;
use super::safe::{Attached, Borrowed, Owned, PyResult, Raised};
use super::state::State;
use super::{numpy_api, numpy_api::Api};
use crate::array::{ArrayMeta, ByteOrder, DType, Dims, Kind, Order};

/// The meta that `empty(shape, dtype, order=)` asks for: shape an int or a sequence of ints, dtype a text or an `np.dtype`-like.
pub(super) fn requested(
    py: Attached<'_>,
    state: &State,
    shape: Borrowed<'_>,
    dtype: Option<Borrowed<'_>>,
    order: Option<Borrowed<'_>>,
) -> PyResult<ArrayMeta> {
    let mut lengths = lengths(py, shape)?;
    let dtype = match dtype.filter(|dtype| !dtype.is_none()) {
        Some(dtype) => parsed(py, state, dtype)?,
        None => DType::float(8, ByteOrder::NATIVE).map_err(|error| state.errors.raise(py, &error))?,
    };
    let dtype = spread(dtype, &mut lengths);
    let order = match order {
        Some(order) if !order.is_none() => parsed_order(py, order)?,
        _ => Order::C,
    };
    ArrayMeta::contiguous(dtype, &lengths, order).map_err(|error| state.errors.raise(py, &error))
}

/// The dtype of the items, after `shape` has been extended by the axes of a sub-array, as NumPy does it.
pub(super) fn spread(dtype: DType, shape: &mut Dims) -> DType {
    let mut dtype = dtype;
    while let Kind::SubArray(sub) = dtype.kind() {
        shape.extend_from_slice(&sub.1);
        dtype = sub.0.clone();
    }
    dtype
}

fn lengths(py: Attached<'_>, shape: Borrowed<'_>) -> PyResult<Dims> {
    if shape.is_index() {
        return Ok(Dims::from_slice(&[length(py, shape, shape, None)?]));
    }
    let axes = shape.items(py).map_err(|raised| {
        drop(raised.take(py));
        Raised::type_error(py, &format!("shape={} is neither an int nor a sequence of ints", shape.describe(py)))
    })?;
    axes.iter().enumerate().map(|(axis, value)| length(py, shape, value.get(), Some(axis))).collect()
}

fn length(py: Attached<'_>, shape: Borrowed<'_>, value: Borrowed<'_>, axis: Option<usize>) -> PyResult<usize> {
    let about = || match axis {
        Some(axis) => format!("shape={}: length {} of axis {axis}", shape.describe(py), value.describe(py)),
        None => format!("shape={}: the length", shape.describe(py)),
    };
    if !value.is_index() {
        return Err(Raised::type_error(py, &format!("{} is not an int", about())));
    }
    match value.as_index(py) {
        Ok(length) => usize::try_from(length).map_err(|_| Raised::value_error(py, &format!("{} is negative", about()))),
        Err(raised) => {
            drop(raised.take(py));
            Err(Raised::value_error(py, &format!("{} exceeds the address space", about())))
        }
    }
}

fn parsed_order(py: Attached<'_>, order: Borrowed<'_>) -> PyResult<Order> {
    let text = if order.is_str() { order.to_text(py)? } else { String::new() };
    match text.as_str() {
        "C" => Ok(Order::C),
        "F" => Ok(Order::F),
        _ => Err(Raised::value_error(py, &format!("order={} is neither 'C' nor 'F'", order.describe(py)))),
    }
}

/// A dtype from whatever users write for one. Errors with DTypeError, NotShareable, TypeError.
fn parsed(py: Attached<'_>, state: &State, object: Borrowed<'_>) -> PyResult<DType> {
    let api = numpy_api::loaded(py, state)?;
    if let Some(descr) = api.and_then(|api| api.as_descr(py, object)) {
        return from_numpy(py, state, descr);
    }
    if object.is_str() {
        return match (object.as_str(py)?.parse(), api) {
            (Ok(dtype), _) => Ok(dtype),
            // NumPy reads a few more, such as "i4,f4".
            (Err(error), Some(api)) => by_numpy(py, state, api, object).map_err(|raised| {
                drop(raised.take(py));
                state.errors.raise(py, &error)
            }),
            (Err(error), None) => Err(state.errors.raise(py, &error)),
        };
    }
    if let Some(dtype) = builtin_class(object) {
        return Ok(dtype);
    }
    if let Some(api) = api {
        return by_numpy(py, state, api, object);
    }
    match object.find_attribute(py, c"dtype")? {
        Some(text) if text.get().is_str() => parsed(py, state, text.get()),
        _ => {
            let seen = object.describe(py);
            Err(Raised::type_error(py, &format!("dtype={seen} cannot be read without NumPy; give a text such as 'f8' or '<M8[ns]'")))
        }
    }
}

/// What `numpy.dtype(object)` makes of it, or of its attribute `dtype`.
fn by_numpy(py: Attached<'_>, state: &State, api: &Api, object: Borrowed<'_>) -> PyResult<DType> {
    let own = if object.is_class() { None } else { object.find_attribute(py, c"dtype")? };
    let description = own.as_ref().map_or(object, Owned::get);
    let made = api.dtype().call(py, [description])?;
    match api.as_descr(py, made.get()) {
        Some(descr) => from_numpy(py, state, descr),
        None => Err(Raised::type_error(py, &format!("dtype={} gives no numpy.dtype", object.describe(py)))),
    }
}

/// The dtype NumPy uses for Python's own numbers.
fn builtin_class(object: Borrowed<'_>) -> Option<DType> {
    let classes = [
        (&raw mut ffi::PyBool_Type, "?"),
        (&raw mut ffi::PyLong_Type, "i8"),
        (&raw mut ffi::PyFloat_Type, "f8"),
        (&raw mut ffi::PyComplex_Type, "c16"),
    ];
    let (_, text) = classes.into_iter().find(|(class, _)| object.as_ptr() == class.cast())?;
    text.parse().ok()
}
