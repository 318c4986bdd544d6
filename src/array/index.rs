//! Basic indexing: every result is a view, so it is only another shape, other strides and another first element.

use super::ArrayMeta;
use super::shape::{Dims, Strides, bad, check};
use crate::error::{Error, Result};

/// One part of a basic index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    /// Drops the axis; negative counts from the end.
    At(isize),
    /// `start:stop:step` as Python means it; `None` is left out.
    Slice(Option<isize>, Option<isize>, Option<isize>),
    /// `...`, at most one.
    Ellipsis,
    /// `None`: a new axis of length 1.
    NewAxis,
}

impl ArrayMeta {
    /// Basic indexing: the meta of the result and its first element's distance in bytes from this one's (0 for results without elements).
    ///
    /// Errors: `OutOfBounds`; `BadShape` on too many indices, a second `...`, a step of 0 or more than 64 axes.
    pub fn index(&self, indices: &[Index]) -> Result<(ArrayMeta, isize)> {
        let used = indices.iter().filter(|index| matches!(index, Index::At(_) | Index::Slice(..))).count();
        let Some(left_out) = self.ndim().checked_sub(used) else {
            return Err(bad(format!("too many indices: the array has {} axes, but {used} were indexed", self.ndim())));
        };
        let mut view = View { meta: self, axis: 0, shape: Dims::new(), strides: Strides::new(), offset: 0 };
        let mut ellipsis = false;
        for index in indices {
            match *index {
                Index::At(at) => view.at(at)?,
                Index::Slice(start, stop, step) => view.slice(start, stop, step)?,
                Index::NewAxis => view.push(1, 0),
                Index::Ellipsis if ellipsis => return Err(bad("an index can have only one ellipsis ('...')".into())),
                Index::Ellipsis => {
                    ellipsis = true;
                    view.keep(left_out);
                }
            }
        }
        view.keep(self.ndim() - view.axis);
        check(&view.shape, self.dtype.itemsize())?;
        let offset = if view.shape.contains(&0) { 0 } else { view.offset };
        Ok((ArrayMeta { dtype: self.dtype.clone(), shape: view.shape, strides: view.strides }, offset))
    }
}

/// A result being built, axis by axis of `meta`.
struct View<'a> {
    meta: &'a ArrayMeta,
    /// The next axis of `meta`.
    axis: usize,
    shape: Dims,
    strides: Strides,
    /// Cannot leave the extent of `meta` unless the result has no elements; then it is meaningless, and may wrap.
    offset: isize,
}

impl View<'_> {
    fn push(&mut self, length: usize, stride: isize) {
        self.shape.push(length);
        self.strides.push(stride);
    }

    fn keep(&mut self, axes: usize) {
        let axes = self.axis..self.axis + axes;
        self.axis = axes.end;
        self.shape.extend_from_slice(&self.meta.shape[axes.clone()]);
        self.strides.extend_from_slice(&self.meta.strides[axes]);
    }

    fn next_axis(&mut self) -> (usize, isize) {
        let axis = self.axis;
        self.axis += 1;
        (self.meta.shape[axis], self.meta.strides[axis])
    }

    fn step_in(&mut self, position: usize, stride: isize) {
        self.offset = self.offset.wrapping_add(stride.wrapping_mul(position as isize));
    }

    fn at(&mut self, index: isize) -> Result<()> {
        let axis = self.axis;
        let (size, stride) = self.next_axis();
        let position = if index < 0 { size.checked_sub(index.unsigned_abs()) } else { Some(index as usize) };
        match position.filter(|&position| position < size) {
            Some(position) => {
                self.step_in(position, stride);
                Ok(())
            }
            None => Err(Error::OutOfBounds { index, axis, size }),
        }
    }

    fn slice(&mut self, start: Option<isize>, stop: Option<isize>, step: Option<isize>) -> Result<()> {
        let step = step.unwrap_or(1);
        if step == 0 {
            return Err(bad("a slice's step cannot be 0".into()));
        }
        let (size, stride) = self.next_axis();
        let (first, length) = positions(size as isize, start, stop, step);
        self.step_in(first, stride);
        // Where nothing is left NumPy keeps the stride. A step so large that this overflows leaves one element, whose stride does not matter.
        let stepped = if length == 0 { None } else { stride.checked_mul(step) };
        self.push(length, stepped.unwrap_or(stride));
        Ok(())
    }
}

/// The first position that a slice of an axis takes, and how many it takes: Python's `slice.indices`. The first is 0 when there are none.
fn positions(size: isize, start: Option<isize>, stop: Option<isize>, step: isize) -> (usize, usize) {
    // Walking down, an end may lie before position 0: at -1.
    let (lowest, highest) = if step < 0 { (-1, size - 1) } else { (0, size) };
    let place = |at: isize| if at < 0 { at.saturating_add(size) } else { at }.clamp(lowest, highest);
    let (from, to) = if step < 0 { (highest, lowest) } else { (lowest, highest) };
    let start = start.map_or(from, place);
    let stop = stop.map_or(to, place);
    let span = if step < 0 { start - stop } else { stop - start };
    match usize::try_from(span) {
        Ok(span @ 1..) => (start as usize, (span - 1) / step.unsigned_abs() + 1),
        _ => (0, 0),
    }
}
