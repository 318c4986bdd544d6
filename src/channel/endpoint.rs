//! What a sender and a receiver have in common: an end of a channel, which closes when it is dropped.
//!
//! ```text
//! Sender ---> End --.                    .--> End <--- Receiver
//! Sender ---> End ---+--> Channel (id) <-+--> End <... WeakEnd
//!                         Core<Message>
//! ```

use std::sync::{Arc, Weak};

use super::disposal;
use super::gate::{Gate, Side};
use super::message::Message;
use super::queue::{ChannelStatistics, Core};
use super::registry;
use crate::Arena;

/// A channel of messages with its place in the registry.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) id: u64,
    pub(super) core: Core<Message>,
    /// Where copies for its messages belong, if not where they always do.
    pub(super) arena: Option<Arena>,
}

impl Drop for Channel {
    fn drop(&mut self) {
        registry::forget(self.id);
    }
}

/// One end. Any number of threads may use it at once.
#[derive(Debug)]
pub(super) struct End {
    pub(super) channel: Arc<Channel>,
    pub(super) gate: Gate,
    side: Side,
}

impl End {
    pub(super) fn new(channel: &Arc<Channel>, side: Side) -> Arc<End> {
        Arc::new(End { channel: Arc::clone(channel), gate: channel.core.open(side), side })
    }

    /// Another end of the same side.
    pub(super) fn another(&self) -> Arc<End> {
        let gate = self.channel.core.open_like(self.side, &self.gate);
        Arc::new(End { channel: Arc::clone(&self.channel), gate, side: self.side })
    }

    pub(super) fn close(&self) {
        disposal::dispose(self.channel.core.close(self.side, &self.gate));
    }

    pub(super) fn core(&self) -> &Core<Message> {
        &self.channel.core
    }

    pub(super) fn statistics(&self) -> ChannelStatistics {
        self.core().statistics()
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.close();
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
        self.0.upgrade().is_none_or(|end| end.gate.is_closed())
    }
}

/// What both kinds of ends offer in the same words.
macro_rules! common_to_ends {
    ($end:ident) => {
        impl $end {
            /// Closes this end, not its clones. Threads blocked on it get `Closed`. Closing twice is fine.
            pub fn close(&self) {
                self.0.close();
            }

            /// Whether this end is closed.
            pub fn is_closed(&self) -> bool {
                self.0.gate.is_closed()
            }

            /// A name for this end that does not keep it open.
            pub fn downgrade(&self) -> $crate::channel::WeakEnd {
                $crate::channel::WeakEnd::of(&self.0)
            }

            /// How many messages may wait: `None` is without a limit, `Some(0)` a rendezvous.
            pub fn capacity(&self) -> Option<usize> {
                self.0.core().capacity()
            }

            /// How many messages were sent and not yet received.
            pub fn len(&self) -> usize {
                self.0.statistics().queued
            }

            /// Whether no message waits.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// What the channel holds now.
            pub fn statistics(&self) -> $crate::channel::ChannelStatistics {
                self.0.statistics()
            }

            /// The channel's number, never used again in this process.
            pub fn channel_id(&self) -> u64 {
                self.0.channel.id
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
