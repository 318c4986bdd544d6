//! Why a message was not sent or not received. A refused message comes back with the error.

use std::sync::Arc;

use super::message::Message;
use crate::error::Error;

/// Why a message was not sent. [`into_message`](SendError::into_message) gives it back, untouched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// `try_send` found no place, or in a rendezvous no waiting receiver.
    #[error("channel full: {}; receive from it, use `send` to wait, or raise the capacity", limit(*.capacity))]
    Full {
        /// The message.
        message: Box<Message>,
        /// The channel's capacity.
        capacity: Option<usize>,
    },
    /// The time was up before there was a place.
    #[error("send timed out: {}; send again, wait longer, or raise the capacity", limit(*.capacity))]
    TimedOut {
        /// The message.
        message: Box<Message>,
        /// The channel's capacity.
        capacity: Option<usize>,
    },
    /// This end is closed, perhaps by another thread during the call.
    #[error("this sender is closed; send through a clone made before it was closed")]
    Closed {
        /// The message.
        message: Box<Message>,
    },
    /// No receiver is left, so nobody would ever get the message. That is also so when the last one travels in this message.
    #[error("no receiver is left in this channel; keep a receiver open, or make a new channel")]
    Broken {
        /// The message.
        message: Box<Message>,
    },
    /// A signal came, or the wait's slice is over; send again. Only waits supervised by an interpreter end so.
    #[error("send was interrupted by a signal; send again")]
    Interrupted {
        /// The message.
        message: Box<Message>,
    },
    /// The wait was called off. Only waits supervised by an interpreter end so.
    #[error("send was cancelled because its interpreter is going away; let another interpreter send")]
    Cancelled {
        /// The message.
        message: Box<Message>,
    },
    /// This process was forked from the one that the end belongs to.
    #[error("{INHERITED}")]
    Inherited {
        /// The message.
        message: Box<Message>,
    },
    /// The channel is lost, as it lives in another process.
    #[error("the process that hosts this channel ({host}) is gone; make the channel in a process that outlives those who use it")]
    HostGone {
        /// The message.
        message: Box<Message>,
        /// The process.
        host: Arc<str>,
    },
    /// The process that the channel lives in has the message, and has come to a stop: whether it was sent is not known.
    #[error(
        "the process that hosts this channel ({host}) stands still; whether the message was sent is not known, so do not send it again \
         unless it may arrive twice"
    )]
    Unsure {
        /// The message.
        message: Box<Message>,
        /// The process.
        host: Arc<str>,
    },
    /// The message cannot go to the process that hosts the channel.
    #[error("the message cannot be sent to another process: {error}")]
    NotPacked {
        /// The message.
        message: Box<Message>,
        /// Why not.
        error: Error,
    },
}

pub(crate) const INHERITED: &str = "this end was inherited by fork, and its channel lives in another process; pickle it to the child \
    (multiprocessing does with spawn and with queues), or make the channel in the child";

fn limit(capacity: Option<usize>) -> String {
    match capacity {
        None => "it has no limit".to_owned(),
        Some(0) => "its capacity is 0 and no receiver waits".to_owned(),
        Some(1) => "its one place is taken".to_owned(),
        Some(capacity) => format!("all of its {capacity} places are taken"),
    }
}

impl SendError {
    /// The message that was not sent; with `Unsure` it may have been.
    pub fn into_message(self) -> Message {
        match self {
            SendError::Full { message, .. }
            | SendError::TimedOut { message, .. }
            | SendError::Closed { message }
            | SendError::Broken { message }
            | SendError::Interrupted { message }
            | SendError::Cancelled { message }
            | SendError::Inherited { message }
            | SendError::HostGone { message, .. }
            | SendError::Unsure { message, .. }
            | SendError::NotPacked { message, .. } => *message,
        }
    }

    /// Whether there was no place.
    pub fn is_full(&self) -> bool {
        matches!(self, SendError::Full { .. })
    }

    /// Whether the time was up.
    pub fn is_timed_out(&self) -> bool {
        matches!(self, SendError::TimedOut { .. })
    }

    /// Whether this end is closed.
    pub fn is_closed(&self) -> bool {
        matches!(self, SendError::Closed { .. })
    }

    /// Whether no receiver is left.
    pub fn is_broken(&self) -> bool {
        matches!(self, SendError::Broken { .. })
    }

    /// Whether a signal interrupted the wait.
    pub fn is_interrupted(&self) -> bool {
        matches!(self, SendError::Interrupted { .. })
    }

    /// Whether the wait was called off.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, SendError::Cancelled { .. })
    }

    /// Whether this end was inherited by fork.
    pub fn is_inherited(&self) -> bool {
        matches!(self, SendError::Inherited { .. })
    }

    /// Whether the process that the channel lives in is gone.
    pub fn is_host_gone(&self) -> bool {
        matches!(self, SendError::HostGone { .. })
    }

    /// Whether the message may have been sent.
    pub fn is_unsure(&self) -> bool {
        matches!(self, SendError::Unsure { .. })
    }
}

/// Why nothing was received.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecvError {
    /// `try_recv` found nothing.
    #[error("channel empty, with {senders} open senders; use `recv` to wait for a message")]
    Empty {
        /// The open senders.
        senders: usize,
    },
    /// The time was up before a message came.
    #[error("receive timed out, with {senders} open senders; receive again or wait longer")]
    TimedOut {
        /// The open senders.
        senders: usize,
    },
    /// This end is closed, perhaps by another thread during the call.
    #[error("this receiver is closed; receive through a clone made before it was closed")]
    Closed,
    /// All senders are closed or gone, and all their messages were received.
    #[error("no sender is left and every message was received; keep a sender open to send more")]
    Ended,
    /// A signal came, or the wait's slice is over; receive again. Only waits supervised by an interpreter end so.
    #[error("receive was interrupted by a signal; receive again")]
    Interrupted,
    /// The wait was called off. Only waits supervised by an interpreter end so.
    #[error("receive was cancelled because its interpreter is going away; let another interpreter receive")]
    Cancelled,
    /// This process was forked from the one that the end belongs to.
    #[error("{INHERITED}")]
    Inherited,
    /// The channel is lost, as it lives in another process.
    #[error("the process that hosts this channel ({host}) is gone; make the channel in a process that outlives those who use it")]
    HostGone {
        /// The process.
        host: Arc<str>,
    },
    /// The host cannot hand the message over, and keeps it.
    #[error("the message cannot be handed over by the process that hosts the channel: {0}")]
    NotPacked(Error),
}

impl RecvError {
    /// Whether nothing was there.
    pub fn is_empty(&self) -> bool {
        matches!(self, RecvError::Empty { .. })
    }

    /// Whether the time was up.
    pub fn is_timed_out(&self) -> bool {
        matches!(self, RecvError::TimedOut { .. })
    }

    /// Whether this end is closed.
    pub fn is_closed(&self) -> bool {
        matches!(self, RecvError::Closed)
    }

    /// Whether no more can come.
    pub fn is_ended(&self) -> bool {
        matches!(self, RecvError::Ended)
    }

    /// Whether a signal interrupted the wait.
    pub fn is_interrupted(&self) -> bool {
        matches!(self, RecvError::Interrupted)
    }

    /// Whether the wait was called off.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, RecvError::Cancelled)
    }

    /// Whether this end was inherited by fork.
    pub fn is_inherited(&self) -> bool {
        matches!(self, RecvError::Inherited)
    }

    /// Whether the process that the channel lives in is gone.
    pub fn is_host_gone(&self) -> bool {
        matches!(self, RecvError::HostGone { .. })
    }
}

/// Why the content of a message cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The message ends within a value.
    #[error("the message ends within the value at byte {at}; it was cut short or altered")]
    Truncated {
        /// Where the value begins.
        at: usize,
    },
    /// A value of an unknown kind.
    #[error("unknown kind {kind} at byte {at} of the message; it was altered, or written by another version")]
    UnknownKind {
        /// The byte that names the kind.
        kind: u8,
        /// Its place.
        at: usize,
    },
    /// A number is not written in its one short form.
    #[error("malformed number in the value at byte {at}; the message was altered")]
    BadNumber {
        /// Where the value begins.
        at: usize,
    },
    /// A container claims more items than the message can hold.
    #[error("{count} items are claimed at byte {at}, but only {left} bytes follow; the message was altered")]
    BadCount {
        /// The items claimed.
        count: u64,
        /// The bytes that follow.
        left: usize,
        /// Where the container begins.
        at: usize,
    },
    /// A text is not UTF-8, apart from lone surrogates where those are announced.
    #[error("the text at byte {at} is malformed; the message was altered")]
    BadText {
        /// Where the text begins.
        at: usize,
    },
    /// The array or channel end named here is missing, or another kind was found.
    #[error("the attachment named at byte {at} is missing or of another kind; the message was altered")]
    BadAttachment {
        /// Where it is named.
        at: usize,
    },
    /// Something follows the value, or attachments remain that it does not name.
    #[error("{bytes} bytes and {attachments} attachments remain after the value; the message was altered")]
    Trailing {
        /// The bytes left over.
        bytes: usize,
        /// The attachments left over.
        attachments: usize,
    },
    /// Containers lie deeper within each other than is allowed.
    #[error("the value at byte {at} is nested more than {limit} deep; send a flatter one")]
    TooDeep {
        /// The limit.
        limit: usize,
        /// Where the first container beyond it begins.
        at: usize,
    },
}
