//! What travels: a flat run of bytes, and beside it the arrays and channel ends which the bytes name.

use std::fmt;

use smallvec::SmallVec;

use crate::Array;

use super::decode::Decoder;
use super::encode::Encoder;
use super::error::DecodeError;
use super::gate::{Cargo, Gate};
use super::queue::Core;
use super::receiver::Receiver;
use super::sender::Sender;
use super::token::{ARRAY, NDARRAY};
use super::tree;
use super::value::Value;

/// A value on its way. It owns the arrays and channel ends in it. Anything that makes a [`Value`] makes a message; a single array makes one
/// without touching the heap.
///
/// ```
/// use crossbuf::channel::{Message, Value};
///
/// let message = Message::from(Value::Tuple(vec![1.into(), "one".into()]));
/// let Value::Tuple(items) = message.value()? else { panic!("a tuple was sent") };
/// assert_eq!(items[0].as_i64(), Some(1));
/// # Ok::<(), crossbuf::channel::DecodeError>(())
/// ```
#[derive(Clone, Default)]
pub struct Message {
    pub(super) head: Head,
    pub(super) attachments: Attachments,
    /// As the channel stamped it.
    pub(super) serial: u64,
}

/// Tokens, as [`token`](super::token) describes them.
pub(super) type Head = SmallVec<[u8; 32]>;

/// In the order of the tokens that name them.
pub(super) type Attachments = SmallVec<[Attachment; 1]>;

/// What a message owns beside its bytes.
#[derive(Clone, Debug)]
pub(crate) enum Attachment {
    Array(Array),
    Sender(Sender),
    Receiver(Receiver),
}

impl Attachment {
    /// Has a forked child ask for the end that it inherited. Whoever packs the message for another process could not wait for the answer.
    pub(super) fn adopt_inherited(&self) {
        let _ = match self {
            Attachment::Array(_) => None,
            Attachment::Sender(sender) => sender.remote(),
            Attachment::Receiver(receiver) => receiver.remote(),
        };
    }
}

impl Message {
    /// What was sent. Errors: `TooDeep` beyond [`MAX_DEPTH`](super::MAX_DEPTH); the others say that the message was altered.
    pub fn value(mut self) -> Result<Value, DecodeError> {
        let mut decoder = self.decoder();
        let value = tree::read(&mut decoder)?;
        decoder.finish()?;
        Ok(value)
    }

    /// The array, if the message is just that; else the message again.
    #[allow(clippy::result_large_err, reason = "the array is about as large as the message")]
    pub fn array(mut self) -> Result<Array, Message> {
        if !matches!(self.head[..], [ARRAY | NDARRAY]) {
            return Err(self);
        }
        match self.attachments.pop() {
            Some(Attachment::Array(array)) => Ok(array),
            other => {
                self.attachments.extend(other);
                Err(self)
            }
        }
    }

    /// Its number in the channel it was received from, as [`Sender::post`] gave it.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// For one that was made before a fork.
    pub(super) fn adopt_inherited(&self) {
        self.attachments.iter().for_each(Attachment::adopt_inherited);
    }

    /// Reads the tokens and takes the attachments out.
    pub(crate) fn decoder(&mut self) -> Decoder<'_> {
        Decoder::new(&self.head, std::mem::take(&mut self.attachments))
    }

    /// What it consists of, to be written elsewhere.
    pub(crate) fn parts(&self) -> (&[u8], &[Attachment]) {
        (&self.head, &self.attachments)
    }

    /// The inverse of [`parts`](Message::parts). Anything may be given: reading refuses what writing does not make.
    pub(crate) fn from_parts(head: &[u8], attachments: Vec<Attachment>) -> Message {
        Message { head: head.into(), attachments: attachments.into(), serial: 0 }
    }

    /// A message of arbitrary bytes, to show that reading refuses what writing does not make. The ends and arrays of `attached` lie beside them.
    #[cfg(any(test, fuzzing))]
    pub fn from_raw(head: &[u8], attached: Message) -> Message {
        Message { head: head.into(), ..attached }
    }
}

impl<T: Into<Value>> From<T> for Message {
    fn from(value: T) -> Message {
        let mut encoder = Encoder::default();
        tree::write(value.into(), &mut encoder);
        encoder.finish()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("bytes", &self.head.len()).field("attachments", &self.attachments).finish()
    }
}

impl Cargo for Message {
    fn receivers_of<'a>(&'a self, home: &'a Core<Message>) -> impl Iterator<Item = &'a Gate> {
        self.attachments.iter().filter_map(move |attachment| match attachment {
            Attachment::Receiver(receiver) => receiver.gate_in(home),
            Attachment::Array(_) | Attachment::Sender(_) => None,
        })
    }

    fn stamp(&mut self, serial: u64) {
        self.serial = serial;
    }
}

const _: () = {
    const fn assert_crosses_threads<T: Send + Sync>() {}
    assert_crosses_threads::<Message>();
};
