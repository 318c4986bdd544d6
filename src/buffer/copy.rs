//! Copying into (and out of) arena memory.
//!
//! * [`copy_bytes`]: one piece to one piece. Large ones are stored past the caches.
//! * [`copy_strided`]: any strides to any strides. The axes are first brought into the order in which the destination lies in memory,
//!   and those which form one piece are joined; what remains is a loop over *planes* of two axes:
//!
//! ```text
//!            inner: nearest in the destination
//!           +-----+-----+--
//!   outer:  |tile |tile |        rows    where the source advances least along the inner axis, too
//!   nearest +-----+-----+--      tiles   transposed in wide registers, where items lie together along the outer axis
//!   in the  |tile |tile |        blocks  rows again, but short ones, so that a block of them stays in the first cache
//!   source  +-----+-----+--
//! ```
//!
//! Long pieces and repeated items are *staged*: gathered in the first cache and stored past the others, if there are many.

mod kernels;
mod plan;
#[cfg(target_arch = "x86_64")]
mod registers;
mod rows;
#[cfg(target_arch = "x86_64")]
mod staged;
#[cfg(target_arch = "x86_64")]
mod streamed;
#[cfg(all(test, not(loom)))]
mod tests;
#[cfg(target_arch = "x86_64")]
mod tiles;

use kernels::Width;
use plan::Plan;

/// From here on copies go past the caches, which such a copy would fill twice: even with a reader right behind it that is faster.
#[cfg(target_arch = "x86_64")]
const STREAMED: usize = 4 << 20;

/// Copies `len` bytes.
///
/// # Safety
/// `src` is readable and `dst` writable for `len` bytes, and they do not overlap.
pub(crate) unsafe fn copy_bytes(src: *const u8, dst: *mut u8, len: usize) {
    #[cfg(target_arch = "x86_64")]
    if len >= STREAMED {
        // SAFETY: the caller's promise.
        unsafe { streamed::copy(src, dst, len, Width::widest()) };
        return streamed::settle();
    }
    // SAFETY: the caller's promise.
    unsafe { dst.copy_from_nonoverlapping(src, len) };
}

/// Copies the elements of one strided array to the same places of another. Strides are in bytes, of any sign.
///
/// # Safety
/// The strides have as many axes as `shape`. Each element of `itemsize` bytes that they reach from `src` is readable, and each they reach
/// from `dst` is writable, for one array each; none of the first overlaps any of the second.
pub(crate) unsafe fn copy_strided(
    src: *const u8,
    src_strides: &[isize],
    dst: *mut u8,
    dst_strides: &[isize],
    shape: &[usize],
    itemsize: usize,
) {
    let Some(plan) = Plan::new(src_strides, dst_strides, shape, itemsize) else { return };
    if plan.axes.is_empty() {
        let (src, dst) = (src.wrapping_offset(plan.start.0), dst.wrapping_offset(plan.start.1));
        // SAFETY: all elements are one piece on both sides, by the caller's promise.
        return unsafe { copy_bytes(src, dst, plan.item) };
    }
    #[cfg(target_arch = "x86_64")]
    let streamed = plan.nbytes() >= STREAMED;
    #[cfg(not(target_arch = "x86_64"))]
    let streamed = false;
    // SAFETY: the caller's promise.
    unsafe { copy_planned(src, dst, &plan, Width::widest(), streamed) };
}

/// Copies the items of a plan, past the caches where `streamed` and where that pays.
///
/// # Safety
/// As for [`copy_strided`], which the plan was made for.
unsafe fn copy_planned(src: *const u8, dst: *mut u8, plan: &Plan, width: Width, streamed: bool) {
    #[cfg(target_arch = "x86_64")]
    if streamed {
        let pays = plan.item >= streamed::LINE || plan.repeats();
        if pays && plan.is_gapless() {
            // SAFETY: the caller's promise.
            unsafe { staged::copy(src, dst, plan, width) };
        } else {
            // SAFETY: the caller's promise.
            unsafe { copy_planes(src, dst, plan, width, true) };
        }
        return streamed::settle();
    }
    // SAFETY: the caller's promise.
    unsafe { copy_planes(src, dst, plan, width, streamed) };
}

/// # Safety
/// As for [`copy_planned`].
unsafe fn copy_planes(src: *const u8, dst: *mut u8, plan: &Plan, width: Width, streamed: bool) {
    let planes = plan.planes();
    let kernel = width.kernel(&planes, streamed);
    planes.for_each(plan.start, |src_start, dst_start| {
        // SAFETY: the plan visits exactly the elements that the caller promised, by whole items.
        unsafe { kernel(src.wrapping_offset(src_start), dst.wrapping_offset(dst_start), &planes, streamed) };
    });
}
