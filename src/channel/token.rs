//! The parts of a message, and the bytes that stand for them.
//!
//! ```text
//! ["a", array]  ->  head: List 2 | Str 1 'a' | Array     attachments: [array]
//! ```
//!
//! A token is one byte for its kind, then its content. Numbers and lengths take seven bits a byte, low ones first, the last byte with
//! its high bit clear and not 0 unless alone; signed ones are folded first, so that small ones are short. Arrays and channel ends
//! lie beside the bytes, in the order in which tokens name them.

use crate::Array;

use super::receiver::Receiver;
use super::sender::Sender;

/// One part of a message.
#[derive(Debug)]
pub(crate) enum Token<'m> {
    None,
    Bool(bool),
    Int(i64),
    /// Two's complement, low bytes first.
    BigInt(&'m [u8]),
    Float(f64),
    Complex(f64, f64),
    Str(&'m str),
    /// A text with lone surrogates, each in the three bytes UTF-8 would have for it.
    Surrogates(&'m [u8]),
    Bytes(&'m [u8]),
    /// So many values follow.
    Tuple(usize),
    List(usize),
    /// So many pairs of values follow.
    Dict(usize),
    Array(Array),
    /// An array that arrives as an ndarray where NumPy can be imported.
    NdArray(Array),
    Sender(Sender),
    Receiver(Receiver),
    /// A pickle whose out-of-band buffers are the attachments that follow.
    Pickle {
        stream: &'m [u8],
        attachments: usize,
    },
}

/// Declares the bytes of the kinds.
macro_rules! kinds {
    ($($name:ident = $byte:literal)*) => { $(pub(super) const $name: u8 = $byte;)* };
}
kinds! {
    NONE = 0 FALSE = 1 TRUE = 2 INT = 3 BIG_INT = 4 FLOAT = 5 COMPLEX = 6 STR = 7 SURROGATES = 8 BYTES = 9
    TUPLE = 10 LIST = 11 DICT = 12 ARRAY = 13 NDARRAY = 14 SENDER = 15 RECEIVER = 16 PICKLE = 17
}

/// Small numbers of either sign become small ones: 0, -1, 1, -2, 2 are 0, 1, 2, 3, 4.
pub(super) fn fold(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

/// The inverse of [`fold`].
pub(super) fn unfold(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}
