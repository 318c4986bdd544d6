//! What an array looks like: dtype, shape and strides. No memory, no unsafe.
//!
//! ```text
//! "<f8" ──dtype_parse──> DType ──dtype_text──> "<f8"         texts: ours, and what NumPy users type
//!  "d"  ──format_parse─>       ──format_emit─> "d"           PEP 3118: any exporter, any consumer
//!
//! ArrayMeta { dtype, shape, strides }
//!    ├─ index, transpose   a view: another ArrayMeta and an offset
//!    ├─ runs               its gapless pieces of memory
//!    └─ extent             the bytes it may touch, checked once when it is made
//! ```
//!
//! Element bytes become values in [`Scalar`]. Nothing here reads memory by itself: all of it is arithmetic that the layers above rely on.

mod calendar;
mod contiguity;
mod cursor;
mod dtype;
mod dtype_names;
mod dtype_parse;
mod dtype_text;
mod equality;
mod float;
mod format_emit;
mod format_parse;
mod format_reader;
mod index;
mod named;
mod record;
mod runs;
mod scalar;
mod shape;
mod time_unit;
mod unshareable;

pub use calendar::{Civil, Duration};
pub use dtype::{ByteOrder, DType, Kind, MAX_NESTING};
pub use index::Index;
pub use record::{Field, Record};
pub use runs::Runs;
pub use scalar::Scalar;
pub use shape::{Dims, MAX_DIMS, Order, Strides};
pub use time_unit::TimeUnit;

use crate::error::Result;
use shape::{bad, check, contiguous_strides};

/// dtype, shape and strides of an array.
///
/// The dtype of an array is never a sub-array: as in NumPy, the axes of one become axes of the array.
///
/// ```
/// use crossbuf::ArrayMeta;
/// use crossbuf::array::{Index, Order};
///
/// let meta = ArrayMeta::contiguous("i4".parse()?, &[3, 4], Order::C)?;
/// let (column, offset) = meta.index(&[Index::Slice(None, None, Some(-1)), Index::At(1)])?;
/// assert_eq!((column.shape(), column.strides(), offset), (&[3][..], &[-16][..], 36));
/// # Ok::<(), crossbuf::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArrayMeta {
    dtype: DType,
    shape: Dims,
    /// As many as axes. Offsets of all elements, and their distances, fit `isize`.
    strides: Strides,
}

impl ArrayMeta {
    /// Contiguous in `order`. Errors with `BadShape` when the shape has more than [`MAX_DIMS`] axes or its bytes overflow `isize`.
    pub fn contiguous(dtype: DType, shape: &[usize], order: Order) -> Result<ArrayMeta> {
        let mut shape = Dims::from_slice(shape);
        let dtype = unfold(dtype, &mut shape);
        check(&shape, dtype.itemsize())?;
        let strides = contiguous_strides(&shape, dtype.itemsize(), order);
        Ok(ArrayMeta { dtype, shape, strides })
    }

    /// With explicit strides, in bytes. Errors as `contiguous`, and when the extent overflows or there are not as many strides as axes.
    pub fn strided(dtype: DType, shape: &[usize], strides: &[isize]) -> Result<ArrayMeta> {
        ArrayMeta::of_parts(dtype, Dims::from_slice(shape), Strides::from_slice(strides))
    }

    /// As [`strided`](ArrayMeta::strided).
    pub(crate) fn of_parts(dtype: DType, mut shape: Dims, mut strides: Strides) -> Result<ArrayMeta> {
        if shape.len() != strides.len() {
            return Err(bad(format!("{} axes need as many strides, {} were given", shape.len(), strides.len())));
        }
        let outer = shape.len();
        let dtype = unfold(dtype, &mut shape);
        check(&shape, dtype.itemsize())?;
        if shape.len() > outer {
            strides.extend(contiguous_strides(&shape[outer..], dtype.itemsize(), Order::C));
        }
        match shape::extent(&shape, &strides, dtype.itemsize()) {
            Some(_) => Ok(ArrayMeta { dtype, shape, strides }),
            None => Err(bad(format!("shape {shape:?} with strides {strides:?} exceeds the address space"))),
        }
    }

    /// The same shape without gaps: Fortran order stays, all else becomes C order.
    pub fn compact(&self) -> ArrayMeta {
        let order = if self.is_f_contiguous() && !self.is_c_contiguous() { Order::F } else { Order::C };
        let strides = contiguous_strides(&self.shape, self.dtype.itemsize(), order);
        ArrayMeta { dtype: self.dtype.clone(), shape: self.shape.clone(), strides }
    }

    /// Whether it is what [`compact`](ArrayMeta::compact) would make of it. Strides of axes of length 1 matter here.
    pub fn is_compact(&self) -> bool {
        let has_order = |order| self.strides == contiguous_strides(&self.shape, self.dtype.itemsize(), order);
        has_order(Order::C) || (!self.is_c_contiguous() && has_order(Order::F))
    }

    /// The same elements with the axes in reverse order.
    pub fn transpose(&self) -> ArrayMeta {
        let mut transposed = self.clone();
        transposed.shape.reverse();
        transposed.strides.reverse();
        transposed
    }

    /// The dtype.
    pub fn dtype(&self) -> &DType {
        &self.dtype
    }
    /// Lengths of the axes.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }
    /// Bytes from one element to the next, by axis.
    pub fn strides(&self) -> &[isize] {
        &self.strides
    }
    /// Number of axes.
    pub fn ndim(&self) -> usize {
        self.shape.len()
    }
    /// Number of elements.
    pub fn size(&self) -> usize {
        // Cannot overflow: the product without the zeros was checked, and no partial product is larger.
        self.shape.iter().product()
    }
    /// `size * itemsize`, in bytes.
    pub fn nbytes(&self) -> usize {
        self.size() * self.dtype.itemsize()
    }
    /// Whether elements lie in C order without gaps.
    pub fn is_c_contiguous(&self) -> bool {
        contiguity::is_c_contiguous(&self.shape, &self.strides, self.dtype.itemsize())
    }
    /// Whether elements lie in Fortran order without gaps.
    pub fn is_f_contiguous(&self) -> bool {
        contiguity::is_f_contiguous(&self.shape, &self.strides, self.dtype.itemsize())
    }
    /// The bytes the elements touch, relative to the first element: `start <= 0 <= end`; empty arrays touch none (`0..0`).
    pub fn extent(&self) -> std::ops::Range<isize> {
        shape::extent(&self.shape, &self.strides, self.dtype.itemsize()).unwrap_or(0..0)
    }
}

/// The element of nested sub-arrays, whose axes go behind those of `shape`.
fn unfold(dtype: DType, shape: &mut Dims) -> DType {
    let mut dtype = dtype;
    while let Kind::SubArray(sub) = dtype.kind() {
        shape.extend_from_slice(&sub.1);
        let element = sub.0.clone();
        dtype = element;
    }
    dtype
}
