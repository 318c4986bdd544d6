//! Shapes and strides: what is allowed, and where elements lie when there are no gaps.

use smallvec::SmallVec;

use crate::error::{Error, Result};

/// The most axes an array may have, NumPy's own limit.
pub const MAX_DIMS: usize = 64;

/// Lengths of axes; up to four stay inline.
pub type Dims = SmallVec<[usize; 4]>;
/// Bytes between neighbours by axis; up to four stay inline.
pub type Strides = SmallVec<[isize; 4]>;

/// The order in which elements lie without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Last axis fastest.
    C,
    /// First axis fastest.
    F,
}

/// Refuses shapes of too many axes or too many bytes. As in NumPy, axes of length 0 do not excuse the others from fitting.
pub(super) fn check(shape: &[usize], itemsize: usize) -> Result<()> {
    if shape.len() > MAX_DIMS {
        return Err(bad(format!("an array of {} axes has more than the {MAX_DIMS} that are possible", shape.len())));
    }
    let elements = shape.iter().filter(|&&n| n != 0).try_fold(1usize, |count, &n| count.checked_mul(n));
    match elements.and_then(|count| count.checked_mul(itemsize.max(1))) {
        Some(bytes) if isize::try_from(bytes).is_ok() => Ok(()),
        _ => Err(bad(format!("shape {shape:?} with {itemsize} bytes per element exceeds the address space"))),
    }
}

/// The strides of a gapless array. `check` must have passed. An axis of length 0 counts as 1, as in NumPy.
pub(super) fn contiguous_strides(shape: &[usize], itemsize: usize, order: Order) -> Strides {
    let mut strides = Strides::from_elem(0, shape.len());
    let mut step = itemsize as isize;
    let mut place = |axis: usize| {
        strides[axis] = step;
        step *= shape[axis].max(1) as isize;
    };
    match order {
        Order::C => (0..shape.len()).rev().for_each(&mut place),
        Order::F => (0..shape.len()).for_each(&mut place),
    }
    strides
}

/// The bytes that elements touch, relative to the first one: `start <= 0 <= end`. `None` on overflow.
pub(super) fn extent(shape: &[usize], strides: &[isize], itemsize: usize) -> Option<std::ops::Range<isize>> {
    if shape.contains(&0) {
        return Some(0..0);
    }
    let (mut start, mut end) = (0isize, isize::try_from(itemsize).ok()?);
    for (&length, &stride) in shape.iter().zip(strides) {
        let reach = isize::try_from(length - 1).ok()?.checked_mul(stride)?;
        if reach < 0 {
            start = start.checked_add(reach)?;
        } else {
            end = end.checked_add(reach)?;
        }
    }
    // The distance from one end to the other must be a length, too.
    end.checked_sub(start)?;
    Some(start..end)
}

pub(super) fn bad(reason: String) -> Error {
    Error::BadShape { reason }
}
