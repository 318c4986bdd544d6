//! An immutable view of a block, for everyone to read.

use std::mem::MaybeUninit;
use std::sync::Arc;

use crate::arena::{self, Arena, Block};
use crate::array::{ArrayMeta, Index, Order, Scalar};
use crate::buffer::{Element, copy};
use crate::error::{Error, Result};
use crate::handle::Handle;

/// An immutable N-dimensional view of a block. Clones, slices and messages share the block; the last one dropped frees it.
///
/// Invariant 1: nobody writes to `block` any more. Where another process leased it out, that is its promise as long as the lease lasts.
/// Invariant 2: all bytes of `meta.extent()`, counted from `offset`, lie in the block.
///
/// ```
/// use crossbuf::array::{Index, Order};
/// use crossbuf::{Arena, Array, ArrayMeta, Budget};
///
/// let arena = Arena::new(Budget::bytes(16 << 20))?;
/// let array = arena.share(ArrayMeta::contiguous("<i4".parse()?, &[2, 2], Order::C)?, bytemuck::bytes_of(&[1i32, 2, 3, 4]))?;
/// let column = array.slice(&[Index::Ellipsis, Index::At(1)])?;
/// assert_eq!(column.to_bytes(), bytemuck::bytes_of(&[2i32, 4]));
/// assert_eq!(Array::open(&column.handle())?.address(), array.address() + 4);
/// # Ok::<(), crossbuf::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Array {
    block: Block,
    /// The first element's place in the block, in bytes.
    offset: usize,
    /// Shared, so that an array is small to move through messages and cheap to clone, and arrays of one layout have it in common.
    meta: Arc<ArrayMeta>,
}

impl Arena {
    /// An array with a copy of `bytes`, which hold the elements of `meta` in memory order.
    ///
    /// # Errors
    /// As [`Arena::draft`]; [`Error::BadLayout`] when `bytes` has another length.
    pub fn share(&self, meta: ArrayMeta, bytes: &[u8]) -> Result<Array> {
        if bytes.len() != meta.nbytes() {
            return Err(Error::BadLayout {
                reason: format!(
                    "{} bytes given for {} of shape {:?}, which takes {}",
                    bytes.len(),
                    meta.dtype(),
                    meta.shape(),
                    meta.nbytes()
                ),
            });
        }
        let draft = self.draft(meta)?;
        // SAFETY: `bytes` has `nbytes` bytes, checked above, and so has the draft's window, which has no other user.
        unsafe { copy::copy_bytes(bytes.as_ptr(), draft.writable(), bytes.len()) };
        self.count_copied(bytes.len());
        Ok(draft.freeze())
    }

    /// An array with a compact copy of the elements of `meta`, of which the first is at `source`.
    ///
    /// # Safety
    /// Every element of `meta`, counted from `source`, is readable memory during the call.
    pub(crate) unsafe fn share_from(&self, meta: Arc<ArrayMeta>, source: *const u8) -> Result<Array> {
        let nbytes = meta.nbytes();
        let block = self.allocate(nbytes)?;
        let target = if meta.is_compact() {
            // SAFETY: without gaps the elements are the `nbytes` bytes from `source` on, for which the caller vouches. The block has as many,
            // and nobody else knows it.
            unsafe { copy::copy_bytes(source, block.writable_ptr(), nbytes) };
            meta
        } else {
            let compact = meta.compact();
            let (shape, itemsize) = (meta.shape(), meta.dtype().itemsize());
            // SAFETY: the caller vouches for the source. The block has room for all elements without gaps, and nobody else knows it.
            unsafe { copy::copy_strided(source, meta.strides(), block.writable_ptr(), compact.strides(), shape, itemsize) };
            Arc::new(compact)
        };
        self.count_copied(nbytes);
        Ok(Array::whole(block, target))
    }
}

impl Array {
    /// All of a block, which nobody will write to again and which holds `meta.nbytes()` bytes.
    pub(super) fn whole(block: Block, meta: Arc<ArrayMeta>) -> Array {
        Array { block, offset: 0, meta }
    }

    /// A view that comes from outside, of a block that nobody will write to again; `None` unless invariant 2 holds.
    pub(crate) fn assemble(block: Block, offset: usize, meta: ArrayMeta) -> Option<Array> {
        let extent = meta.extent();
        let start = offset.checked_add_signed(extent.start)?;
        let end = offset.checked_add_signed(extent.end)?;
        (start <= end && end <= block.len()).then(|| Array { block, offset, meta: Arc::new(meta) })
    }

    /// dtype, shape and strides.
    pub fn meta(&self) -> &ArrayMeta {
        &self.meta
    }

    /// The same, to be shared with other arrays.
    pub(crate) fn shared_meta(&self) -> &Arc<ArrayMeta> {
        &self.meta
    }

    /// The address of the first element, in the read-only mapping.
    pub fn address(&self) -> usize {
        self.as_ptr().addr()
    }

    /// The first element. Elements of this array are readable through it as long as a reference to the block lives.
    pub(crate) fn as_ptr(&self) -> *const u8 {
        self.block.as_ptr().wrapping_add(self.offset)
    }

    /// The arena it lies in; `None` when that belongs to another process: one that sent the array, or the one that this process was
    /// forked from.
    pub fn arena(&self) -> Option<Arena> {
        self.block.arena()
    }

    /// Whether it lies in an arena that this process has made.
    pub(crate) fn is_own(&self) -> bool {
        self.block.foreign().is_none() && !self.block.is_inherited()
    }

    /// Whether it came into this process by fork, so that the parent keeps it for all its children at once.
    pub(crate) fn is_inherited(&self) -> bool {
        self.block.is_inherited()
    }

    /// The block it is a view of.
    pub(crate) fn block(&self) -> &Block {
        &self.block
    }

    /// The first element's place in the block, in bytes.
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    /// All bytes of an array without gaps, in memory order.
    ///
    /// # Errors
    /// [`Error::BadLayout`] when elements are apart; [`Array::to_bytes`] gathers them.
    pub fn bytes(&self) -> Result<&[u8]> {
        if !self.meta.is_c_contiguous() && !self.meta.is_f_contiguous() {
            return Err(Error::BadLayout {
                reason: format!(
                    "strides {:?} leave gaps in shape {:?} of {}; use to_bytes for a copy without them",
                    self.meta.strides(),
                    self.meta.shape(),
                    self.meta.dtype()
                ),
            });
        }
        // SAFETY: contiguous, so the elements are the `nbytes` bytes from the first one on; by invariant 2 they lie in
        // the block, which `self` keeps alive; by invariant 1 nobody writes to them.
        Ok(unsafe { std::slice::from_raw_parts(self.as_ptr(), self.meta.nbytes()) })
    }

    /// Elements of an array without gaps, in memory order.
    ///
    /// # Errors
    /// [`Error::BadLayout`] on another dtype or byte order, on gaps, and where elements are not aligned for `T`.
    pub fn as_slice<T: Element>(&self) -> Result<&[T]> {
        T::check(self.meta.dtype())?;
        bytemuck::try_cast_slice(self.bytes()?).map_err(|e| Error::BadLayout {
            reason: format!("elements at address {:#x} cannot be seen as {}: {e}", self.address(), std::any::type_name::<T>()),
        })
    }

    /// Basic indexing; shares the block.
    ///
    /// # Errors
    /// [`Error::OutOfBounds`], [`Error::BadShape`].
    pub fn slice(&self, indices: &[Index]) -> Result<Array> {
        let (meta, distance) = self.meta.index(indices)?;
        // An empty view has no first element; its place stays where all places are valid.
        let offset = if meta.size() == 0 { self.offset } else { self.offset.wrapping_add_signed(distance) };
        Ok(Array { block: self.block.clone(), offset, meta: Arc::new(meta) })
    }

    /// The same elements with the axes reversed; shares the block.
    pub fn transpose(&self) -> Array {
        Array { block: self.block.clone(), offset: self.offset, meta: Arc::new(self.meta.transpose()) }
    }

    /// The bytes of the element that lies `distance` bytes from the first one.
    ///
    /// # Panics
    /// When that is outside of the block.
    pub(crate) fn element(&self, distance: isize) -> &[u8] {
        let itemsize = self.meta.dtype().itemsize();
        let start = self.offset.checked_add_signed(distance).expect("a distance within the array");
        assert!(start + itemsize <= self.block.len(), "a distance within the array");
        // SAFETY: inside the block, which `self` keeps alive; by invariant 1 nobody writes to it.
        unsafe { std::slice::from_raw_parts(self.block.as_ptr().wrapping_add(start), itemsize) }
    }

    /// The value of the element that lies `distance` bytes from the first one. Panics as [`Array::element`].
    ///
    /// # Errors
    /// As [`Scalar::decode`].
    pub(crate) fn scalar(&self, distance: isize) -> Result<Scalar> {
        Scalar::decode(self.meta.dtype(), self.element(distance))
    }

    /// Distances in bytes of the elements from the first, in C order; none when elements have no bytes.
    pub(crate) fn distances(&self) -> impl Iterator<Item = isize> + use<> {
        let itemsize = self.meta.dtype().itemsize();
        self.meta.runs().flat_map(move |(start, len)| (0..len).step_by(itemsize.max(1)).map(move |at| start + at as isize))
    }

    /// Whether shapes and all elements are equal, as Python compares values: `1 == 1.0`, NaN differs from itself.
    pub fn equals(&self, other: &Array) -> bool {
        if self.meta.shape() != other.meta.shape() {
            return false;
        }
        let bitwise = self.meta.dtype() == other.meta.dtype() && self.meta.dtype().is_bitwise_comparable();
        if bitwise
            && self.meta.strides() == other.meta.strides()
            && let (Ok(left), Ok(right)) = (self.bytes(), other.bytes())
        {
            return left == right;
        }
        self.distances().zip(other.distances()).all(|(left, right)| match (bitwise, self.scalar(left), other.scalar(right)) {
            (false, Ok(left), Ok(right)) => left == right,
            _ => self.element(left) == other.element(right),
        })
    }

    /// Elements in C order, without gaps.
    pub fn to_bytes(&self) -> Vec<u8> {
        let nbytes = self.meta.nbytes();
        let mut bytes = Vec::with_capacity(nbytes);
        self.gather(&mut bytes.spare_capacity_mut()[..nbytes]);
        // SAFETY: `gather` has written so many.
        unsafe { bytes.set_len(nbytes) };
        bytes
    }

    /// Writes the elements in C order, without gaps, over all of `target`.
    ///
    /// # Panics
    /// When that has not the length of all elements.
    pub(crate) fn gather(&self, target: &mut [MaybeUninit<u8>]) {
        assert_eq!(target.len(), self.meta.nbytes(), "room for all elements");
        let dense = ArrayMeta::contiguous(self.meta.dtype().clone(), self.meta.shape(), Order::C).expect("a shape that exists is possible");
        // SAFETY: by invariants 1 and 2 every element is readable; `target` has room for the C-contiguous result.
        unsafe {
            copy::copy_strided(
                self.as_ptr(),
                self.meta.strides(),
                target.as_mut_ptr().cast(),
                dense.strides(),
                self.meta.shape(),
                self.meta.dtype().itemsize(),
            );
        };
    }

    /// Its name.
    pub fn handle(&self) -> Handle {
        let block = &self.block;
        Handle::sealed(block.arena_id(), block.index(), block.generation(), self.offset as u64, ArrayMeta::clone(&self.meta))
    }

    /// The array a handle names, if it lives.
    ///
    /// # Errors
    /// [`Error::BadHandle`] when it was altered, [`Error::StaleHandle`] when the block or its arena is gone,
    /// [`Error::ArenaClosed`].
    pub fn open(handle: &Handle) -> Result<Array> {
        handle.verify()?;
        let arena = arena::find(handle.arena).ok_or_else(|| Error::StaleHandle { reason: format!("arena {} is gone", handle.arena) })?;
        let block = arena.acquire(handle.block, handle.generation)?;
        let beyond = || Error::BadHandle { reason: format!("{:?} at {} exceeds block {}", handle.meta, handle.offset, handle.block.0) };
        let offset = usize::try_from(handle.offset).map_err(|_| beyond())?;
        Array::assemble(block, offset, handle.meta.clone()).ok_or_else(beyond)
    }

    /// The array on memory that foreign code (an ndarray, say) sees at `address`. Gives `meta` back unless all of it lies in one live block.
    pub(crate) fn at_address(address: usize, meta: Arc<ArrayMeta>) -> Result<Array, Arc<ArrayMeta>> {
        match Array::block_of(address, &meta) {
            // `block_of` has seen to invariant 2; whoever has an address in the read-only mapping got it from an array.
            Some((block, offset)) => Ok(Array { block, offset, meta }),
            None => Err(meta),
        }
    }

    /// The block in which all of `meta` lies when its first element is at `address`, and that one's place there.
    fn block_of(address: usize, meta: &ArrayMeta) -> Option<(Block, usize)> {
        if !arena::may_have(address) {
            return None;
        }
        let extent = meta.extent();
        let start = address.checked_add_signed(extent.start)?;
        let block = arena::block_at(start, extent.end.checked_sub(extent.start)?.unsigned_abs())?;
        let offset = address.checked_sub(block.as_ptr().addr())?;
        Some((block, offset))
    }
}
