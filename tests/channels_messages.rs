//! Messages that hold arrays: nothing is copied, and a block lives exactly as long as something mentions it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use crossbuf::array::Order;
use crossbuf::channel::{Message, Value};
use crossbuf::{Arena, Array, ArrayMeta, Budget, DType, channel};

/// Counts what this thread asks of the heap.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above, which is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static HEAP: Counting = Counting;

fn arena() -> Arena {
    Arena::new(Budget::bytes(16 << 20)).unwrap()
}

fn array(arena: &Arena, bytes: &[u8]) -> Array {
    let dtype: DType = "|u1".parse().unwrap();
    let mut draft = arena.draft(ArrayMeta::contiguous(dtype, &[bytes.len()], Order::C).unwrap()).unwrap();
    draft.bytes_mut().copy_from_slice(bytes);
    draft.freeze()
}

#[test]
fn an_array_arrives_where_it_lies() {
    let arena = arena();
    let sent = array(&arena, b"pixels");
    let (sender, receiver) = channel(Some(1));
    sender.send(sent.clone()).unwrap();
    let got = receiver.recv().unwrap().array().unwrap();
    assert_eq!(got.address(), sent.address());
    assert_eq!(got.bytes().unwrap(), b"pixels");
    assert_eq!(arena.statistics().blocks, 1);
}

#[test]
fn a_message_keeps_its_block() {
    let arena = arena();
    let (sender, receiver) = channel(None);
    sender.send(array(&arena, b"first")).unwrap();
    sender.send(Value::Dict(vec![("second".into(), array(&arena, b"second").into())])).unwrap();
    assert_eq!(arena.statistics().blocks, 2, "only the messages hold them");
    assert_eq!(receiver.recv().unwrap().array().unwrap().bytes().unwrap(), b"first");
    assert_eq!(arena.statistics().blocks, 1);
    drop(receiver);
    assert_eq!(arena.statistics().blocks, 0, "what nobody can receive is released");
}

#[test]
fn a_refused_message_gives_its_array_back() {
    let arena = arena();
    let (sender, receiver) = channel(Some(0));
    let refused = sender.try_send(array(&arena, b"mine")).unwrap_err();
    assert_eq!(refused.into_message().array().unwrap().bytes().unwrap(), b"mine");
    assert_eq!(arena.statistics().blocks, 0);
    drop(receiver);
}

#[test]
fn nested_arrays_keep_their_places_and_manners() {
    let arena = arena();
    let [first, second] = [b"first", b"other"].map(|bytes| array(&arena, bytes));
    let message = Message::from(Value::List(vec![Value::NdArray(first), Value::Tuple(vec![second.into(), 3.into()])]));
    let Value::List(items) = message.value().unwrap() else { panic!("a list was written") };
    let [Value::NdArray(first), Value::Tuple(rest)] = &items[..] else { panic!("{items:?}") };
    assert_eq!(first.bytes().unwrap(), b"first");
    assert_eq!(rest[0].as_array().unwrap().bytes().unwrap(), b"other");
}

#[test]
fn other_messages_are_no_arrays() {
    let arena = arena();
    let message = Message::from(Value::List(vec![array(&arena, b"inner").into()]));
    let back = message.array().unwrap_err();
    assert!(matches!(back.value().unwrap(), Value::List(_)));
}

#[test]
fn a_single_array_costs_no_heap() {
    let arena = arena();
    let (sender, receiver) = channel(None);
    let mut array = array(&arena, b"hot");
    // The queue makes its room once.
    for round in 0..3 {
        let before = ALLOCATIONS.get();
        sender.try_send(array).unwrap();
        array = receiver.try_recv().unwrap().array().unwrap();
        assert!(round == 0 || ALLOCATIONS.get() == before);
    }
}

#[test]
fn a_buried_channel_releases_its_arrays() {
    let arena = arena();
    let (sender, receiver) = channel(None);
    sender.send(Value::List(vec![receiver.clone().into(), array(&arena, b"deep").into()])).unwrap();
    assert_eq!(arena.statistics().blocks, 1);
    drop(receiver);
    assert_eq!(arena.statistics().blocks, 0);
}
