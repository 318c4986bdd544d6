//! Copying into (and out of) arena memory.
//!
//! * [`copy_bytes`]: one piece to one piece. From 16 MiB up it stores past the caches: a plain copy reads each line of the destination
//!   first, only to overwrite it, which costs a third of the time once nothing fits a cache anyway.
//! * [`copy_strided`]: any strides to any strides. The axes are first brought into the order in which the destination lies in memory,
//!   and those which form one piece are joined; what remains is a loop over *planes* of two axes:
//!
//! ```text
//!            inner: nearest in the destination
//!           +-----+-----+--
//!   outer:  |tile |tile |        within a tile both sides stay in the first cache,
//!   nearest +-----+-----+--      so that a transpose reads each line once
//!   in the  |tile |tile |
//!   source  +-----+-----+--
//! ```

#[cfg(target_arch = "x86_64")]
mod streamed;

use smallvec::SmallVec;

/// From here on a copy streams: smaller ones gain from a destination that is in the cache afterwards.
#[cfg(target_arch = "x86_64")]
const STREAMED: usize = 16 << 20;

/// Elements along each side of a tile.
const TILE: usize = 32;

/// Copies `len` bytes.
///
/// # Safety
/// `src` is readable and `dst` writable for `len` bytes, and they do not overlap.
pub(crate) unsafe fn copy_bytes(src: *const u8, dst: *mut u8, len: usize) {
    #[cfg(target_arch = "x86_64")]
    if len >= STREAMED {
        // SAFETY: the caller's promise.
        return unsafe { streamed::copy(src, dst, len) };
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
    let plane = match plan.item {
        1 => copy_plane::<u8>,
        2 => copy_plane::<u16>,
        4 => copy_plane::<u32>,
        8 => copy_plane::<u64>,
        16 => copy_plane::<u128>,
        _ => copy_plane_of_pieces,
    };
    plan.for_each_plane(|src_start, dst_start| {
        // SAFETY: the plan visits exactly the elements that the caller promised, by whole items.
        unsafe { plane(src.wrapping_offset(src_start), dst.wrapping_offset(dst_start), &plan) };
    });
}

/// One axis of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Axis {
    len: usize,
    src: isize,
    dst: isize,
}

impl Axis {
    const SINGLE: Axis = Axis { len: 1, src: 0, dst: 0 };
}

/// In which order to copy what.
#[derive(Debug)]
struct Plan {
    /// Bytes that lie together on both sides.
    item: usize,
    /// The axis along which the destination advances least.
    inner: Axis,
    /// Of the others, the one along which the source advances least.
    outer: Axis,
    rest: SmallVec<[Axis; 4]>,
    /// Where the first item is, from the first element.
    start: (isize, isize),
}

impl Plan {
    /// `None` when there is nothing to copy.
    fn new(src: &[isize], dst: &[isize], shape: &[usize], itemsize: usize) -> Option<Plan> {
        if itemsize == 0 || shape.contains(&0) {
            return None;
        }
        let strides = src.iter().zip(dst);
        let mut axes: SmallVec<[Axis; 4]> =
            shape.iter().zip(strides).map(|(&len, (&src, &dst))| Axis { len, src, dst }).filter(|axis| axis.len > 1).collect();
        let mut start = (0, 0);
        for axis in axes.iter_mut().filter(|axis| axis.dst < 0) {
            let last = axis.len as isize - 1;
            start = (start.0 + last * axis.src, start.1 + last * axis.dst);
            (axis.src, axis.dst) = (-axis.src, -axis.dst);
        }
        axes.sort_by_key(|axis| std::cmp::Reverse((axis.dst, axis.src.unsigned_abs())));
        let mut axes = joined(&axes);
        let mut item = itemsize;
        if let Some(&Axis { len, src, dst }) = axes.last()
            && src == item as isize
            && dst == src
        {
            item *= len;
            axes.pop();
        }
        let inner = axes.pop().unwrap_or(Axis::SINGLE);
        let nearest = (0..axes.len()).min_by_key(|&at| axes[at].src.unsigned_abs());
        let outer = nearest.map_or(Axis::SINGLE, |at| axes.remove(at));
        Some(Plan { item, inner, outer, rest: axes, start })
    }

    /// Calls `visit` with where each plane starts on both sides, the last of the other axes fastest.
    fn for_each_plane(&self, mut visit: impl FnMut(isize, isize)) {
        let mut index: SmallVec<[usize; 4]> = SmallVec::from_elem(0, self.rest.len());
        let (mut src, mut dst) = self.start;
        loop {
            visit(src, dst);
            let mut steps = index.iter_mut().zip(&self.rest).rev();
            let advanced = steps.any(|(at, axis)| {
                *at += 1;
                (src, dst) = (src + axis.src, dst + axis.dst);
                if *at < axis.len {
                    return true;
                }
                *at = 0;
                (src, dst) = (src - axis.src * axis.len as isize, dst - axis.dst * axis.len as isize);
                false
            });
            if !advanced {
                return;
            }
        }
    }

    /// Calls `visit` for each row of each tile with where it starts on both sides, from the plane's start, and its number of items.
    fn for_each_row(&self, mut visit: impl FnMut(isize, isize, usize)) {
        let (inner, outer) = (self.inner, self.outer);
        let (tall, wide) = if outer.len > 1 { (TILE, TILE) } else { (1, inner.len) };
        for top in (0..outer.len).step_by(tall) {
            for left in (0..inner.len).step_by(wide) {
                for row in top..outer.len.min(top + tall) {
                    let (row, left) = (row as isize, left as isize);
                    visit(row * outer.src + left * inner.src, row * outer.dst + left * inner.dst, wide.min(inner.len - left as usize));
                }
            }
        }
    }
}

/// The axes with each joined to the next outer one of which it is a whole step, on both sides.
fn joined(axes: &[Axis]) -> SmallVec<[Axis; 4]> {
    let mut joined: SmallVec<[Axis; 4]> = SmallVec::new();
    for &axis in axes {
        let span = axis.len as isize;
        match joined.last_mut() {
            Some(outer) if outer.src == axis.src * span && outer.dst == axis.dst * span => {
                *outer = Axis { len: outer.len * axis.len, ..axis }
            }
            _ => joined.push(axis),
        }
    }
    joined
}

/// Copies a plane whose items are as long as `T`.
///
/// # Safety
/// The items of the plane that starts at `src` are readable, those of the one at `dst` writable, and none overlaps another.
unsafe fn copy_plane<T: Copy>(src: *const u8, dst: *mut u8, plan: &Plan) {
    let (src_step, dst_step) = (plan.inner.src, plan.inner.dst);
    plan.for_each_row(|src_row, dst_row, len| {
        let (src, dst) = (src.wrapping_offset(src_row), dst.wrapping_offset(dst_row));
        for at in 0..len as isize {
            let from = src.wrapping_offset(at * src_step).cast::<T>();
            // SAFETY: an item of the source, by the caller's promise.
            let item = unsafe { from.read_unaligned() };
            let to = dst.wrapping_offset(at * dst_step).cast::<T>();
            // SAFETY: an item of the destination, by the caller's promise.
            unsafe { to.write_unaligned(item) };
        }
    });
}

/// Copies a plane of longer or odd items.
///
/// # Safety
/// As for `copy_plane`.
unsafe fn copy_plane_of_pieces(src: *const u8, dst: *mut u8, plan: &Plan) {
    plan.for_each_row(|src_row, dst_row, len| {
        for at in 0..len as isize {
            let (from, to) = (src.wrapping_offset(src_row + at * plan.inner.src), dst.wrapping_offset(dst_row + at * plan.inner.dst));
            // SAFETY: an item on each side, by the caller's promise.
            unsafe { copy_bytes(from, to, plan.item) };
        }
    });
}

#[cfg(all(test, not(loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Places of all elements, in C order.
    fn places(shape: &[usize], strides: &[isize]) -> Vec<isize> {
        shape.iter().zip(strides).fold(vec![0], |places, (&len, &stride)| {
            places.iter().flat_map(|&place| (0..len as isize).map(move |at| place + at * stride)).collect()
        })
    }

    /// Strides without gaps, the axes nested in `order`, those in `flipped` backwards; and the first element's place.
    fn compact(shape: &[usize], order: &[usize], flipped: &[bool], itemsize: usize) -> (Vec<isize>, usize) {
        let (mut strides, mut step, mut first) = (vec![0; shape.len()], itemsize as isize, 0);
        for &axis in order {
            strides[axis] = if flipped[axis] { -step } else { step };
            first += if flipped[axis] { step as usize * (shape[axis].max(1) - 1) } else { 0 };
            step *= shape[axis].max(1) as isize;
        }
        (strides, first)
    }

    prop_compose! {
        fn axes()(ndim in 0usize..5)(
            shape in prop::collection::vec(prop_oneof![8 => 1usize..6, 1 => Just(0), 2 => 30usize..70], ndim)
                .prop_filter("small", |shape| shape.iter().product::<usize>() < 100_000),
            strides in prop::collection::vec(-40isize..40, ndim),
            orders in (Just((0..ndim).collect::<Vec<_>>()).prop_shuffle(), Just((0..ndim).collect::<Vec<_>>()).prop_shuffle()),
            flipped in prop::collection::vec(any::<bool>(), ndim),
            near in any::<bool>(),
        ) -> (Vec<usize>, Vec<isize>, (Vec<usize>, Vec<usize>), Vec<bool>, bool) {
            (shape, strides, orders, flipped, near)
        }
    }

    proptest! {
        #[test]
        fn strided_copies_agree_with_one_element_at_a_time(
            (shape, wild, (src_order, dst_order), flipped, compact_source) in axes(),
            itemsize in prop::sample::select(vec![0usize, 1, 2, 3, 4, 5, 8, 12, 16, 40]),
        ) {
            let straight = vec![false; shape.len()];
            let (src_strides, _) = if compact_source { compact(&shape, &src_order, &straight, itemsize) } else { (wild, 0) };
            let (dst_strides, first) = compact(&shape, &dst_order, &flipped, itemsize);
            let (from, to) = (places(&shape, &src_strides), places(&shape, &dst_strides));
            let lowest = from.iter().min().copied().unwrap_or(0);
            let highest = from.iter().max().copied().unwrap_or(0);
            let source: Vec<u8> = (0..(highest - lowest) as usize + itemsize).map(|at| (at * 7 + (at >> 8)) as u8).collect();
            let mut expected = vec![0u8; shape.iter().product::<usize>() * itemsize];
            let mut found = expected.clone();
            for (from, to) in from.iter().zip(&to) {
                let (from, to) = ((from - lowest) as usize, (to + first as isize) as usize);
                expected[to..to + itemsize].copy_from_slice(&source[from..from + itemsize]);
            }
            let src = source.as_ptr().wrapping_offset(-lowest);
            let dst = found.as_mut_ptr().wrapping_add(first);
            // SAFETY: `source` reaches from the lowest place to the highest, `found` holds all items without gaps, and they are two
            // vectors.
            unsafe { copy_strided(src, &src_strides, dst, &dst_strides, &shape, itemsize) };
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn axes_that_form_one_piece_are_joined() {
        let whole = Plan::new(&[48, 16, 8], &[48, 16, 8], &[5, 3, 2], 8).expect("elements");
        assert_eq!((whole.item, whole.inner, whole.outer), (240, Axis::SINGLE, Axis::SINGLE));
        let rows = Plan::new(&[100, 8], &[80, 8], &[5, 10], 8).expect("elements");
        assert_eq!((rows.item, rows.inner), (80, Axis { len: 5, src: 100, dst: 80 }));
        let reversed = Plan::new(&[-8], &[-8], &[10], 8).expect("elements");
        assert_eq!((reversed.item, reversed.start), (80, (-72, -72)));
        assert!(Plan::new(&[8], &[8], &[0], 8).is_none());
    }
}
