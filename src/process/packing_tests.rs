//! What is packed for another process is granted to it, and what cannot be packed is not.

use super::here::here;
use super::other_side::OtherSide;
use super::talk::Forwarded;
use crate::array::Order;
use crate::channel::{Message, Value};
use crate::error::Error;
use crate::{Arena, ArrayMeta, Budget, channel};

#[test]
fn what_cannot_be_packed_is_granted_to_nobody() {
    let arena = Arena::new(Budget::bytes(2 << 20)).unwrap();
    let share = |bytes: &[u8]| arena.share(ArrayMeta::contiguous("|u1".parse().unwrap(), &[bytes.len()], Order::C).unwrap(), bytes);
    let array = share(&[1; 8]).unwrap();
    let full: Vec<_> = std::iter::from_fn(|| share(&[0; 100_000]).ok()).collect();
    let (sender, receiver) = channel(None);
    let message = Message::from(Value::List(vec![array.into(), sender.into(), "too long for a packet".repeat(5000).into()]));
    let side = OtherSide::new();
    let mut forwarded = Forwarded::default();
    let mut talk = side.peer.talk();
    let packed = side.peer.pack(here().unwrap(), &mut talk, &message, Some(&arena), &mut forwarded);
    assert!(matches!(packed, Err(Error::ArenaFull { .. })));
    assert_eq!((talk.ledger.len(), talk.ends.len()), (0, 0));
    drop(talk);
    forwarded.forget();
    drop((message, full));
    assert!(receiver.recv().unwrap_err().is_ended(), "its only sender was in the message");
    assert_eq!(arena.statistics().blocks, 0);
}
