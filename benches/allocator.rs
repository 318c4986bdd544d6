//! What blocks cost: making and freeing one, copying into fresh and recycled memory, and the first look at it.
//!
//! `cargo bench --bench allocator`. The copies stand beside a plain copy between warm buffers, of the same size.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use crossbuf::array::Order;
use crossbuf::{Arena, Array, ArrayMeta, Budget};

const LARGE: usize = 128 << 20;

fn bytes(len: usize) -> ArrayMeta {
    ArrayMeta::contiguous("|u1".parse().expect("a dtype"), &[len], Order::C).expect("a layout")
}

fn arena() -> Arena {
    Arena::new(Budget::bytes(4 << 30)).expect("an arena")
}

fn blocks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("draft and drop");
    let arena = arena();
    for len in [64, 800, 100_000, 1 << 20] {
        let meta = bytes(len);
        group.bench_with_input(BenchmarkId::from_parameter(len), &meta, |bencher, meta| {
            bencher.iter(|| arena.draft(meta.clone()).expect("room"));
        });
    }
    group.finish();
}

fn copies(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("128 MiB");
    group.sample_size(10).throughput(Throughput::Bytes(LARGE as u64));
    let (arena, meta) = (arena(), bytes(LARGE));
    let (from, mut to) = (vec![1u8; LARGE], vec![2u8; LARGE]);
    let share = || arena.share(meta.clone(), &from).expect("room");
    group.bench_function("plain copy, warm to warm", |bencher| bencher.iter(|| to.copy_from_slice(&from)));
    group.bench_function("share, recycled memory", |bencher| bencher.iter(share));
    group.bench_function("share, fresh memory", |bencher| bencher.iter_batched(|| arena.trim(), |_| share(), BatchSize::PerIteration));
    let array = share();
    group.bench_function("read, warm", |bencher| bencher.iter(|| sum(&array)));
    drop(array);
    let fresh = || {
        arena.trim();
        share()
    };
    group.bench_function("read, first", |bencher| bencher.iter_batched(fresh, |array| sum(&array), BatchSize::PerIteration));
    group.finish();
}

fn sum(array: &Array) -> u8 {
    array.as_slice::<u8>().expect("bytes").iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

criterion_group!(benches, blocks, copies);
criterion_main!(benches);
