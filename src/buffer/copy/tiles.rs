//! Transposed planes, tile by tile through registers.
//!
//! A row of a tile is 16 bytes of `N` items. Rows `i` and `i + N/2` are interleaved into rows `2 * i` and `2 * i + 1`, all at once; after
//! `log2(N)` rounds the rows are the columns:
//!
//! ```text
//! a0 a1 a2 a3      a0 c0 a1 c1      a0 b0 c0 d0
//! b0 b1 b2 b3  ->  a2 c2 a3 c3  ->  a1 b1 c1 d1
//! c0 c1 c2 c3      b0 d0 b1 d1      a2 b2 c2 d2
//! d0 d1 d2 d3      b2 d2 b3 d3      a3 b3 c3 d3
//! ```
//!
//! Wider registers do so in each of their lanes: the next lane holds the next `N` rows of the source, hence the next 16 bytes of a row of
//! the destination. With four lanes a store fills a line of the cache.

use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
use std::ops::Range;

use super::plan::Planes;
use super::registers::{LANE, Register};
use super::streamed::LINE;

/// Bytes along a row of the source that are copied before its neighbours' turn comes: whole lines.
const STRIP: usize = 256;

/// Whether a plane with items of `size` bytes is a transpose with room for a tile of one lane.
pub(super) fn fit(planes: &Planes, size: usize) -> bool {
    let side = LANE / size;
    planes.inner.dst == size as isize
        && planes.outer.src.unsigned_abs() == size
        && planes.is_transposed()
        && planes.inner.len >= side
        && planes.outer.len >= side
}

/// Copies a plane which [`fit`]s, with items as long as `T`, of which `N` make a lane.
///
/// # Safety
/// The items of the plane that starts at `src` are readable, those of the one at `dst` writable, and none overlaps another. The processor
/// has both kinds of registers; `Narrow` is one lane.
#[inline(always)]
pub(super) unsafe fn copy<Wide: Register, Narrow: Register, T, const N: usize>(
    src: *const u8,
    dst: *mut u8,
    planes: &Planes,
    streamed: bool,
) {
    let (inner, mut outer) = (planes.inner, planes.outer);
    let (mut src, mut dst) = (src, dst);
    if outer.src < 0 {
        let last = outer.len as isize - 1;
        (src, dst) = (src.wrapping_offset(last * outer.src), dst.wrapping_offset(last * outer.dst));
        (outer.src, outer.dst) = (-outer.src, -outer.dst);
    }
    let at = |row: usize, column: usize| {
        let (row, column) = (row as isize, column as isize);
        (src.wrapping_offset(row * outer.src + column * inner.src), dst.wrapping_offset(row * outer.dst + column * inner.dst))
    };
    // A line that is streamed in parts goes to memory more than once.
    let streamed = streamed && size_of::<Wide>() == LINE && outer.dst % LINE as isize == 0 && dst.addr() % LINE == 0;
    let wide = inner.len - inner.len % (N * Wide::LANES);
    let rows = STRIP / size_of::<T>();
    for strip in (0..outer.len).step_by(rows).map(|top| top..outer.len.min(top + rows)) {
        for column in (0..wide).step_by(N * Wide::LANES) {
            for row in places::<N>(strip.clone(), outer.len) {
                let (from, to) = at(row, column);
                // SAFETY: a tile inside of the plane; streamed only where lines start.
                unsafe { copy_tile::<Wide, T, N>(from, inner.src, to, outer.dst, streamed) };
            }
        }
        for column in places::<N>(wide..inner.len, inner.len) {
            for row in places::<N>(strip.clone(), outer.len) {
                let (from, to) = at(row, column);
                // SAFETY: a tile inside of the plane.
                unsafe { copy_tile::<Narrow, T, N>(from, inner.src, to, outer.dst, false) };
            }
        }
    }
}

/// Where tiles start that cover `range` of an axis which is at least `N` long. The last one lies over the one before where it would reach
/// beyond the end: both write the same there.
fn places<const N: usize>(range: Range<usize>, len: usize) -> impl Iterator<Item = usize> {
    range.step_by(N).map(move |at| at.min(len - N))
}

/// # Safety
/// From `src` on, `N` rows for each lane are readable, `src_pitch` apart and a lane long; from `dst` on, `N` rows as long as the register
/// are writable, `dst_pitch` apart. `streamed` only if all of those are aligned to the register's size.
#[inline(always)]
unsafe fn copy_tile<V: Register, T, const N: usize>(src: *const u8, src_pitch: isize, dst: *mut u8, dst_pitch: isize, streamed: bool) {
    let mut rows: [V; N] = std::array::from_fn(|row| {
        let from = src.wrapping_offset(row as isize * src_pitch);
        // SAFETY: the caller's promise.
        unsafe { V::gather(from, src_pitch * N as isize) }
    });
    for _ in 0..N.ilog2() {
        let before = rows;
        for at in 0..N / 2 {
            // SAFETY: the caller's promise.
            (rows[2 * at], rows[2 * at + 1]) = unsafe { V::interleave::<T>(before[at], before[at + N / 2]) };
        }
    }
    for (at, row) in rows.into_iter().enumerate() {
        let to = dst.wrapping_offset(at as isize * dst_pitch);
        if streamed {
            // SAFETY: the caller's promise.
            unsafe { row.stream(to) };
        } else {
            if size_of::<V>() == LINE {
                // Most rows do not start at a line, so most stores touch two, and the processor asks for the second only when it has
                // the first.
                // SAFETY: SSE is part of x86-64; a prefetch may name any address.
                unsafe { _mm_prefetch::<_MM_HINT_ET0>(to.wrapping_add(LINE).cast_const().cast()) };
            }
            // SAFETY: the caller's promise.
            unsafe { row.store(to) };
        }
    }
}
