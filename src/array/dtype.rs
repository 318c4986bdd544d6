//! The dtype of an array's elements, as NumPy defines them.
//!
//! ```text
//! DType ─┬─ numbers, S, U, V, M8, m8     itemsize and byte order say the rest
//!        ├─ Struct(Arc<Record>)          named fields at offsets
//!        ├─ SubArray(Arc<(DType, Dims)>) a fixed shape inside an element
//!        └─ Named(&str)                  bfloat16 and its kind
//! ```
//!
//! A `DType` is made by checked constructors only, so what one says is always possible: fields lie inside the itemsize, names differ, sizes do not
//! overflow, and nothing nests deeper than [`MAX_NESTING`].

use std::sync::Arc;

use super::named;
use super::record::Record;
use super::shape::Dims;
use super::time_unit::TimeUnit;
use crate::error::{Error, Result};

/// How deep records and sub-arrays may nest.
pub const MAX_NESTING: usize = 32;

/// Byte order of a number in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl ByteOrder {
    /// This machine's.
    pub const NATIVE: ByteOrder = if cfg!(target_endian = "little") { ByteOrder::Little } else { ByteOrder::Big };

    /// `<` or `>`.
    pub(super) fn symbol(self) -> char {
        match self {
            ByteOrder::Little => '<',
            ByteOrder::Big => '>',
        }
    }
}

/// What an element is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One byte, 0 or 1.
    Bool,
    /// Signed integer.
    Int,
    /// Unsigned integer.
    UInt,
    /// IEEE float; 16 bytes is the platform's long double.
    Float,
    /// Two floats.
    Complex,
    /// `S`: bytes padded with zeros.
    Bytes,
    /// `U`: UCS-4 text padded with zeros.
    Text,
    /// `V`: raw bytes.
    Void,
    /// `M8`.
    DateTime(TimeUnit),
    /// `m8`.
    TimeDelta(TimeUnit),
    /// Named fields at offsets.
    Struct(Arc<Record>),
    /// A fixed-shape array inside an element.
    SubArray(Arc<(DType, Dims)>),
    /// A registered extension dtype of the package ml_dtypes, carried by name: `bfloat16`, `float8_e4m3fn`, ...
    Named(&'static str),
}

/// The dtype of an array's elements. Cheap to clone.
///
/// Its text form (`Display` and `FromStr`) is NumPy's `dtype.str` where that says everything, and otherwise a small grammar of crossbuf's own.
/// `FromStr` also takes what NumPy users type.
///
/// ```
/// use crossbuf::DType;
/// use crossbuf::array::ByteOrder;
///
/// let real: DType = "float64".parse()?;
/// assert_eq!(real, DType::float(8, ByteOrder::NATIVE)?);
/// assert_eq!("{x:<f8@0,y:(2,3)<i4@8;32}".parse::<DType>()?.itemsize(), 32);
/// # Ok::<(), crossbuf::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DType {
    kind: Kind,
    itemsize: usize,
    /// Little where it does not matter, so that equal dtypes have equal fields.
    order: ByteOrder,
    /// Levels of records and sub-arrays, at most `MAX_NESTING`; follows from `kind`, kept so that checking it costs nothing.
    depth: u8,
}

/// A constructor's refusal as an error; `text` is what was asked for.
pub(super) fn refused(text: impl Into<String>) -> impl FnOnce(String) -> Error {
    move |reason| Error::BadDType { text: text.into(), at: 0, reason }
}

impl DType {
    /// All constructors end here. `depth` must have been checked.
    pub(super) fn from_parts(kind: Kind, itemsize: usize, order: ByteOrder, depth: u8) -> DType {
        let mut dtype = DType { kind, itemsize, order, depth };
        if !dtype.has_byte_order() {
            dtype.order = ByteOrder::Little;
        }
        dtype
    }

    fn sized(kind: Kind, allowed: &[usize], itemsize: usize, order: ByteOrder) -> Result<DType> {
        if allowed.contains(&itemsize) {
            return Ok(DType::from_parts(kind, itemsize, order, 0));
        }
        let reason = format!("NumPy has no such dtype of {itemsize} bytes, only of {allowed:?}");
        Err(refused(format!("{kind:?} of {itemsize} bytes"))(reason))
    }

    fn flexible(kind: Kind, length: usize, width: usize, order: ByteOrder) -> Result<DType> {
        match length.checked_mul(width).filter(|&bytes| isize::try_from(bytes).is_ok()) {
            Some(bytes) => Ok(DType::from_parts(kind, bytes, order, 0)),
            None => {
                let text = format!("{kind:?} of length {length}");
                Err(refused(text)("an element of that size exceeds the address space".into()))
            }
        }
    }

    /// `bool`.
    pub fn bool() -> DType {
        DType::from_parts(Kind::Bool, 1, ByteOrder::Little, 0)
    }

    /// A signed integer of 1, 2, 4 or 8 bytes. Errors with `BadDType` on other sizes.
    pub fn int(bytes: usize, order: ByteOrder) -> Result<DType> {
        DType::sized(Kind::Int, &[1, 2, 4, 8], bytes, order)
    }

    /// An unsigned integer of 1, 2, 4 or 8 bytes. Errors with `BadDType` on other sizes.
    pub fn uint(bytes: usize, order: ByteOrder) -> Result<DType> {
        DType::sized(Kind::UInt, &[1, 2, 4, 8], bytes, order)
    }

    /// A float of 2, 4, 8 or 16 bytes; 16 is the platform's long double. Errors with `BadDType` on other sizes.
    pub fn float(bytes: usize, order: ByteOrder) -> Result<DType> {
        DType::sized(Kind::Float, &[2, 4, 8, 16], bytes, order)
    }

    /// A complex number of 8, 16 or 32 bytes. Errors with `BadDType` on other sizes.
    pub fn complex(bytes: usize, order: ByteOrder) -> Result<DType> {
        DType::sized(Kind::Complex, &[8, 16, 32], bytes, order)
    }

    /// `S`: at most `length` bytes, padded with zeros. Errors with `BadDType` when the size overflows, as all that follow.
    pub fn bytes(length: usize) -> Result<DType> {
        DType::flexible(Kind::Bytes, length, 1, ByteOrder::Little)
    }

    /// `U`: at most `characters` code points of four bytes, padded with zeros.
    pub fn text(characters: usize, order: ByteOrder) -> Result<DType> {
        DType::flexible(Kind::Text, characters, 4, order)
    }

    /// `V`: raw bytes.
    pub fn void(length: usize) -> Result<DType> {
        DType::flexible(Kind::Void, length, 1, ByteOrder::Little)
    }

    /// `M8`: ticks since 1970.
    pub fn datetime(unit: TimeUnit, order: ByteOrder) -> DType {
        DType::from_parts(Kind::DateTime(unit), 8, order, 0)
    }

    /// `m8`: a number of ticks.
    pub fn timedelta(unit: TimeUnit, order: ByteOrder) -> DType {
        DType::from_parts(Kind::TimeDelta(unit), 8, order, 0)
    }

    /// A dtype of the package ml_dtypes, such as `bfloat16`. Errors with `BadDType` on a name it does not have.
    pub fn named(name: &str) -> Result<DType> {
        match named::find(name) {
            Some(found) => Ok(DType::from_parts(Kind::Named(found.name), found.itemsize, ByteOrder::Little, 0)),
            None => Err(refused(name)("ml_dtypes has no dtype of this name".into())),
        }
    }

    /// What an element is.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }
    /// Bytes of one element.
    pub fn itemsize(&self) -> usize {
        self.itemsize
    }
    /// Byte order of its numbers; little where it does not matter.
    pub fn order(&self) -> ByteOrder {
        self.order
    }
    /// Levels of records and sub-arrays in it.
    pub(super) fn depth(&self) -> u8 {
        self.depth
    }

    /// Whether the byte order of its own bytes matters. Not so for one-byte and raw elements, nor for records and sub-arrays, whose parts have orders.
    pub fn has_byte_order(&self) -> bool {
        match self.kind {
            Kind::Int | Kind::UInt => self.itemsize > 1,
            Kind::Float | Kind::Complex | Kind::Text | Kind::DateTime(_) | Kind::TimeDelta(_) => true,
            Kind::Bool | Kind::Bytes | Kind::Void | Kind::Struct(_) | Kind::SubArray(_) | Kind::Named(_) => false,
        }
    }

    /// Whether all of its numbers have this machine's byte order.
    pub fn is_native(&self) -> bool {
        match &self.kind {
            Kind::Struct(record) => record.fields.iter().all(|field| field.dtype.is_native()),
            Kind::SubArray(sub) => sub.0.is_native(),
            _ => !self.has_byte_order() || self.order == ByteOrder::NATIVE,
        }
    }

    /// NumPy's `dtype.alignment`: records which are not `aligned` have 1.
    pub fn alignment(&self) -> usize {
        match &self.kind {
            Kind::Bool | Kind::Bytes | Kind::Void => 1,
            Kind::Int | Kind::UInt | Kind::Float | Kind::DateTime(_) | Kind::TimeDelta(_) => self.itemsize,
            Kind::Complex => self.itemsize / 2,
            Kind::Text => 4,
            Kind::Struct(record) => record.alignment(),
            Kind::SubArray(sub) => sub.0.alignment(),
            Kind::Named(name) => named::find(name).map_or(1, |found| found.alignment),
        }
    }
}
