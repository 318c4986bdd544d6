//! The work whose instructions are counted.

use std::hint::black_box;

use crossbuf::array::Order;
use crossbuf::channel::Value;
use crossbuf::{Arena, Array, ArrayMeta, Budget, DType, channel};

/// A name, and what does the work so many times. What comes before the loop is counted as nothing.
pub(crate) const PIECES: [(&str, fn(u64)); 9] = [
    ("allocate and free 800 bytes", allocate),
    ("allocate and free 1 MiB", allocate_run),
    ("share 800 bytes", share),
    ("handle, and open by it", open),
    ("parse a dtype", parse_dtype),
    ("parse a format", parse_format),
    ("send and receive an int", send_int),
    ("send and receive an Array", send_array),
    ("send, receive and read a tuple", send_tuple),
];

fn arena() -> Arena {
    Arena::new(Budget::bytes(64 << 20)).expect("an arena")
}

fn doubles(len: usize) -> ArrayMeta {
    ArrayMeta::contiguous("<f8".parse().expect("a dtype"), &[len], Order::C).expect("a layout")
}

fn shared(arena: &Arena) -> Array {
    arena.share(doubles(100), &[0; 800]).expect("room")
}

fn allocate(times: u64) {
    draft_and_drop(&doubles(100), times);
}

fn allocate_run(times: u64) {
    draft_and_drop(&doubles(1 << 17), times);
}

fn draft_and_drop(meta: &ArrayMeta, times: u64) {
    let arena = arena();
    for _ in 0..times {
        black_box(arena.draft(black_box(meta).clone()).expect("room"));
    }
}

fn share(times: u64) {
    let (arena, meta, bytes) = (arena(), doubles(100), [0; 800]);
    for _ in 0..times {
        black_box(arena.share(black_box(&meta).clone(), black_box(&bytes)).expect("room"));
    }
}

fn open(times: u64) {
    let array = shared(&arena());
    for _ in 0..times {
        black_box(Array::open(&black_box(&array).handle()).expect("it is alive"));
    }
}

fn parse_dtype(times: u64) {
    for _ in 0..times {
        black_box(black_box("{x:<f8@0,y:<f8@8;16}").parse::<DType>().expect("a dtype"));
    }
}

fn parse_format(times: u64) {
    for _ in 0..times {
        black_box(DType::from_format(black_box("T{d:x:d:y:}"), 16).expect("a format"));
    }
}

fn send_int(times: u64) {
    let (sender, receiver) = channel(None);
    for _ in 0..times {
        sender.send(black_box(7)).expect("the receiver is there");
        black_box(receiver.recv().expect("a message was sent"));
    }
}

fn send_array(times: u64) {
    let (sender, receiver) = channel(None);
    let array = shared(&arena());
    for _ in 0..times {
        sender.send(black_box(&array).clone()).expect("the receiver is there");
        black_box(receiver.recv().expect("a message was sent").array().expect("an array was sent"));
    }
}

fn send_tuple(times: u64) {
    let (sender, receiver) = channel(None);
    let array = shared(&arena());
    for _ in 0..times {
        let tuple = Value::Tuple(vec![7.into(), "seven".into(), black_box(&array).clone().into()]);
        sender.send(tuple).expect("the receiver is there");
        black_box(receiver.recv().expect("a message was sent").value().expect("it is well formed"));
    }
}
