//! In which order to copy what.

use smallvec::SmallVec;

/// One axis of a copy: its length, and how far apart its items are on both sides, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    pub(super) len: usize,
    pub(super) src: isize,
    pub(super) dst: isize,
}

pub(super) type Axes = SmallVec<[Axis; 4]>;

impl Axis {
    pub(super) const SINGLE: Axis = Axis { len: 1, src: 0, dst: 0 };
}

/// A strided copy, with its axes in the order in which the destination lies in memory, joined where they form one piece.
#[derive(Debug)]
pub(super) struct Plan {
    /// Bytes that lie together on both sides.
    pub(super) item: usize,
    /// From the one along which the destination advances most to the one along which it advances least, never backwards.
    pub(super) axes: Axes,
    /// Where the first item is on both sides, from the first element.
    pub(super) start: (isize, isize),
}

/// How the items of a plan are visited: the first for each step along `rest`.
#[derive(Debug)]
pub(super) struct Planes {
    /// Bytes that lie together on both sides.
    pub(super) item: usize,
    /// The axis along which the destination advances least.
    pub(super) inner: Axis,
    /// Of the others, the one along which the source advances least.
    pub(super) outer: Axis,
    rest: Axes,
}

impl Plan {
    /// `None` when there is nothing to copy.
    pub(super) fn new(src: &[isize], dst: &[isize], shape: &[usize], itemsize: usize) -> Option<Plan> {
        if itemsize == 0 || shape.contains(&0) {
            return None;
        }
        let strides = src.iter().zip(dst);
        let mut axes: Axes =
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
        Some(Plan { item, axes, start })
    }

    /// Bytes of all items.
    pub(super) fn nbytes(&self) -> usize {
        self.axes.iter().fold(self.item, |bytes, axis| bytes * axis.len)
    }

    /// Whether the same item comes again and again.
    pub(super) fn repeats(&self) -> bool {
        self.axes.last().is_some_and(|axis| axis.src == 0)
    }

    /// Whether the items follow each other in the destination without gaps, in the order of the axes.
    pub(super) fn is_gapless(&self) -> bool {
        let mut bytes = self.item;
        self.axes.iter().rev().all(|axis| {
            let follows = axis.dst == bytes as isize;
            bytes *= axis.len;
            follows
        })
    }

    /// The planes to visit.
    pub(super) fn planes(&self) -> Planes {
        let mut rest = self.axes.clone();
        let inner = rest.pop().unwrap_or(Axis::SINGLE);
        let nearest = (0..rest.len()).min_by_key(|&at| rest[at].src.unsigned_abs());
        let outer = nearest.map_or(Axis::SINGLE, |at| rest.remove(at));
        Planes { item: self.item, inner, outer, rest }
    }
}

impl Planes {
    /// Whether the source advances less along the other axis than along the one on which the destination does.
    pub(super) fn is_transposed(&self) -> bool {
        self.outer.len > 1 && self.outer.src.unsigned_abs() < self.inner.src.unsigned_abs()
    }

    /// Calls `visit` with where each plane starts on both sides.
    pub(super) fn for_each(&self, start: (isize, isize), visit: impl FnMut(isize, isize)) {
        for_each_step(&self.rest, start, visit);
    }
}

/// Calls `visit` with where each step along all of `axes` leads on both sides, along the last one fastest.
pub(super) fn for_each_step(axes: &[Axis], start: (isize, isize), mut visit: impl FnMut(isize, isize)) {
    let mut index: SmallVec<[usize; 4]> = SmallVec::from_elem(0, axes.len());
    let (mut src, mut dst) = start;
    loop {
        visit(src, dst);
        let mut steps = index.iter_mut().zip(axes).rev();
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

/// The axes with each joined to the next outer one of which it is a whole step, on both sides.
fn joined(axes: &[Axis]) -> Axes {
    let mut joined = Axes::new();
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn axes_that_form_one_piece_are_joined() {
        let whole = Plan::new(&[48, 16, 8], &[48, 16, 8], &[5, 3, 2], 8).expect("elements");
        assert_eq!((whole.item, whole.axes.len()), (240, 0));
        let rows = Plan::new(&[100, 8], &[80, 8], &[5, 10], 8).expect("elements");
        assert_eq!((rows.item, &rows.axes[..]), (80, &[Axis { len: 5, src: 100, dst: 80 }][..]));
        let reversed = Plan::new(&[-8], &[-8], &[10], 8).expect("elements");
        assert_eq!((reversed.item, reversed.start), (80, (-72, -72)));
        assert!(Plan::new(&[8], &[8], &[0], 8).is_none());
    }

    #[test]
    fn gaps_in_the_destination_are_seen() {
        assert!(Plan::new(&[2, 30], &[24, 2], &[5, 12], 2).expect("elements").is_gapless());
        assert!(!Plan::new(&[2, 30], &[26, 2], &[5, 12], 2).expect("elements").is_gapless());
        assert!(!Plan::new(&[2, 30], &[48, 4], &[5, 12], 2).expect("elements").is_gapless());
    }
}
