//! Planes copied row by row along the destination.
//!
//! One loop for all steps; where the step is known when compiled, the compiler turns it into wide loads and shuffles.

use super::plan::Planes;

/// Items of a block, and the most rows: both sides of it stay in the first cache.
const BLOCK: usize = 1024;
const TALL: usize = 32;

/// Copies a plane whose items are as long as `T`.
///
/// # Safety
/// The items of the plane that starts at `src` are readable, those of the one at `dst` writable, and none overlaps another.
#[inline(always)]
pub(super) unsafe fn copy_items<T: Copy>(src: *const u8, dst: *mut u8, planes: &Planes, _: bool) {
    let (step, size) = (planes.inner.src, size_of::<T>() as isize);
    macro_rules! rows {
        ($src_step:expr, $dst_step:expr, $len:expr) => {{
            // SAFETY: the caller's promise; the steps and the length are those of the inner axis.
            unsafe { copy_rows::<T>(src, dst, planes, $src_step, $dst_step, $len) }
        }};
    }
    if planes.inner.dst != size {
        return rows!(step, planes.inner.dst, None);
    }
    match planes.inner.len {
        2 => rows!(step, size, Some(2)),
        3 => rows!(step, size, Some(3)),
        4 => rows!(step, size, Some(4)),
        _ if step == 0 => rows!(0, size, None),
        _ if step == -size => rows!(-size, size, None),
        _ if step == 2 * size => rows!(2 * size, size, None),
        _ if step == 3 * size => rows!(3 * size, size, None),
        _ if step == 4 * size => rows!(4 * size, size, None),
        _ => rows!(step, size, None),
    }
}

/// Copies a plane of any items.
///
/// # Safety
/// As for [`copy_items`].
pub(super) unsafe fn copy_pieces(src: *const u8, dst: *mut u8, planes: &Planes, _: bool) {
    for_each_row(planes, |src_row, dst_row, len| {
        for at in 0..len as isize {
            let from = src.wrapping_offset(src_row + at * planes.inner.src);
            let to = dst.wrapping_offset(dst_row + at * planes.inner.dst);
            // SAFETY: an item on each side, by the caller's promise.
            unsafe { to.copy_from_nonoverlapping(from, planes.item) };
        }
    });
}

/// [`copy_items`] with the steps of the inner axis, and its length where that is known.
///
/// # Safety
/// As for [`copy_items`].
#[inline(always)]
unsafe fn copy_rows<T: Copy>(src: *const u8, dst: *mut u8, planes: &Planes, src_step: isize, dst_step: isize, short: Option<usize>) {
    if let Some(len) = short {
        let outer = planes.outer;
        for row in 0..outer.len as isize {
            let (src, dst) = (src.wrapping_offset(row * outer.src), dst.wrapping_offset(row * outer.dst));
            // SAFETY: a row of the plane, by the caller's promise.
            unsafe { copy_row::<T>(src, src_step, dst, dst_step, len) };
        }
        return;
    }
    for_each_row(
        planes,
        #[inline(always)]
        |src_row, dst_row, len| {
            let (src, dst) = (src.wrapping_offset(src_row), dst.wrapping_offset(dst_row));
            // SAFETY: a part of a row of the plane, by the caller's promise.
            unsafe { copy_row::<T>(src, src_step, dst, dst_step, len) };
        },
    );
}

/// # Safety
/// From `src` and `dst` on, `len` items are readable and writable that are so many bytes apart, and none overlaps another.
#[inline(always)]
unsafe fn copy_row<T: Copy>(src: *const u8, src_step: isize, dst: *mut u8, dst_step: isize, len: usize) {
    // SAFETY: the first item, by the caller's promise.
    let first = unsafe { src.cast::<T>().read_unaligned() };
    for at in 0..len as isize {
        let item = if src_step == 0 {
            first
        } else {
            let from = src.wrapping_offset(at * src_step).cast::<T>();
            // SAFETY: an item of the source, by the caller's promise.
            unsafe { from.read_unaligned() }
        };
        let to = dst.wrapping_offset(at * dst_step).cast::<T>();
        // SAFETY: an item of the destination, by the caller's promise.
        unsafe { to.write_unaligned(item) };
    }
}

/// Calls `visit` for each row with where it starts on both sides, from the plane's start, and its number of items. Where the source
/// advances less along the other axis, the rows are those of blocks, one block after the other, so that each line is read once.
#[inline(always)]
fn for_each_row(planes: &Planes, mut visit: impl FnMut(isize, isize, usize)) {
    let (inner, outer) = (planes.inner, planes.outer);
    let tall = outer.len.min(TALL);
    let (tall, wide) = if planes.is_transposed() { (tall, BLOCK / tall) } else { (1, inner.len) };
    for top in (0..outer.len).step_by(tall) {
        for left in (0..inner.len).step_by(wide) {
            for row in top..outer.len.min(top + tall) {
                let (row, left) = (row as isize, left as isize);
                visit(row * outer.src + left * inner.src, row * outer.dst + left * inner.dst, wide.min(inner.len - left as usize));
            }
        }
    }
}
