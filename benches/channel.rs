//! What a channel costs: to one thread, there and back between two, and to several at once.
//!
//! `cargo bench --bench channel`. Beside ours stands `crossbeam-channel`, which moves the ints as they are where ours makes messages of
//! them that could hold anything. Beside a round trip on processors of their own, where a look finds the answer, stands one on a shared
//! processor, where each thread must sleep for the other to run.

use std::thread;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// What both have.
trait Channel {
    const NAME: &str;
    type Sender: Clone + Send + 'static;
    type Receiver: Clone + Send + 'static;
    type Message: Send;

    fn new(capacity: Option<usize>) -> (Self::Sender, Self::Receiver);
    fn message(number: i64) -> Self::Message;
    /// `false` without receivers.
    fn send(sender: &Self::Sender, message: Self::Message) -> bool;
    /// `None` at the end.
    fn recv(receiver: &Self::Receiver) -> Option<Self::Message>;
    fn try_both(sender: &Self::Sender, receiver: &Self::Receiver, number: i64) -> Self::Message;
}

struct Crossbuf;

impl Channel for Crossbuf {
    const NAME: &str = "crossbuf";
    type Sender = crossbuf::Sender;
    type Receiver = crossbuf::Receiver;
    type Message = crossbuf::channel::Message;

    fn new(capacity: Option<usize>) -> (Self::Sender, Self::Receiver) {
        crossbuf::channel(capacity)
    }
    fn message(number: i64) -> Self::Message {
        number.into()
    }
    fn send(sender: &Self::Sender, message: Self::Message) -> bool {
        sender.send(message).is_ok()
    }
    fn recv(receiver: &Self::Receiver) -> Option<Self::Message> {
        receiver.recv().ok()
    }
    fn try_both(sender: &Self::Sender, receiver: &Self::Receiver, number: i64) -> Self::Message {
        sender.try_send(number).expect("there is room");
        receiver.try_recv().expect("a message was sent")
    }
}

struct Crossbeam;

impl Channel for Crossbeam {
    const NAME: &str = "crossbeam";
    type Sender = crossbeam_channel::Sender<i64>;
    type Receiver = crossbeam_channel::Receiver<i64>;
    type Message = i64;

    fn new(capacity: Option<usize>) -> (Self::Sender, Self::Receiver) {
        capacity.map_or_else(crossbeam_channel::unbounded, crossbeam_channel::bounded)
    }
    fn message(number: i64) -> Self::Message {
        number
    }
    fn send(sender: &Self::Sender, message: Self::Message) -> bool {
        sender.send(message).is_ok()
    }
    fn recv(receiver: &Self::Receiver) -> Option<Self::Message> {
        receiver.recv().ok()
    }
    fn try_both(sender: &Self::Sender, receiver: &Self::Receiver, number: i64) -> Self::Message {
        sender.try_send(number).expect("there is room");
        receiver.try_recv().expect("a message was sent")
    }
}

fn named(capacity: Option<usize>) -> String {
    capacity.map_or("unbounded".into(), |capacity| format!("capacity {capacity}"))
}

fn one_thread_with<C: Channel>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("try_send and try_recv");
    for capacity in [None, Some(64)] {
        let (sender, receiver) = C::new(capacity);
        group.bench_function(BenchmarkId::new(C::NAME, named(capacity)), |bencher| bencher.iter(|| C::try_both(&sender, &receiver, 7)));
    }
    group.finish();
}

fn one_thread(criterion: &mut Criterion) {
    one_thread_with::<Crossbuf>(criterion);
    one_thread_with::<Crossbeam>(criterion);
}

fn echo<C: Channel>(criterion: &mut Criterion, name: &str) {
    let mut group = criterion.benchmark_group(name);
    for capacity in [None, Some(1), Some(0)] {
        let (there, arrives) = C::new(capacity);
        let (back, returns) = C::new(capacity);
        let peer = thread::spawn(move || while C::recv(&arrives).is_some_and(|message| C::send(&back, message)) {});
        group.bench_function(BenchmarkId::new(C::NAME, named(capacity)), |bencher| {
            bencher.iter(|| {
                C::send(&there, C::message(7));
                C::recv(&returns).expect("the peer answers")
            });
        });
        drop(there);
        peer.join().expect("the peer ends with its channel");
    }
    group.finish();
}

fn two_threads(criterion: &mut Criterion) {
    echo::<Crossbuf>(criterion, "round trip");
    echo::<Crossbeam>(criterion, "round trip");
    let all = sched_getaffinity(None).expect("a thread may ask for its processors");
    let mut first = CpuSet::new();
    first.set((0..CpuSet::MAX_CPU).find(|&cpu| all.is_set(cpu)).expect("this thread runs somewhere"));
    sched_setaffinity(None, &first).expect("a thread may choose among its processors");
    echo::<Crossbuf>(criterion, "round trip on one processor");
    echo::<Crossbeam>(criterion, "round trip on one processor");
    sched_setaffinity(None, &all).expect("a thread may choose among its processors");
}

/// How long so many messages take from all senders to all receivers. Starting the threads is part of it, for both channels.
fn crowd<C: Channel>(messages: usize, capacity: Option<usize>, senders: usize, receivers: usize) -> Duration {
    let start = Instant::now();
    let (sender, receiver) = C::new(capacity);
    thread::scope(|scope| {
        for _ in 0..senders {
            let sender = sender.clone();
            scope.spawn(move || (0..messages / senders).for_each(|number| assert!(C::send(&sender, C::message(number as i64)))));
        }
        drop(sender);
        let counts: Vec<_> = (0..receivers)
            .map(|_| {
                let receiver = receiver.clone();
                scope.spawn(move || std::iter::from_fn(|| C::recv(&receiver)).count())
            })
            .collect();
        let received: usize = counts.into_iter().map(|count| count.join().expect("a receiver ends with its channel")).sum();
        assert_eq!(received, messages, "each message once");
    });
    start.elapsed()
}

fn crowds<C: Channel>(criterion: &mut Criterion) {
    const MESSAGES: usize = 20_000;
    for (senders, receivers) in [(1, 1), (4, 1), (1, 4), (4, 4)] {
        let mut group = criterion.benchmark_group(format!("20000 messages, {senders} senders, {receivers} receivers"));
        group.sample_size(10).throughput(Throughput::Elements(MESSAGES as u64));
        for capacity in [None, Some(64)] {
            group.bench_function(BenchmarkId::new(C::NAME, named(capacity)), |bencher| {
                bencher.iter_custom(|times| (0..times).map(|_| crowd::<C>(MESSAGES, capacity, senders, receivers)).sum());
            });
        }
        group.finish();
    }
}

fn many_threads(criterion: &mut Criterion) {
    crowds::<Crossbuf>(criterion);
    crowds::<Crossbeam>(criterion);
}

criterion_group!(benches, one_thread, two_threads, many_threads);
criterion_main!(benches);
