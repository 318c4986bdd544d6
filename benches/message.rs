//! What values cost on their way: making a message of one, reading it, and both with a channel in between.
//!
//! `cargo bench --bench message`. Bytes stand beside a plain copy of as many: making the message is one, reading it another.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use crossbuf::array::Order;
use crossbuf::channel::{Message, Value};
use crossbuf::{Arena, ArrayMeta, Budget, channel};

fn values() -> [(&'static str, Value); 6] {
    let arena = Arena::new(Budget::bytes(16 << 20)).expect("an arena");
    let meta = ArrayMeta::contiguous("<f8".parse().expect("a dtype"), &[100], Order::C).expect("a layout");
    let array = arena.share(meta, &[0; 800]).expect("room");
    let pair = |at: i64| (Value::from(format!("key {at}")), Value::from(at));
    [
        ("int", 7.into()),
        ("Array", array.clone().into()),
        ("tuple of int, str, Array", Value::Tuple(vec![7.into(), "seven".into(), array.into()])),
        ("dict of 10", Value::Dict((0..10).map(pair).collect())),
        ("list of 1000 floats", Value::List((0..1000).map(|at| f64::from(at).into()).collect())),
        ("30 lists, each in the one before", (0..30).fold(Value::None, |inner, _| Value::List(vec![inner]))),
    ]
}

fn parts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("message");
    for (name, value) in values() {
        group.bench_with_input(BenchmarkId::new("make", name), &value, |bencher, value| {
            bencher.iter_batched(|| value.clone(), Message::from, BatchSize::SmallInput);
        });
        let message = Message::from(value);
        group.bench_with_input(BenchmarkId::new("read", name), &message, |bencher, message| {
            bencher.iter_batched(|| message.clone(), |message| message.value().expect("it is well formed"), BatchSize::SmallInput);
        });
    }
    group.finish();
}

fn through_a_channel(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("send, receive and read");
    let (sender, receiver) = channel(None);
    for (name, value) in values() {
        group.bench_with_input(BenchmarkId::from_parameter(name), &value, |bencher, value| {
            let pass = |value: Value| {
                sender.send(value).expect("the receiver is there");
                receiver.recv().expect("a message was sent").value().expect("it is well formed")
            };
            bencher.iter_batched(|| value.clone(), pass, BatchSize::SmallInput);
        });
    }
    group.finish();
}

fn bytes(criterion: &mut Criterion) {
    for len in [800, 64 << 10, 1 << 20] {
        let mut group = criterion.benchmark_group(format!("{len} bytes"));
        group.throughput(Throughput::Bytes(len as u64));
        let bytes = vec![1u8; len];
        group.bench_function("plain copy", |bencher| {
            bencher.iter_batched(|| bytes.clone(), |bytes| bytes.clone(), BatchSize::LargeInput);
        });
        group.bench_function("make", |bencher| {
            bencher.iter_batched(|| Value::from(&bytes[..]), Message::from, BatchSize::LargeInput);
        });
        let message = Message::from(&bytes[..]);
        group.bench_function("read", |bencher| {
            bencher.iter_batched(|| message.clone(), |message| message.value().expect("it is well formed"), BatchSize::LargeInput);
        });
        group.finish();
    }
}

criterion_group!(benches, parts, through_a_channel, bytes);
criterion_main!(benches);
