//! Shapes, strides, indexing and runs, against a model that lists every element.

use crossbuf::array::{DType, Index, MAX_DIMS, Order};
use crossbuf::{ArrayMeta, Error};
use proptest::collection::vec;
use proptest::prelude::*;

/// The offsets of all elements in C order.
fn offsets(shape: &[usize], strides: &[isize]) -> Vec<isize> {
    let [length, inner_shape @ ..] = shape else { return vec![0] };
    let inner = offsets(inner_shape, &strides[1..]);
    (0..*length as isize).flat_map(|at| inner.iter().map(move |offset| at * strides[0] + offset)).collect()
}

fn of(meta: &ArrayMeta) -> Vec<isize> {
    offsets(meta.shape(), meta.strides())
}

/// The positions that Python's `range(size)[start:stop:step]` has, found by walking.
fn walk(size: usize, start: Option<isize>, stop: Option<isize>, step: isize) -> Vec<usize> {
    let (size, step) = (size as i128, step as i128);
    let (first, last) = if step > 0 { (0, size) } else { (size - 1, -1) };
    let absolute = |at: isize| if at < 0 { at as i128 + size } else { at as i128 };
    let clamp = |at: i128| if step > 0 { at.clamp(0, size) } else { at.clamp(-1, size - 1) };
    let stop = stop.map_or(last, |stop| clamp(absolute(stop)));
    let mut at = start.map_or(first, |start| clamp(absolute(start)));
    let mut positions = Vec::new();
    while if step > 0 { at < stop } else { at > stop } {
        positions.push(at as usize);
        at += step;
    }
    positions
}

fn takes_an_axis(index: &&Index) -> bool {
    matches!(index, Index::At(_) | Index::Slice(..))
}

/// Shape and element offsets of an indexed array, or `None` where indexing must fail.
fn model(shape: &[usize], strides: &[isize], indices: &[Index]) -> Option<(Vec<usize>, Vec<isize>)> {
    let Some((index, others)) = indices.split_first() else {
        return Some((shape.to_vec(), offsets(shape, strides)));
    };
    match *index {
        Index::NewAxis => model(shape, strides, others).map(|(shape, offsets)| ([vec![1], shape].concat(), offsets)),
        Index::Ellipsis if others.contains(&Index::Ellipsis) => None,
        Index::Ellipsis => {
            let left_out = shape.len().checked_sub(others.iter().filter(takes_an_axis).count())?;
            model(shape, strides, &[&vec![Index::Slice(None, None, None); left_out], others].concat())
        }
        Index::At(at) => {
            let size = *shape.first()? as isize;
            let at = if at < 0 { at + size } else { at };
            let (shape, offsets) = model(&shape[1..], &strides[1..], others)?;
            (0..size).contains(&at).then(|| (shape, offsets.iter().map(|offset| offset + at * strides[0]).collect()))
        }
        Index::Slice(_, _, Some(0)) => None,
        Index::Slice(start, stop, step) => {
            let positions = walk(*shape.first()?, start, stop, step.unwrap_or(1));
            let (inner_shape, inner) = model(&shape[1..], &strides[1..], others)?;
            let place = |&at: &usize| inner.iter().map(move |offset| offset + at as isize * strides[0]);
            Some(([vec![positions.len()], inner_shape].concat(), positions.iter().flat_map(place).collect()))
        }
    }
}

fn strided() -> impl Strategy<Value = ArrayMeta> {
    let dtype = prop::sample::select(vec!["u1", "i4", "f8", "V3", "V0", "c32"]).prop_map(|text| text.parse::<DType>().unwrap());
    let axis = (0..5usize, prop_oneof![3 => -40..40isize, 1 => Just(0)]);
    let by_chance = (dtype.clone(), vec(axis, 0..5)).prop_map(|(dtype, axes)| {
        let (shape, strides): (Vec<_>, Vec<_>) = axes.into_iter().unzip();
        ArrayMeta::strided(dtype, &shape, &strides).unwrap()
    });
    // Strides by chance are hardly ever without gaps.
    let gapless = (dtype, vec(prop_oneof![1..5usize, Just(1)], 0..5), any::<bool>())
        .prop_map(|(dtype, shape, c)| ArrayMeta::contiguous(dtype, &shape, if c { Order::C } else { Order::F }).unwrap());
    prop_oneof![2 => by_chance, 1 => gapless]
}

fn index() -> impl Strategy<Value = Index> {
    let edge = || {
        let extreme = prop_oneof![any::<isize>(), Just(isize::MIN), Just(isize::MAX)];
        prop_oneof![6 => (-7..7isize).prop_map(Some), 2 => Just(None), 2 => extreme.prop_map(Some)]
    };
    prop_oneof![
        3 => prop_oneof![6 => -5..5isize, 1 => any::<isize>(), 1 => Just(isize::MIN)].prop_map(Index::At),
        5 => (edge(), edge(), edge()).prop_map(|(start, stop, step)| Index::Slice(start, stop, step)),
        1 => Just(Index::Ellipsis),
        1 => Just(Index::NewAxis),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn indexing_takes_the_elements_that_python_takes(meta in strided(), indices in vec(index(), 0..6)) {
        match (meta.index(&indices), model(meta.shape(), meta.strides(), &indices)) {
            (Ok((view, first)), Some((shape, elements))) => {
                prop_assert_eq!(view.shape(), &shape[..]);
                prop_assert_eq!(of(&view).iter().map(|offset| first + offset).collect::<Vec<_>>(), elements);
                prop_assert_eq!(view.dtype(), meta.dtype());
            }
            (Err(_), None) => {}
            (found, expected) => prop_assert!(false, "found {:?}, expected {:?}", found, expected),
        }
    }

    #[test]
    fn a_view_stays_inside_the_extent_of_its_array(meta in strided(), indices in vec(index(), 0..6)) {
        if let Ok((view, first)) = meta.index(&indices) {
            let (inner, outer) = (view.extent(), meta.extent());
            prop_assert!(outer.start <= inner.start + first && inner.end + first <= outer.end, "{:?} + {} in {:?}", inner, first, outer);
        }
    }

    #[test]
    fn the_extent_is_from_the_lowest_to_the_highest_byte(meta in strided()) {
        let elements = of(&meta);
        let start = elements.iter().min().copied().unwrap_or(0);
        let end = elements.iter().max().map_or(0, |last| last + meta.dtype().itemsize() as isize);
        prop_assert_eq!(meta.extent(), start..end);
        prop_assert_eq!(meta.size(), elements.len());
    }

    #[test]
    fn contiguous_means_that_the_elements_follow_each_other(meta in strided()) {
        let step = meta.dtype().itemsize() as isize;
        let follow = |meta: &ArrayMeta| of(meta).iter().enumerate().all(|(at, &offset)| offset == at as isize * step);
        prop_assert_eq!(meta.is_c_contiguous(), follow(&meta));
        prop_assert_eq!(meta.is_f_contiguous(), follow(&meta.transpose()));
    }

    #[test]
    fn compact_keeps_fortran_order_and_closes_the_gaps(meta in strided()) {
        let compact = meta.compact();
        prop_assert_eq!(compact.shape(), meta.shape());
        let kept = if meta.is_f_contiguous() { compact.is_f_contiguous() } else { compact.is_c_contiguous() };
        prop_assert!(kept);
        prop_assert_eq!(compact.extent(), 0..meta.nbytes() as isize);
        prop_assert_eq!(meta.is_compact(), compact == meta);
        prop_assert!(compact.is_compact());
    }

    #[test]
    fn runs_visit_every_byte_in_the_order_of_the_elements(meta in strided()) {
        let bytes = |(offset, length): (isize, usize)| offset..offset + length as isize;
        let by_element: Vec<isize> = of(&meta).into_iter().flat_map(|offset| bytes((offset, meta.dtype().itemsize()))).collect();
        let (promised, runs) = (meta.runs().len(), meta.runs().collect::<Vec<_>>());
        prop_assert_eq!(runs.len(), promised);
        if meta.is_c_contiguous() {
            prop_assert_eq!(runs.len(), usize::from(meta.nbytes() > 0));
        }
        prop_assert_eq!(runs.into_iter().flat_map(bytes).collect::<Vec<_>>(), by_element);
    }

    #[test]
    fn no_numbers_make_it_panic(
        itemsize in prop_oneof![0..9usize, any::<usize>()],
        axes in vec((prop_oneof![any::<usize>(), 0..4usize], prop_oneof![any::<isize>(), -9..9isize, Just(isize::MIN)]), 0..70),
        indices in vec(index(), 0..4),
    ) {
        let Ok(dtype) = DType::void(itemsize) else { return Ok(()) };
        let (shape, strides): (Vec<_>, Vec<_>) = axes.into_iter().unzip();
        let contiguous = [Order::C, Order::F].map(|order| ArrayMeta::contiguous(dtype.clone(), &shape, order));
        for meta in contiguous.into_iter().chain([ArrayMeta::strided(dtype, &shape, &strides)]).flatten() {
            let extent = meta.extent();
            prop_assert!(meta.ndim() <= MAX_DIMS && extent.start <= 0 && extent.end >= 0 && extent.end.checked_sub(extent.start).is_some());
            prop_assert!(meta.runs().take(5).all(|(offset, length)| extent.start <= offset && offset + length as isize <= extent.end));
            prop_assert_eq!(meta.compact().nbytes(), meta.nbytes());
            if let Ok((view, _)) = meta.index(&indices) {
                prop_assert!(view.size() <= meta.size());
            }
        }
    }
}

fn float() -> DType {
    "f8".parse().unwrap()
}

#[test]
fn strides_of_empty_arrays_are_numpys() {
    let strides = |shape: &[usize], order| ArrayMeta::contiguous(float(), shape, order).unwrap().strides().to_vec();
    assert_eq!(strides(&[0, 3], Order::C), [24, 8]);
    assert_eq!(strides(&[3, 0], Order::C), [8, 8]);
    assert_eq!(strides(&[3, 0, 2], Order::F), [8, 24, 24]);
    assert!(strides(&[], Order::C).is_empty());
}

#[test]
fn a_sub_array_dtype_becomes_axes() {
    let dtype: DType = "(2)(3)f8".parse().unwrap();
    let meta = ArrayMeta::contiguous(dtype.clone(), &[4], Order::C).unwrap();
    assert_eq!((meta.dtype(), meta.shape(), meta.strides()), (&float(), &[4, 2, 3][..], &[48, 24, 8][..]));
    let every_second = ArrayMeta::strided(dtype, &[2], &[96]).unwrap();
    assert_eq!((every_second.shape(), every_second.strides()), (&[2, 2, 3][..], &[96, 24, 8][..]));
}

#[test]
fn shapes_that_cannot_exist_are_errors() {
    let reason = |shape: &[usize]| ArrayMeta::contiguous(float(), shape, Order::C).unwrap_err().to_string();
    assert!(reason(&[1; MAX_DIMS + 1]).contains("65 axes"));
    assert!(reason(&[1 << 60]).contains("address space"));
    assert!(reason(&[0, 1 << 40, 1 << 40]).contains("address space"));
    assert!(ArrayMeta::contiguous(float(), &[1; MAX_DIMS], Order::C).is_ok());
    let strided = |shape: &[usize], strides: &[isize]| ArrayMeta::strided(float(), shape, strides);
    assert!(strided(&[2], &[]).unwrap_err().to_string().contains("as many strides"));
    assert!(strided(&[3], &[isize::MAX]).unwrap_err().to_string().contains("address space"));
    assert!(strided(&[2, 2], &[isize::MAX - 8, isize::MIN]).is_err());
}

#[test]
fn impossible_indices_say_what_was_seen() {
    let meta = ArrayMeta::contiguous(float(), &[2, 3], Order::C).unwrap();
    let error = |indices: &[Index]| meta.index(indices).unwrap_err();
    assert_eq!(error(&[Index::Ellipsis, Index::At(-4)]), Error::OutOfBounds { index: -4, axis: 1, size: 3 });
    assert!(error(&[Index::At(0); 3]).to_string().contains("2 axes, but 3 were indexed"));
    assert!(error(&[Index::Ellipsis; 2]).to_string().contains("one ellipsis"));
    assert!(error(&[Index::Slice(None, None, Some(0))]).to_string().contains("step"));
    assert!(error(&[Index::NewAxis; 63]).to_string().contains("65 axes"));
}

#[test]
fn up_to_four_axes_need_no_allocation_of_their_own() {
    let meta = ArrayMeta::contiguous(float(), &[2, 3, 4, 5], Order::C).unwrap();
    let whole = (&raw const meta).addr()..(&raw const meta).addr() + size_of::<ArrayMeta>();
    assert!(whole.contains(&meta.shape().as_ptr().addr()) && whole.contains(&meta.strides().as_ptr().addr()));
}
