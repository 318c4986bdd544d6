//! A block being filled by its one owner.

use std::sync::Arc;

use crate::arena::{Arena, Block};
use crate::array::ArrayMeta;
use crate::buffer::{Array, Element};
use crate::error::{Error, Result};

/// A block being filled: writable, with one owner. [`freeze`](Draft::freeze) makes it an [`Array`] without a copy.
///
/// Invariant 1: `block` was allocated for this draft, which alone reads and writes it. Other references, as of `arena::pin_all`, only keep it.
/// Invariant 2: `meta` is contiguous and `meta.nbytes() <= block.len()`.
///
/// ```
/// use crossbuf::array::Order;
/// use crossbuf::{Arena, ArrayMeta, Budget};
///
/// let arena = Arena::new(Budget::bytes(16 << 20))?;
/// let mut draft = arena.draft(ArrayMeta::contiguous("<f8".parse()?, &[2, 3], Order::C)?)?;
/// draft.as_mut_slice::<f64>()?.fill(1.5);
/// let array = draft.freeze();
/// assert_eq!(array.as_slice::<f64>()?, [1.5; 6]);
/// # Ok::<(), crossbuf::Error>(())
/// ```
#[derive(Debug)]
pub struct Draft {
    block: Block,
    meta: ArrayMeta,
}

impl Arena {
    /// A draft whose content is arbitrary.
    ///
    /// # Errors
    /// [`Error::ArenaFull`], [`Error::ArenaClosed`]; [`Error::BadLayout`] when `meta` has gaps.
    pub fn draft(&self, meta: ArrayMeta) -> Result<Draft> {
        if !meta.is_c_contiguous() && !meta.is_f_contiguous() {
            return Err(Error::BadLayout {
                reason: format!(
                    "a draft has no gaps, but strides {:?} of shape {:?} leave some; use ArrayMeta::compact",
                    meta.strides(),
                    meta.shape()
                ),
            });
        }
        let block = self.allocate(meta.nbytes())?;
        Ok(Draft { block, meta })
    }
}

impl Draft {
    /// dtype, shape and strides.
    pub fn meta(&self) -> &ArrayMeta {
        &self.meta
    }

    /// Whether it is of the process that this one was forked from. That one may go on filling it, and here it cannot be written.
    pub(crate) fn is_inherited(&self) -> bool {
        self.block.is_inherited()
    }

    fn assert_own(&self) {
        assert!(!self.is_inherited(), "this draft is of the process that this one was forked from; make another here");
    }

    /// All bytes, in memory order.
    ///
    /// # Panics
    /// In a forked child, for a draft of its parent.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.assert_own();
        // SAFETY: by invariant 2 the block holds `nbytes` bytes, mapped (it is not inherited) and initialised (by the kernel or an
        // earlier owner); by invariant 1 and `&mut self` nobody else reaches them while the slice lives.
        unsafe { std::slice::from_raw_parts_mut(self.block.writable_ptr(), self.meta.nbytes()) }
    }

    /// All elements, in memory order.
    ///
    /// # Errors
    /// [`Error::BadLayout`] when `T` does not have the bits of the dtype.
    ///
    /// # Panics
    /// As [`bytes_mut`](Draft::bytes_mut).
    pub fn as_mut_slice<T: Element>(&mut self) -> Result<&mut [T]> {
        T::check(self.meta.dtype())?;
        bytemuck::try_cast_slice_mut(self.bytes_mut()).map_err(|e| Error::BadLayout { reason: format!("cannot see elements: {e}") })
    }

    /// The first byte of the writable window: `meta().nbytes()` bytes, valid as long as this draft is neither dropped nor frozen.
    pub(crate) fn writable(&self) -> *mut u8 {
        self.block.writable_ptr()
    }

    /// The immutable array on the same memory.
    ///
    /// # Panics
    /// As [`bytes_mut`](Draft::bytes_mut).
    pub fn freeze(self) -> Array {
        self.assert_own();
        Array::whole(self.block, Arc::new(self.meta))
    }
}
