//! Ends across a fork.
//!
//! A child has copies of its parent's ends, which lead to copies of its channels: of no use, and perhaps with locks that stay locked. So the
//! parent keeps an end of each side for the child, and the child asks for it by the channel's number when it first uses its copy. The layer
//! that knows other processes does the asking.

use std::sync::{Arc, OnceLock};

use super::endpoint::{Channel, End};
use super::gate::Side;
use super::message::Attachment;
use super::receiver::Receiver;
use super::registry;
use super::sender::Sender;
use crate::offset::Address;

type Adopt = fn(Address, u64, Side) -> Option<Attachment>;

static ADOPT: OnceLock<Adopt> = OnceLock::new();

/// From now on inherited ends are asked for by that: the host, the channel's number there, the side.
pub(crate) fn adopt_by(adopt: Adopt) {
    let _ = ADOPT.set(adopt); // a second time says the same
}

/// An end that the host keeps for this process, which is its child.
pub(super) fn adopt(channel: &Channel, side: Side) -> Option<Arc<End>> {
    match ADOPT.get().and_then(|adopt| adopt(channel.host?, channel.id, side))? {
        Attachment::Sender(Sender(end)) | Attachment::Receiver(Receiver(end)) => Some(end),
        Attachment::Array(_) => None,
    }
}

/// An end of each open side of a channel, kept for a child.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) channel: u64,
    _sender: Option<Sender>,
    _receiver: Option<Receiver>,
}

/// Ends of all channels of this process.
pub(crate) fn keep_ends() -> Vec<Kept> {
    let kept = |channel: Arc<Channel>| {
        let seen = channel.core()?.statistics();
        let _sender = (seen.senders > 0).then(|| Sender::new(&channel));
        let _receiver = (seen.receivers > 0).then(|| Receiver::new(&channel));
        Some(Kept { channel: channel.id, _sender, _receiver })
    };
    registry::channels().into_iter().filter_map(kept).collect()
}

/// A further end of the channel of that number, while that lives.
pub(crate) fn end_of(channel: u64, side: Side) -> Option<Attachment> {
    let channel = registry::channel(channel)?;
    Some(match side {
        Side::Sending => Attachment::Sender(Sender(End::new(&channel, side))),
        Side::Receiving => Attachment::Receiver(Receiver(End::new(&channel, side))),
    })
}
