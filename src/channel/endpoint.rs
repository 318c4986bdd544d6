//! What a sender and a receiver have in common: an end of a channel, which closes when it is dropped.
//!
//! ```text
//! Sender ---> End --.                    .--> End <--- Receiver
//! Sender ---> End ---+--> Channel (id) <-+--> End <... WeakEnd
//!                         Core<Message>
//!
//! Sender ---> End ------> RemoteEnd ~~~~~~~~> the channel, in another process
//! ```
//!
//! A forked child has a copy of the ends and channels of its parent, perhaps with locks that stay locked. It leaves them alone: an end
//! that the parent keeps for it speaks for an inherited one (see [`inherited`](super::inherited)), or what it asks fails; and what it drops of
//! them stays where it is.

use std::sync::{Arc, OnceLock, Weak};

use super::disposal;
use super::gate::{Gate, Side};
use super::inherited;
use super::message::Message;
use super::queue::{ChannelStatistics, Core};
use super::refusal::{Absence, Refusal, Refused};
use super::registry;
use super::remote::RemoteEnd;
use super::wait::Patience;
use super::waiters::CallKey;
use crate::forks::Birth;
use crate::offset::Address;
use crate::{Arena, identity};

/// A channel of messages with its place in the registry.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) id: u64,
    /// The process it lives in, for its children; `None` where the system gave no name.
    pub(super) host: Option<Address>,
    core: Core<Message>,
    /// Where copies for its messages belong, if not where they always do.
    pub(super) arena: Option<Arena>,
    birth: Birth,
}

impl Channel {
    pub(super) fn new(id: u64, capacity: Option<usize>, arena: Option<Arena>) -> Channel {
        Channel { id, host: identity::address().ok(), core: Core::new(capacity), arena, birth: Birth::now() }
    }

    /// `None` when the channel was inherited by fork.
    pub(super) fn core(&self) -> Option<&Core<Message>> {
        (!self.birth.was_before_fork()).then_some(&self.core)
    }

    /// To be called for each reference to an inherited channel that is about to go: the channel stays, as its queue may be half changed.
    pub(super) fn leave(channel: &Arc<Channel>) {
        std::mem::forget(Arc::clone(channel));
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        registry::forget(self.id);
    }
}

/// One end. Any number of threads may use it at once.
#[derive(Debug)]
pub(super) enum End {
    Local(Local),
    Remote(Remote),
}

/// An end of a channel of this process.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) channel: Arc<Channel>,
    pub(super) gate: Gate,
    side: Side,
    /// In a forked child: the end that speaks for this one, if there is any.
    adopted: OnceLock<Option<Arc<End>>>,
}

/// An end of a channel of another process, with its place in the registry.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) end: Arc<dyn RemoteEnd>,
    entry: u64,
}

impl End {
    pub(super) fn new(channel: &Arc<Channel>, side: Side) -> Arc<End> {
        let gate = channel.core.open(side);
        Arc::new(End::Local(Local::new(channel, gate, side)))
    }

    pub(super) fn from_remote(end: Arc<dyn RemoteEnd>) -> Arc<End> {
        Arc::new(End::Remote(Remote::new(end)))
    }

    fn place(&self) -> Place<'_> {
        match self {
            End::Local(local) => match local.channel.core() {
                Some(core) => Place::Here(local, core),
                None => local.adopted().map_or(Place::Lost(local), Place::There),
            },
            End::Remote(remote) => Place::There(remote),
        }
    }

    /// Another end of the same side.
    pub(super) fn another(&self) -> Arc<End> {
        match self.place() {
            Place::Here(local, core) => {
                Arc::new(End::Local(Local::new(&local.channel, core.open_like(local.side, &local.gate), local.side)))
            }
            Place::There(remote) => End::from_remote(remote.end.another()),
            Place::Lost(local) => {
                let lost = Local::new(&local.channel, local.gate.inherited(), local.side);
                let _ = lost.adopted.set(None); // the parent was asked
                Arc::new(End::Local(lost))
            }
        }
    }

    pub(super) fn close(&self) {
        match self.place() {
            Place::Here(local, core) => disposal::dispose(core.close(local.side, &local.gate)),
            Place::There(remote) => remote.end.close(),
            Place::Lost(_) => {}
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        match self.place() {
            Place::Here(local, _) => local.gate.is_closed(),
            Place::There(remote) => remote.end.is_closed(),
            Place::Lost(_) => true,
        }
    }

    /// Whether it was inherited by fork while it was open, and nothing speaks for it here.
    pub(super) fn is_inherited(&self) -> bool {
        match self.place() {
            Place::Here(..) => false,
            Place::There(remote) => remote.end.is_inherited(),
            Place::Lost(local) => !local.gate.is_closed(),
        }
    }

    pub(super) fn capacity(&self) -> Option<usize> {
        match self {
            End::Local(local) => local.channel.core.capacity(),
            End::Remote(remote) => remote.end.capacity(),
        }
    }

    pub(super) fn statistics(&self) -> ChannelStatistics {
        match self.place() {
            Place::Here(_, core) => core.statistics(),
            Place::There(remote) => remote.end.statistics(),
            Place::Lost(_) => ChannelStatistics::unknown(self.capacity()),
        }
    }

    pub(super) fn channel_id(&self) -> u64 {
        match self {
            End::Local(local) => local.channel.id,
            End::Remote(remote) => remote.end.channel_id(),
        }
    }

    pub(super) fn is_same_channel(&self, other: &End) -> bool {
        match (self, other) {
            (End::Local(one), End::Local(other)) => Arc::ptr_eq(&one.channel, &other.channel),
            _ => match (self.place(), other.place()) {
                (Place::There(one), Place::There(other)) => one.end.is_same_channel(&*other.end),
                _ => false,
            },
        }
    }

    /// Gives the message's number, 0 where the channel is elsewhere. Without patience it does not wait.
    #[allow(clippy::result_large_err, reason = "what was not sent is about as large as the message")]
    pub(super) fn send(&self, message: Message, patience: Option<&Patience<'_>>) -> Result<u64, Refused<Message>> {
        message.adopt_inherited();
        match (self.place(), patience) {
            (Place::Here(local, core), None) => core.try_send(&local.gate, message),
            (Place::Here(local, core), Some(patience)) => core.send(&local.gate, message, patience),
            (Place::There(remote), patience) => remote.end.send(message, patience).map(|()| 0),
            (Place::Lost(_), _) => Err(Refused { item: message, why: Refusal::Inherited }),
        }
    }

    /// Without patience it does not wait.
    pub(super) fn recv(&self, patience: Option<&Patience<'_>>) -> Result<Message, Absence> {
        match (self.place(), patience) {
            (Place::Here(local, core), None) => core.try_recv(&local.gate),
            (Place::Here(local, core), Some(patience)) => core.recv(&local.gate, patience),
            (Place::There(remote), patience) => remote.end.recv(patience),
            (Place::Lost(_), _) => Err(Absence::Inherited),
        }
    }

    /// What an end of a channel of this very process consists of.
    pub(super) fn hosted(&self) -> Option<(&Local, &Core<Message>)> {
        match self {
            End::Local(local) => Some((local, local.channel.core()?)),
            End::Remote(_) => None,
        }
    }

    pub(super) fn remote(&self) -> Option<&Arc<dyn RemoteEnd>> {
        match self.place() {
            Place::There(remote) => Some(&remote.end),
            Place::Here(..) | Place::Lost(_) => None,
        }
    }

    pub(super) fn go_abroad(&self) {
        if let Some((_, core)) = self.hosted() {
            core.go_abroad();
        }
    }

    pub(super) fn forget_call(&self, key: CallKey) {
        if let Some((local, core)) = self.hosted() {
            core.forget_call(local.side, &local.gate, key);
        }
    }

    pub(super) fn nudge(&self) {
        if let Some((local, core)) = self.hosted() {
            core.nudge(local.side, &local.gate);
        }
    }
}

/// Where an end's channel is.
enum Place<'e> {
    Here(&'e Local, &'e Core<Message>),
    There(&'e Remote),
    /// In the process that this one was forked from, which does not answer.
    Lost(&'e Local),
}

impl Local {
    fn new(channel: &Arc<Channel>, gate: Gate, side: Side) -> Local {
        Local { channel: Arc::clone(channel), gate, side, adopted: OnceLock::new() }
    }

    /// Speaks for this end in a forked child.
    fn adopted(&self) -> Option<&Remote> {
        let adopt = || if self.gate.is_closed() { None } else { inherited::adopt(&self.channel, self.side) };
        match self.adopted.get_or_init(adopt).as_deref() {
            Some(End::Remote(remote)) => Some(remote),
            _ => None,
        }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        match self.channel.core() {
            Some(core) => disposal::dispose(core.close(self.side, &self.gate)),
            None => Channel::leave(&self.channel),
        }
    }
}

impl Remote {
    fn new(end: Arc<dyn RemoteEnd>) -> Remote {
        let entry = registry::register_remote(&end);
        Remote { end, entry }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.end.close();
        registry::forget_remote(self.entry);
    }
}

/// Names one end without keeping it open, so that whoever lent it out can close it wherever it has got to.
#[derive(Clone, Debug)]
pub struct WeakEnd(Weak<End>);

impl WeakEnd {
    pub(super) fn of(end: &Arc<End>) -> WeakEnd {
        WeakEnd(Arc::downgrade(end))
    }

    /// Closes the end, if it still exists. Those blocked on it get `Closed`.
    pub fn close(&self) {
        if let Some(end) = self.0.upgrade() {
            end.close();
        }
    }

    /// Whether the end is closed or gone.
    pub fn is_closed(&self) -> bool {
        self.0.upgrade().is_none_or(|end| end.is_closed())
    }
}

/// What both kinds of ends offer in the same words.
macro_rules! common_to_ends {
    ($end:ident, $side:expr) => {
        impl $end {
            /// Closes this end, not its clones. Threads blocked on it get `Closed`. Closing twice is fine.
            pub fn close(&self) {
                self.0.close();
            }

            /// Whether this end is closed. One inherited by fork is, when the parent does not answer.
            pub fn is_closed(&self) -> bool {
                self.0.is_closed()
            }

            /// A name for this end that does not keep it open.
            pub fn downgrade(&self) -> $crate::channel::WeakEnd {
                $crate::channel::WeakEnd::of(&self.0)
            }

            /// How many messages may wait: `None` is without a limit, `Some(0)` a rendezvous.
            pub fn capacity(&self) -> Option<usize> {
                self.0.capacity()
            }

            /// How many messages were sent and not yet received.
            pub fn len(&self) -> usize {
                self.0.statistics().queued
            }

            /// Whether no message waits.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// What the channel holds now. Of a channel inherited by fork, or whose process is gone, only the capacity is known.
            pub fn statistics(&self) -> $crate::channel::ChannelStatistics {
                self.0.statistics()
            }

            /// The channel's number, never used again in the process that it lives in.
            pub fn channel_id(&self) -> u64 {
                self.0.channel_id()
            }

            /// An end whose channel lives in another process. To be called once for each: dropping closes it.
            pub(crate) fn from_remote(end: std::sync::Arc<dyn $crate::channel::RemoteEnd>) -> $end {
                debug_assert_eq!(end.side(), $side, "an end of the other side");
                $end($crate::channel::endpoint::End::from_remote(end))
            }

            #[allow(dead_code, reason = "for code that speaks for an interpreter")]
            pub(crate) fn is_inherited(&self) -> bool {
                self.0.is_inherited()
            }

            /// What speaks for this end, if its channel lives in another process.
            pub(crate) fn remote(&self) -> Option<&std::sync::Arc<dyn $crate::channel::RemoteEnd>> {
                self.0.remote()
            }

            /// It is about to be given to another process.
            pub(crate) fn go_abroad(&self) {
                self.0.go_abroad();
            }

            /// Gives up a call that `lend_or_call` or `send_or_call` left waiting, at any time after. If it was woken and has not tried again, its
            /// turn passes on.
            pub(crate) fn forget_call(&self, key: $crate::channel::CallKey) {
                self.0.forget_call(key);
            }

            /// Passes on the turn of a call that was woken and will not try again.
            pub(crate) fn nudge(&self) {
                self.0.nudge();
            }
        }

        /// Another end of the same channel; closed if this one is.
        impl Clone for $end {
            fn clone(&self) -> $end {
                $end(self.0.another())
            }
        }

        impl std::fmt::Debug for $end {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($end))
                    .field("channel", &self.channel_id())
                    .field("capacity", &self.capacity())
                    .field("closed", &self.is_closed())
                    .finish()
            }
        }
    };
}
pub(super) use common_to_ends;
