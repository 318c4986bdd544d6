//! Handles of any content, and slices of any kind: an error, or an array that lies inside its block.
#![no_main]

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use crossbuf::array::{Index, Order};
use crossbuf::{Arena, Array, ArrayMeta, Budget, Handle};
use libfuzzer_sys::fuzz_target;

static ARENA: LazyLock<Arena> = LazyLock::new(|| Arena::new(Budget::bytes(1 << 20)).expect("memory for an arena"));
/// What the handles are altered from; its neighbours in memory belong to others.
static ARRAY: LazyLock<Array> = LazyLock::new(|| {
    let meta = ArrayMeta::contiguous("<u2".parse().expect("a dtype"), &[6, 5], Order::C).expect("a shape");
    ARENA.share(meta, &[7; 60]).expect("room for 60 bytes")
});

#[derive(Arbitrary, Debug)]
struct Input {
    block: u32,
    generation: u32,
    offset: u64,
    shape: Vec<usize>,
    strides: Vec<isize>,
    same_block: bool,
    reseal: bool,
    indices: Vec<(u8, isize, Option<isize>, Option<isize>)>,
}

fuzz_target!(|input: Input| {
    let mut handle: Handle = ARRAY.handle();
    handle.offset = input.offset;
    if !input.same_block {
        handle.block.0 = input.block;
        handle.generation.0 = input.generation;
    }
    if let Ok(meta) = ArrayMeta::strided(handle.meta.dtype().clone(), &input.shape, &input.strides) {
        handle.meta = meta;
    }
    if input.reseal {
        handle = handle.resealed();
    }
    if let Ok(array) = Array::open(&handle) {
        inspect(&array);
    }
    let indices: Vec<Index> = input.indices.iter().map(index).collect();
    if let Ok(part) = ARRAY.slice(&indices) {
        inspect(&part);
    }
});

/// Reads every element; all bytes of the block are 7.
fn inspect(array: &Array) {
    if array.meta().nbytes() <= 1 << 16 {
        assert!(array.to_bytes().iter().all(|&byte| byte == 7));
    }
}

fn index(&(kind, at, stop, step): &(u8, isize, Option<isize>, Option<isize>)) -> Index {
    match kind % 4 {
        0 => Index::At(at),
        1 => Index::Slice(Some(at), stop, step),
        2 => Index::Ellipsis,
        _ => Index::NewAxis,
    }
}
