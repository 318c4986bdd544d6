//! What a message costs: passed on by one thread, and there and back between two.
//!
//! `cargo bench --bench channel`. Beside a round trip on processors of their own, where a look finds the answer, stands
//! one on a shared processor, where each thread must sleep for the other to run.

use criterion::{Criterion, criterion_group, criterion_main};
use crossbuf::channel;
use crossbuf::channel::Value;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

fn one_thread(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("try_send and try_recv");
    for capacity in [None, Some(64)] {
        let (sender, receiver) = channel(capacity);
        group.bench_function(format!("int, capacity {capacity:?}"), |bencher| {
            bencher.iter(|| {
                sender.try_send(7).expect("there is room");
                receiver.try_recv().expect("a message was sent")
            });
        });
    }
    let (sender, receiver) = channel(None);
    group.bench_function("tuple of three, sent and read", |bencher| {
        bencher.iter(|| {
            sender.try_send(Value::Tuple(vec![7.into(), 1.5.into(), "three".into()])).expect("there is room");
            receiver.try_recv().expect("a message was sent").value().expect("it is well formed")
        });
    });
    group.finish();
}

fn echo(criterion: &mut Criterion, name: &str) {
    let mut group = criterion.benchmark_group(name);
    for capacity in [None, Some(1), Some(0)] {
        let (there, arrives) = channel(capacity);
        let (back, returns) = channel(capacity);
        let peer = std::thread::spawn(move || {
            for message in arrives {
                if back.send(message).is_err() {
                    return;
                }
            }
        });
        group.bench_function(format!("capacity {capacity:?}"), |bencher| {
            bencher.iter(|| {
                there.send(7).expect("the peer receives");
                returns.recv().expect("the peer answers")
            });
        });
        drop(there);
        peer.join().expect("the peer ends with its channel");
    }
    group.finish();
}

fn two_threads(criterion: &mut Criterion) {
    echo(criterion, "round trip");
    let all = sched_getaffinity(None).expect("a thread may ask for its processors");
    let mut first = CpuSet::new();
    first.set((0..CpuSet::MAX_CPU).find(|&cpu| all.is_set(cpu)).expect("this thread runs somewhere"));
    sched_setaffinity(None, &first).expect("a thread may choose among its processors");
    echo(criterion, "round trip on one processor");
    sched_setaffinity(None, &all).expect("a thread may choose among its processors");
}

criterion_group!(benches, one_thread, two_threads);
criterion_main!(benches);
