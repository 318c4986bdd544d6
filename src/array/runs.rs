//! The pieces of memory that an array consists of, in the order of its elements.
//!
//! ```text
//! shape (2, 3), strides (32, 8), itemsize 8     a a a . b b b .     two runs of 24 bytes
//! shape (6,),   strides (8,),    itemsize 8     a a a b b b         one run of 48 bytes
//! shape (3,),   strides (-16,),  itemsize 8     c . b . a .         three runs of 8 bytes, from the right
//! ```
//!
//! Copying and comparing go through runs, so an array without gaps costs one `memcpy` whatever its shape.

use smallvec::SmallVec;

use super::ArrayMeta;

/// Iterates over the gapless pieces of an array in C order of its elements: each is `(offset, length)` in bytes, with the offset relative to the first element.
/// Arrays without bytes have none.
#[derive(Clone, Debug)]
pub struct Runs {
    /// The axes around a run, fastest first. None of them can be merged with its neighbour.
    axes: SmallVec<[Axis; 4]>,
    /// The next run's offset.
    offset: isize,
    /// Bytes of each run.
    length: usize,
    /// Runs still to come.
    left: usize,
}

#[derive(Clone, Debug)]
struct Axis {
    length: usize,
    stride: isize,
    /// Steps taken, below `length`.
    at: usize,
}

impl ArrayMeta {
    /// The gapless pieces of the array, in C order of its elements. For Fortran order, take those of [`ArrayMeta::transpose`].
    ///
    /// ```
    /// use crossbuf::ArrayMeta;
    ///
    /// let meta = ArrayMeta::strided("f8".parse()?, &[2, 3], &[32, 8])?;
    /// assert_eq!(meta.runs().collect::<Vec<_>>(), [(0, 24), (32, 24)]);
    /// # Ok::<(), crossbuf::Error>(())
    /// ```
    pub fn runs(&self) -> Runs {
        let mut axes: SmallVec<[Axis; 4]> = SmallVec::new();
        let mut run = self.dtype.itemsize();
        if self.nbytes() == 0 {
            return Runs { axes, offset: 0, length: 0, left: 0 };
        }
        for (&length, &stride) in self.shape.iter().zip(&self.strides).rev().filter(|&(&length, _)| length != 1) {
            match axes.last_mut() {
                None if stride == run as isize => run *= length,
                Some(inner) if inner.stride.checked_mul(inner.length as isize) == Some(stride) => inner.length *= length,
                _ => axes.push(Axis { length, stride, at: 0 }),
            }
        }
        let left = axes.iter().map(|axis| axis.length).product();
        Runs { axes, offset: 0, length: run, left }
    }
}

impl Iterator for Runs {
    type Item = (isize, usize);

    fn next(&mut self) -> Option<(isize, usize)> {
        self.left = self.left.checked_sub(1)?;
        let run = (self.offset, self.length);
        for axis in &mut self.axes {
            if axis.at + 1 < axis.length {
                axis.at += 1;
                self.offset += axis.stride;
                break;
            }
            self.offset -= axis.stride * axis.at as isize;
            axis.at = 0;
        }
        Some(run)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Runs {}
