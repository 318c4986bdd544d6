//! What copies cost: into an arena and out of it, beside a plain copy of as many bytes between warm buffers.
//!
//! `cargo bench --bench copy`. Memory of the arena is recycled, but for the group `fresh memory`. Arrays are gathered out of an arena by
//! `Array::to_bytes`, whose new bytes are part of what is timed; the plain copy beside it makes new ones as well.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use crossbuf::array::{Index, Order};
use crossbuf::{Arena, Array, ArrayMeta, Budget};

const MIB: usize = 1 << 20;
const LARGE: usize = 128 * MIB;

fn meta(dtype: &str, shape: &[usize]) -> ArrayMeta {
    ArrayMeta::contiguous(dtype.parse().expect("a dtype"), shape, Order::C).expect("a layout")
}

fn arena() -> Arena {
    Arena::new(Budget::bytes(4 << 30)).expect("an arena")
}

/// One piece, from what fits the first cache to what fits none.
fn into(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("share");
    let arena = arena();
    for len in (10..=28).step_by(2).map(|power| 1usize << power) {
        let (from, mut to, meta) = (vec![1u8; len], vec![2u8; len], meta("|u1", &[len]));
        group.sample_size(20).measurement_time(Duration::from_secs(1)).throughput(Throughput::Bytes(len as u64));
        group.bench_with_input(BenchmarkId::new("plain copy", len), &len, |bencher, _| {
            bencher.iter(|| black_box(&mut to).copy_from_slice(black_box(&from)));
        });
        group.bench_with_input(BenchmarkId::new("share", len), &len, |bencher, _| {
            bencher.iter(|| arena.share(meta.clone(), black_box(&from)).expect("room"));
        });
    }
    group.finish();
}

/// Strided arrays of square shape, by the length of their items.
fn out(criterion: &mut Criterion) {
    let every_second = Index::Slice(None, None, Some(2));
    let backwards = Index::Slice(None, None, Some(-1));
    let arena = arena();
    for nbytes in [MIB / 16, MIB, 16 * MIB] {
        let mut group = criterion.benchmark_group(format!("to_bytes, {} KiB", nbytes >> 10));
        group.sample_size(20).measurement_time(Duration::from_secs(1)).throughput(Throughput::Bytes(nbytes as u64));
        let plain = vec![1u8; nbytes];
        group.bench_function("plain copy", |bencher| bencher.iter(|| black_box(&plain).to_vec()));
        for (dtype, itemsize) in [("|u1", 1), ("<f4", 4), ("<f8", 8), ("|S12", 12)] {
            let side = (nbytes / itemsize).isqrt();
            let double = arena.share(meta(dtype, &[side, 2 * side]), &vec![1; 2 * side * side * itemsize]).expect("room");
            let half = double.slice(&[Index::Ellipsis, Index::Slice(None, Some(side as isize), None)]).expect("a half");
            let views: [(&str, Array); 3] = [
                ("transposed", half.transpose()),
                ("every second", double.slice(&[Index::Ellipsis, every_second]).expect("a view")),
                ("backwards", half.slice(&[Index::Ellipsis, backwards]).expect("a view")),
            ];
            for (name, view) in views {
                group.bench_with_input(BenchmarkId::new(name, dtype), &view, |bencher, view| bencher.iter(|| view.to_bytes()));
            }
        }
        group.finish();
    }
}

/// The same beside the first touch of memory, and the first look at it.
fn fresh(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fresh memory");
    group.sample_size(10).throughput(Throughput::Bytes(LARGE as u64));
    let (arena, meta, from) = (arena(), meta("|u1", &[LARGE]), vec![1u8; LARGE]);
    let share = || arena.share(meta.clone(), &from).expect("room");
    group.bench_function("share, recycled", |bencher| bencher.iter(share));
    group.bench_function("share, fresh", |bencher| bencher.iter_batched(|| arena.trim(), |_| share(), BatchSize::PerIteration));
    let array = share();
    group.bench_function("read, warm", |bencher| bencher.iter(|| sum(&array)));
    drop(array);
    let trimmed = || {
        arena.trim();
        share()
    };
    group.bench_function("read, first", |bencher| bencher.iter_batched(trimmed, |array| sum(&array), BatchSize::PerIteration));
    group.finish();
}

fn sum(array: &Array) -> u8 {
    array.as_slice::<u8>().expect("bytes").iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

criterion_group!(benches, into, out, fresh);
criterion_main!(benches);
