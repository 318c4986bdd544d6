//! Channels: messages from any thread or interpreter of this process to any other.
//!
//! ```text
//! Sender --.                                   .--> Receiver    for message in &receiver
//! Sender --+--> [ message | message | ... ] ---+--> Receiver    each message goes to one of them
//! ```
//!
//! A message owns what it mentions: the arrays in it live while it is under way, whoever made them. Messages of one sending thread
//! arrive in order. When all senders are gone, receivers get what is left and then `Ended`; when all receivers are gone, senders
//! get `Broken` and what is left is dropped at once.
//!
//! ```
//! use crossbuf::channel::Value;
//!
//! let (sender, receiver) = crossbuf::channel(Some(16));
//! sender.send(Value::Dict(vec![("frame".into(), 7.into())]))?;
//! println!("{:?}", receiver.recv()?.value()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The capacity decides how far senders may run ahead: `None` as far as they like, `Some(n)` by n messages, `Some(0)` not at all: a
//! send then meets a receive.
//!
//! A channel lives in the process that made it. Ends that were sent to another process work there as they do here, and fail with `HostGone` once
//! the channel's process is gone. Those that a process inherits by fork fail with `Inherited`.
//!
//! Ends are messages too. A receiver that lies in the queue of its own channel is out of reach once no other receiver is open;
//! the channel then counts as broken. Larger rings are not found: if the last receivers of two channels lie in each other's queues, both
//! channels and their messages stay until the process ends.

mod calls;
mod credit;
mod decode;
mod disposal;
mod encode;
mod endpoint;
mod error;
mod finding;
mod futex;
mod gate;
mod inherited;
mod lock;
mod message;
mod outlook;
mod pile;
mod queue;
mod receiver;
mod refusal;
mod registry;
mod remote;
mod sender;
mod shelf;
mod spin;
mod state;
mod token;
mod tree;
mod value;
mod wait;
mod waiters;

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;

pub use endpoint::WeakEnd;
pub use error::{DecodeError, RecvError, SendError};
pub use message::Message;
pub use queue::ChannelStatistics;
pub use receiver::{IntoIter, Iter, Receiver};
pub use registry::wake_everyone;
pub use sender::Sender;
pub use value::{MAX_DEPTH, Value};

#[allow(unused_imports, reason = "the doors for code that speaks for an interpreter; without it nobody goes through")]
pub(crate) use self::{decode::Decoder, encode::Encoder, error::INHERITED, token::Token, wait::Patience};

pub(crate) use self::{
    calls::{Lent, Unreceived, Unsent, to_the_end},
    credit::Allowance,
    futex::{ALL, Sleep, sleep_on_any, wake_one},
    gate::Side,
    inherited::{Kept, adopt_by, end_of, keep_ends},
    message::Attachment,
    outlook::{Listen, Look, Outlook, attend_to},
    refusal::{Absence, Refusal, Refused},
    remote::RemoteEnd,
    shelf::Shelf,
    spin::{Spin, processor},
    wait::{Event, Outcome},
    waiters::{CallKey, Waker},
};

use std::sync::Arc;

use self::endpoint::Channel;
use crate::Arena;

/// A new channel, with its first two ends.
///
/// ```
/// let (sender, receiver) = crossbuf::channel(Some(2));
/// sender.send(1.5)?;
/// sender.send("two")?;
/// assert!(sender.try_send(3).unwrap_err().is_full());
/// assert_eq!(receiver.recv()?.value()?.as_f64(), Some(1.5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn channel(capacity: Option<usize>) -> (Sender, Receiver) {
    connected(&registry::register(capacity, None))
}

/// As [`channel`]; what is copied to be sent through it is copied into `arena`, by those who ask [`Sender::arena`].
pub fn channel_in(capacity: Option<usize>, arena: Arena) -> (Sender, Receiver) {
    connected(&registry::register(capacity, Some(arena)))
}

fn connected(channel: &Arc<Channel>) -> (Sender, Receiver) {
    (Sender::new(channel), Receiver::new(channel))
}
