//! Python objects as messages, and back.
//!
//! ```text
//!                    survey                     write
//! object --> [ native all through? ] --yes--> tokens, arrays, ends --> Message
//!                    |no                                                  ^
//!                    '--> crossbuf._pickling --> stream + attachments ----'
//! ```
//! Native are exact instances of None, bool, int, float, complex, str, bytes, tuple, list, dict, Array, ndarray, Sender and
//! Receiver. A message takes the other way as a whole when anything else is in it, or when something that can be told apart by
//! its identity is in it twice: the receiver gets what unpickling would give, with the same object in both places.
//!
//! Arrays are not copied either way; an ndarray outside of shared memory is copied into it once. When a message cannot be
//! made, whatever was copied for it is given back.

mod decode;
mod encode;
mod pickled;
mod plain;
mod walk;

pub(super) use decode::decode;
pub(super) use encode::encode;
pub(super) use pickled::Pickling;
pub(super) use plain::is_plain;
