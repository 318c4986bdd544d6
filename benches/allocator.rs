//! What blocks cost: making and freeing one, alone and among others.
//!
//! `cargo bench --bench allocator`. Beside an arena stands `offset-allocator` behind a lock, as an arena has one. It only keeps books, in
//! grains of 64 bytes; a block of an arena also has its counted references and its layout, and pages when it is fresh.

use std::sync::Mutex;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use crossbuf::array::Order;
use crossbuf::{Arena, ArrayMeta, Budget, Draft};

const BUDGET: u64 = 4 << 30;
const GRAIN: u64 = 64;

fn bytes(len: usize) -> ArrayMeta {
    ArrayMeta::contiguous("|u1".parse().expect("a dtype"), &[len], Order::C).expect("a layout")
}

fn arena() -> Arena {
    Arena::new(Budget::bytes(BUDGET)).expect("an arena")
}

/// As much as the arena, in grains.
fn books() -> Mutex<offset_allocator::Allocator> {
    Mutex::new(offset_allocator::Allocator::new((BUDGET / GRAIN) as u32))
}

fn grains(len: usize) -> u32 {
    len.div_ceil(GRAIN as usize) as u32
}

fn one_block(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("allocate and free");
    let (arena, books) = (arena(), books());
    for len in [64, 800, 100_000, 1 << 20] {
        let meta = bytes(len);
        group.bench_with_input(BenchmarkId::new("arena", len), &meta, |bencher, meta| {
            bencher.iter(|| arena.draft(meta.clone()).expect("room"));
        });
        group.bench_with_input(BenchmarkId::new("offset-allocator", len), &grains(len), |bencher, &grains| {
            bencher.iter(|| {
                let block = books.lock().expect("no panic").allocate(grains).expect("room");
                books.lock().expect("no panic").free(block);
            });
        });
    }
    group.finish();
}

/// Blocks of 64 bytes to 1 MiB live, small ones and large ones in equal number; each turn one is freed and another made in its place.
fn one_of_many(criterion: &mut Criterion) {
    const LIVE: usize = 1000;
    let mut group = criterion.benchmark_group("replace one of 1000 blocks");
    let turns: Vec<(usize, ArrayMeta)> = lengths().take(4 * LIVE).enumerate().map(|(at, len)| (at * 619 % LIVE, bytes(len))).collect();
    let (arena, books) = (arena(), books());

    let mut live: Vec<Option<Draft>> = (0..LIVE).map(|_| None).collect();
    let mut next = turns.iter().cycle();
    let mut replace = || {
        let (at, meta) = next.next().expect("it has no end");
        live[*at] = None;
        live[*at] = Some(arena.draft(meta.clone()).expect("room"));
    };
    (0..LIVE).for_each(|_| replace());
    group.bench_function("arena", |bencher| bencher.iter(&mut replace));

    let mut live: Vec<Option<offset_allocator::Allocation>> = vec![None; LIVE];
    let mut next = turns.iter().cycle();
    let mut replace = || {
        let (at, meta) = next.next().expect("it has no end");
        if let Some(block) = live[*at].take() {
            books.lock().expect("no panic").free(block);
        }
        live[*at] = Some(books.lock().expect("no panic").allocate(grains(meta.nbytes())).expect("room"));
    };
    (0..LIVE).for_each(|_| replace());
    group.bench_function("offset-allocator", |bencher| bencher.iter(&mut replace));
    group.finish();
}

/// Each magnitude from 64 bytes to 1 MiB is as likely as any other. The same in each run.
fn lengths() -> impl Iterator<Item = usize> {
    let mut state = 1u64;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let chance = (state >> 33) as usize;
        let magnitude = 6 + chance % 14;
        (1 << magnitude) + chance / 14 % (1 << magnitude)
    })
}

criterion_group!(benches, one_block, one_of_many);
criterion_main!(benches);
