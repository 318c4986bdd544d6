//! `numpy.dtype` to [`DType`] and back.
//!
//! | | NumPy to Rust | Rust to NumPy |
//! |---|---|---|
//! | builtin numbers | by `type_num` and byte order | by type number, in this machine's order |
//! | S, U, V, M8, m8, numbers in the other order | by `dtype.str` | by the same text |
//! | records, sub-arrays | by their attributes | by a dict, by a pair |
//! | ml_dtypes | by name | by name |
//!
//! What the first row does not cover is kept in a [`DTypeCache`]. A record's scalar class (`numpy.record`) and a dtype's
//! `metadata` are left behind.

use std::ffi::c_int;

pub(super) use super::dtype_cache::DTypeCache;
use super::dtype_cache::Known;
use super::numpy_api::Api;
use super::numpy_layout::Descr;
use super::safe::{Attached, Borrowed, Owned, PyResult, Raised};
use super::state::State;
use crate::array::{ByteOrder, DType, Field, Kind, Record};
use crate::error::Error;

/// From here on NumPy numbers the types that others have registered, and its own which are not of fixed size.
const FIRST_REGISTERED: c_int = 256;

/// The builtin number of that type number (`NPY_TYPES`), where C's `long` has eight bytes.
pub(super) fn builtin(number: c_int, order: ByteOrder) -> Option<DType> {
    let made = match number {
        0 => Ok(DType::bool()),
        1 => DType::int(1, order),
        2 => DType::uint(1, order),
        3 => DType::int(2, order),
        4 => DType::uint(2, order),
        5 => DType::int(4, order),
        6 => DType::uint(4, order),
        7 | 9 => DType::int(8, order),
        8 | 10 => DType::uint(8, order),
        11 => DType::float(4, order),
        12 => DType::float(8, order),
        13 => DType::float(16, order),
        14 => DType::complex(8, order),
        15 => DType::complex(16, order),
        16 => DType::complex(32, order),
        23 => DType::float(2, order),
        _ => return None,
    };
    made.ok()
}

/// NumPy's number of a builtin number in this machine's byte order.
pub(super) fn number(dtype: &DType) -> Option<c_int> {
    if !dtype.is_native() {
        return None;
    }
    Some(match (dtype.kind(), dtype.itemsize()) {
        (Kind::Bool, _) => 0,
        (Kind::Int, 1) => 1,
        (Kind::UInt, 1) => 2,
        (Kind::Int, 2) => 3,
        (Kind::UInt, 2) => 4,
        (Kind::Int, 4) => 5,
        (Kind::UInt, 4) => 6,
        (Kind::Int, 8) => 7,
        (Kind::UInt, 8) => 8,
        (Kind::Float, 4) => 11,
        (Kind::Float, 8) => 12,
        (Kind::Float, 16) => 13,
        (Kind::Complex, 8) => 14,
        (Kind::Complex, 16) => 15,
        (Kind::Complex, 32) => 16,
        (Kind::Float, 2) => 23,
        _ => return None,
    })
}

/// What `descr` means. Errors with NotShareable for objects, strings of variable length and dtypes unknown to crossbuf.
pub(super) fn from_numpy(py: Attached<'_>, state: &State, descr: Descr<'_>) -> PyResult<DType> {
    if let Some(dtype) = builtin(descr.number(), descr.order()) {
        return Ok(dtype);
    }
    let cache = &state.numpy.dtypes;
    if let Some(known) = cache.of_object(py, descr)? {
        return Ok(known.dtype.clone());
    }
    let known = learn(py, state, descr)?;
    let dtype = known.dtype.clone();
    cache.learn_object(known);
    Ok(dtype)
}

/// The `numpy.dtype` that means `dtype`. Errors with ImportError where the package it comes from is missing.
pub(super) fn to_numpy(py: Attached<'_>, state: &State, api: &Api, dtype: &DType) -> PyResult<Owned> {
    let cache = &state.numpy.dtypes;
    let hand_out = |known: &Known| match known.records.as_slice() {
        [] => Ok(known.descr().object().to_owned(py)),
        // Names may be assigned to, so nobody gets the one that is kept.
        _ => api.copied(py, known.descr()),
    };
    if let Some(known) = cache.of_dtype(py, dtype)? {
        return hand_out(&known);
    }
    let object = build(py, api, dtype)?;
    let mut records = Vec::new();
    // SAFETY: `build` calls the class of dtypes.
    let descr = unsafe { Descr::new(object.get()) };
    read(py, descr.object(), &mut records).map_err(|refusal| refusal.raise(py, state))?;
    // SAFETY: as above.
    let known = unsafe { Known::new(object, dtype.clone(), records) };
    let handed_out = hand_out(&known)?;
    cache.learn_dtype(known);
    Ok(handed_out)
}

fn learn(py: Attached<'_>, state: &State, descr: Descr<'_>) -> PyResult<Known> {
    let mut records = Vec::new();
    let dtype = read(py, descr.object(), &mut records).map_err(|refusal| refusal.raise(py, state))?;
    // SAFETY: a `Descr` is a dtype.
    Ok(unsafe { Known::new(descr.object().to_owned(py), dtype, records) })
}

/// Why a dtype could not be read.
enum Refusal {
    Raised(Raised),
    Refused(Error),
}

impl From<Raised> for Refusal {
    fn from(raised: Raised) -> Self {
        Refusal::Raised(raised)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Refusal::Refused(error)
    }
}

impl Refusal {
    fn raise(self, py: Attached<'_>, state: &State) -> Raised {
        match self {
            Refusal::Raised(raised) => raised,
            Refusal::Refused(error) => state.errors.raise(py, &error),
        }
    }

    /// The same, with the name of the field that it is about.
    fn of_field(self, name: &str) -> Refusal {
        match self {
            Refusal::Refused(Error::NotShareable { dtype, reason }) => {
                Refusal::Refused(Error::NotShareable { dtype: format!("{dtype} of field {name:?}"), reason })
            }
            other => other,
        }
    }
}

/// Reads a `numpy.dtype` by its attributes; adds the records in it to `records`, with their names.
fn read(py: Attached<'_>, descr: Borrowed<'_>, records: &mut Vec<(Owned, Owned)>) -> Result<DType, Refusal> {
    let attribute = |name| descr.attribute(py, name);
    let text = |name| attribute(name)?.get().to_text(py);
    let sub = attribute(c"subdtype")?;
    if sub.get().is_tuple() {
        let &[base, shape] = sub.get().tuple_items(py)?.as_slice() else { return Err(unknown(py, descr)) };
        let shape = shape.tuple_items(py)?.into_iter().map(|length| length.as_u64(py).map(|n| n as usize)).collect::<PyResult<Vec<_>>>()?;
        return Ok(DType::sub_array(read(py, base, records)?, &shape)?);
    }
    let names = attribute(c"names")?;
    if names.get().is_tuple() {
        let fields = attribute(c"fields")?;
        let names =
            names.get().tuple_items(py)?.into_iter().map(|name| field(py, fields.get(), name, records)).collect::<Result<_, _>>()?;
        let itemsize = attribute(c"itemsize")?.get().as_u64(py)? as usize;
        let aligned = attribute(c"isalignedstruct")?.get().is_truthy(py)?;
        records.push((descr.to_owned(py), attribute(c"names")?));
        return Ok(DType::record(names, itemsize, aligned)?);
    }
    if text(c"kind")? == "T" {
        return Ok("T".parse()?);
    }
    if attribute(c"num")?.get().as_i64(py)? < FIRST_REGISTERED.into() {
        return Ok(text(c"str")?.parse()?);
    }
    let package = attribute(c"type")?.get().attribute(py, c"__module__")?.get().to_text(py)?;
    match DType::named(&text(c"name")?) {
        Ok(dtype) if package.split('.').next() == Some("ml_dtypes") => Ok(dtype),
        _ => Err(unknown(py, descr)),
    }
}

/// One value of `dtype.fields`: `(dtype, offset)` or `(dtype, offset, title)`.
fn field(py: Attached<'_>, fields: Borrowed<'_>, name: Borrowed<'_>, records: &mut Vec<(Owned, Owned)>) -> Result<Field, Refusal> {
    let entry = fields.item(py, name)?;
    let name = name.to_text(py)?;
    let parts = entry.get().tuple_items(py)?;
    let (&[dtype, offset], title) = parts.split_at(2.min(parts.len())) else { return Err(unknown(py, entry.get())) };
    let title = match title {
        [] => None,
        [title] if title.is_str() => Some(title.to_text(py)?),
        [title, ..] => {
            let reason = format!("the title {} of field {name:?} is not a str; rename it", title.describe(py));
            return Err(Error::NotShareable { dtype: dtype.describe(py), reason }.into());
        }
    };
    let offset = offset.as_u64(py)? as usize;
    let dtype = read(py, dtype, records).map_err(|refusal| refusal.of_field(&name))?;
    Ok(Field { name, title, offset, dtype })
}

fn unknown(py: Attached<'_>, descr: Borrowed<'_>) -> Refusal {
    let reason = "crossbuf does not know it; convert the array with `array.astype` to a dtype of NumPy or ml_dtypes, \
        or share a view of its bytes"
        .to_owned();
    Error::NotShareable { dtype: descr.describe(py), reason }.into()
}

/// A new `numpy.dtype`.
fn build(py: Attached<'_>, api: &Api, dtype: &DType) -> PyResult<Owned> {
    let description = match dtype.kind() {
        Kind::Struct(record) => described(py, api, record, dtype.itemsize())?,
        Kind::SubArray(sub) => Owned::tuple(py, [build(py, api, &sub.0)?, Owned::sizes(py, &sub.1)?])?,
        Kind::Named(name) => extension(py, name)?,
        _ => Owned::text(py, &dtype.to_string())?,
    };
    api.dtype().call(py, [description.get()])
}

/// The dict that `numpy.dtype` takes for a record.
fn described(py: Attached<'_>, api: &Api, record: &Record, itemsize: usize) -> PyResult<Owned> {
    let dict = Owned::dict(py)?;
    let set = |key, value: Owned| dict.get().set_item(py, Owned::text(py, key)?.get(), value.get());
    let list = |part: &dyn Fn(&Field) -> PyResult<Owned>| Owned::list(py, record.fields.iter().map(part).collect::<PyResult<Vec<_>>>()?);
    set("names", list(&|field| Owned::text(py, &field.name))?)?;
    set("formats", list(&|field| build(py, api, &field.dtype))?)?;
    set("offsets", list(&|field| Owned::size(py, field.offset))?)?;
    if record.fields.iter().any(|field| field.title.is_some()) {
        set("titles", list(&|field| field.title.as_ref().map_or_else(|| Ok(Owned::none(py)), |title| Owned::text(py, title)))?)?;
    }
    set("itemsize", Owned::size(py, itemsize)?)?;
    set("aligned", Owned::bool(py, record.aligned))?;
    Ok(dict)
}

/// The scalar class of a dtype of ml_dtypes.
fn extension(py: Attached<'_>, name: &'static str) -> PyResult<Owned> {
    let found = Owned::import(py, c"ml_dtypes").and_then(|package| {
        let name = std::ffi::CString::new(name).unwrap_or_default();
        package.get().attribute(py, &name)
    });
    found.map_err(|raised| {
        if !raised.is_import_error(py) && !raised.is_attribute_error(py) {
            return raised;
        }
        let reason = raised.take(py).get().describe(py);
        Raised::import_error(
            py,
            &format!(
                "no ndarray can have dtype {name} here, as the package ml_dtypes does not give it: {reason}; \
                 install a newer ml_dtypes, or read the elements with tolist() or tobytes()"
            ),
        )
    })
}
