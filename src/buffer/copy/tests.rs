//! Every way to copy against one element at a time.

use proptest::prelude::*;

use super::*;

/// Places of all elements, in C order.
fn places(shape: &[usize], strides: &[isize]) -> Vec<isize> {
    shape.iter().zip(strides).fold(vec![0], |places, (&len, &stride)| {
        places.iter().flat_map(|&place| (0..len as isize).map(move |at| place + at * stride)).collect()
    })
}

/// Strides of elements that lie `step` bytes apart, the axes nested in `order`, those in `flipped` backwards, with `gap` bytes after each
/// step of an axis.
fn nested(shape: &[usize], order: &[usize], flipped: &[bool], mut step: isize, gap: isize) -> Vec<isize> {
    let mut strides = vec![0; shape.len()];
    for &axis in order {
        strides[axis] = if flipped[axis] { -step } else { step };
        step = step * shape[axis].max(1) as isize + gap;
    }
    strides
}

/// Where elements lie.
#[derive(Clone, Debug)]
enum Source {
    /// Anywhere, also over each other.
    Wild(Vec<isize>),
    /// One behind the other, or `apart` times their length from each other.
    Nested { order: Vec<usize>, flipped: Vec<bool>, apart: isize, gap: isize },
}

fn axes_in_any_order(ndim: usize) -> impl Strategy<Value = Vec<usize>> {
    Just((0..ndim).collect::<Vec<_>>()).prop_shuffle()
}

fn source(ndim: usize) -> impl Strategy<Value = Source> {
    let flipped = prop::collection::vec(prop::bool::weighted(0.3), ndim);
    let steps = (axes_in_any_order(ndim), flipped, prop_oneof![3 => Just(1isize), 2 => 2isize..5], prop_oneof![Just(0isize), 0isize..40]);
    prop_oneof![
        1 => prop::collection::vec(-40isize..40, ndim).prop_map(Source::Wild),
        4 => steps.prop_map(|(order, flipped, apart, gap)| Source::Nested { order, flipped, apart, gap }),
    ]
}

prop_compose! {
    fn shape()(ndim in 0usize..5)(
        shape in prop::collection::vec(prop_oneof![8 => 1usize..6, 1 => Just(0), 6 => 7usize..90], ndim)
            .prop_filter("small", |shape| shape.iter().product::<usize>() < 60_000),
    ) -> Vec<usize> {
        shape
    }
}

prop_compose! {
    fn copies()(shape in shape())(
        source in source(shape.len()),
        order in axes_in_any_order(shape.len()),
        flipped in prop::collection::vec(prop::bool::weighted(0.1), shape.len()),
        shape in Just(shape),
    ) -> (Vec<usize>, Source, (Vec<usize>, Vec<bool>)) {
        (shape, source, (order, flipped))
    }
}

proptest! {
    #[test]
    fn strided_copies_agree_with_one_element_at_a_time(
        (shape, source, (dst_order, dst_flipped)) in copies(),
        itemsize in prop::sample::select(vec![0usize, 1, 1, 2, 2, 4, 4, 8, 8, 16, 3, 5, 12, 24, 40, 100]),
        // Before the elements, so that they lie at any address; the vectors end where the elements do, for AddressSanitizer to see.
        (src_lead, dst_lead) in (0usize..64, prop_oneof![Just(0usize), 0usize..64]),
        dst_gap in prop_oneof![4 => Just(0isize), 1 => 1isize..9],
    ) {
        let src_strides = match source {
            Source::Wild(strides) => strides,
            Source::Nested { order, flipped, apart, gap } => nested(&shape, &order, &flipped, apart * itemsize as isize, gap),
        };
        let dst_strides = nested(&shape, &dst_order, &dst_flipped, itemsize as isize, dst_gap);
        let (from, to) = (places(&shape, &src_strides), places(&shape, &dst_strides));
        let bounds = |places: &[isize]| (places.iter().min().copied().unwrap_or(0), places.iter().max().copied().unwrap_or(0));
        let ((src_low, src_high), (dst_low, dst_high)) = (bounds(&from), bounds(&to));
        let len = src_lead + (src_high - src_low) as usize + itemsize;
        let elements: Vec<u8> = (0..len).map(|at| (at * 7 + (at >> 8)) as u8).collect();
        let untouched = vec![0xEE; dst_lead + (dst_high - dst_low) as usize + itemsize];
        let mut expected = untouched.clone();
        for (from, to) in from.iter().zip(&to) {
            let (from, to) = (src_lead + (from - src_low) as usize, dst_lead + (to - dst_low) as usize);
            expected[to..to + itemsize].copy_from_slice(&elements[from..from + itemsize]);
        }
        let src = elements[src_lead..].as_ptr().wrapping_offset(-src_low);
        for width in Width::available() {
            for streamed in [false, true] {
                let mut found = untouched.clone();
                let dst = found[dst_lead..].as_mut_ptr().wrapping_offset(-dst_low);
                if let Some(plan) = Plan::new(&src_strides, &dst_strides, &shape, itemsize) {
                    // SAFETY: `elements` reaches from the lowest place to the highest, `found` as well, and they are two vectors.
                    unsafe { copy_planned(src, dst, &plan, width, streamed) };
                }
                prop_assert_eq!(&found, &expected, "{:?}, streamed: {}", width, streamed);
            }
        }
    }
}

/// Items of all lengths in the shapes that have code of their own; some larger than a stage, a strip, and what a stream copies at once.
#[test]
fn each_way_agrees_with_one_element_at_a_time() {
    // Strides of the source in items.
    let cases: [(&[usize], &[isize]); 11] = [
        (&[300, 257], &[1, 320]),   // transposed
        (&[192, 256], &[1, 200]),   // transposed, each row of the destination at a line
        (&[17, 67], &[1, 20]),      // transposed, tiles that lie over each other
        (&[67, 19], &[-1, 70]),     // transposed and backwards
        (&[16, 16], &[1, -17]),     // transposed, one lane wide
        (&[40, 3000], &[3000, 0]),  // one item, repeated
        (&[100, 90], &[270, 3]),    // every third
        (&[0x1800, 3], &[3, -1]),   // short rows backwards
        (&[100, 90], &[90, -1]),    // rows backwards
        (&[9, 5000], &[10_000, 1]), // long pieces
        (&[700, 100], &[130, 1]),   // short pieces
    ];
    for ((shape, steps), itemsize) in cases.iter().flat_map(|&case| [1, 2, 3, 4, 8, 12, 16].map(|itemsize| (case, itemsize))) {
        let src_strides = [steps[0] * itemsize as isize, steps[1] * itemsize as isize];
        let dst_strides = [(shape[1] * itemsize) as isize, itemsize as isize];
        let from = places(shape, &src_strides);
        let (low, high) = (from.iter().min().expect("places"), from.iter().max().expect("places"));
        let elements: Vec<u8> = (0..(high - low) as usize + itemsize).map(|at| (at * 7 + (at >> 8)) as u8).collect();
        let expected: Vec<u8> = from.iter().flat_map(|at| &elements[(at - low) as usize..][..itemsize]).copied().collect();
        let src = elements.as_ptr().wrapping_offset(-low);
        let plan = Plan::new(&src_strides, &dst_strides, shape, itemsize).expect("elements");
        for (width, streamed) in Width::available().flat_map(|width| [(width, false), (width, true)]) {
            // One more line, to start at one.
            let mut found = vec![0; expected.len() + 64];
            let start = found.as_ptr().align_offset(64);
            // SAFETY: `elements` reaches from the lowest place to the highest, `found` has room for all elements without gaps.
            unsafe { copy_planned(src, found[start..].as_mut_ptr(), &plan, width, streamed) };
            assert!(
                found[start..][..expected.len()] == expected,
                "{shape:?} {src_strides:?} of {itemsize}, {width:?}, streamed: {streamed}"
            );
        }
    }
}
