//! What packets say: records of fixed size, then texts and lists whose lengths the records tell.
//!
//! ```text
//! packet   [ Header 32 | body ]
//! body     by the header's kind, see `Packet`; arrays, ends and messages as below
//! array    [ 1 | ArrayRecord 88 | shape 8 * ndim | strides 8 * ndim | dtype text ]
//! end      [ 2 | EndRecord 64 ]
//! message  [ MessageRecord 8 | arrays and ends | head ]      head: the tokens of `channel::token`
//! ```
//!
//! Numbers are little-endian. Nothing is believed: every length is compared with what is left before anything is read or made for it,
//! kinds and flags that do not exist are refused, and so are bytes that nobody asked for.

mod kinds;
mod parts;
mod reader;

use super::lane::{ShelfNumber, WordOfCredit};
use crate::channel::{ChannelStatistics, Side};
use crate::offset::{Address, ArenaId, BlockIndex, Generation};

pub(super) use self::parts::{ArrayPart, Body, EndPart, Origin, Part, Token, part_from_bytes, part_to_bytes, read_message, write_message};

/// Of this form of packets. Another one is refused, with both numbers.
pub(super) const VERSION: u16 = 1;
/// What a packet with a message has around it, at most.
pub(super) const OVERHEAD: usize = 64;

/// How a request ended that has no more to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Done = 1,
    Full = 2,
    Empty = 3,
    Ended = 4,
    Broken = 5,
    Closed = 6,
    /// What was named is gone.
    Stale = 7,
    /// What was named never was.
    Bad = 8,
    /// A part of the message lies with a process that is gone.
    OwnerGone = 9,
    /// Nothing of that name is published.
    Unknown = 10,
}

impl Verdict {
    const ALL: [Verdict; 10] = [
        Verdict::Done,
        Verdict::Full,
        Verdict::Empty,
        Verdict::Ended,
        Verdict::Broken,
        Verdict::Closed,
        Verdict::Stale,
        Verdict::Bad,
        Verdict::OwnerGone,
        Verdict::Unknown,
    ];

    fn of(number: u64) -> Option<Verdict> {
        Verdict::ALL.into_iter().find(|verdict| *verdict as u64 == number)
    }
}

/// What can be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thing {
    Sender = 1,
    Receiver = 2,
    Array = 3,
}

impl Thing {
    fn of(number: u64) -> Option<Thing> {
        [Thing::Sender, Thing::Receiver, Thing::Array].into_iter().find(|thing| *thing as u64 == number)
    }
}

/// One packet. Whoever has a `request` waits for the answer that names it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Packet<'p> {
    /// The first of each side.
    Hello {
        address: Address,
    },
    /// The last one: why nothing more is said.
    Farewell {
        why: &'p str,
    },
    /// The descriptor beside it shows that arena. It comes before the first array in it.
    Memory {
        arena: ArenaId,
    },
    /// Nothing more comes from that arena of the writer's.
    Hide {
        arena: ArenaId,
    },
    /// Leases of a block end.
    Release {
        arena: ArenaId,
        block: BlockIndex,
        generation: Generation,
        count: u32,
    },
    /// What the token stands for, or else what the handle names, please. Answers: `Granted`, `Answer`.
    Open {
        request: u64,
        token: Token,
        handle: Option<ArrayPart>,
    },
    /// Somebody else will ask for this array, on which the writer has a lease, by that token.
    Forward {
        token: Token,
        array: ArrayPart,
    },
    /// The same for an end of the writer's.
    ForwardEnd {
        token: Token,
        end: u64,
    },
    /// Nobody will ask for it.
    Forget {
        token: Token,
    },
    /// With 0 for the request: the writer has the array of that ticket from now on. Otherwise it came too late with that perhaps, and opens the
    /// ticket, or what it had by then. Answers: as to `Open`.
    Redeem {
        request: u64,
        token: Token,
    },
    /// What the service has published by that name, please. Answers: `Granted`, `Answer`.
    Find {
        request: u64,
        thing: Thing,
        service: &'p str,
        name: &'p str,
    },
    /// The end of that number is closed.
    Close {
        end: u64,
    },
    /// A further end like that one gets this number, which the writer chose.
    Another {
        end: u64,
        number: u64,
    },
    /// Sends. Answers: `Answer`; none with 0 for the request. Credit for more may be granted in that word.
    Put {
        request: u64,
        end: u64,
        waits: bool,
        credit: Option<WordOfCredit>,
        body: Body<'p>,
    },
    /// Receives; up to so many more may lie ready then. Answers: `Deliver`, `Answer`.
    Want {
        request: u64,
        end: u64,
        waits: bool,
        more: u32,
    },
    /// The request is no longer waited for. If its answer is on the way, a delivery comes back.
    Cancel {
        request: u64,
    },
    /// A message, which stays with the writer as well until it was taken; and where more may lie ready.
    Deliver {
        request: u64,
        delivery: u64,
        shelf: Option<ShelfNumber>,
        body: Body<'p>,
    },
    /// The message of that delivery has its receiver.
    Taken {
        delivery: u64,
    },
    /// Nobody could take it.
    Return {
        delivery: u64,
    },
    /// Figures of the end's channel, please. Answers: `Figures`, `Answer`.
    Ask {
        request: u64,
        end: u64,
    },
    Figures {
        request: u64,
        figures: [u64; 8],
    },
    /// What was asked for.
    Granted {
        request: u64,
        part: Part,
    },
    /// An end of that channel, please, for a child of that fork. Answers: `Granted`, `Answer`.
    Inherit {
        request: u64,
        fork: Token,
        channel: u64,
        side: Side,
    },
    /// The child of that fork has asked for all ends that it needs at once.
    Settled {
        fork: Token,
    },
    /// All receivers of that end's channel are gone.
    Lost {
        end: u64,
    },
    /// Something lies in the memory between the two.
    Bell,
    /// How it ended.
    Answer {
        request: u64,
        verdict: Verdict,
        text: &'p str,
    },
}

/// Why bytes are no packet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flaw {
    #[error("the packet of {len} bytes ends within a {what}")]
    Short { len: usize, what: &'static str },
    #[error("{what} {number} does not exist")]
    Unknown { what: &'static str, number: u64 },
    #[error("the other side speaks version {theirs} of the protocol, this one {VERSION}; use the same crossbuf on both sides")]
    Version { theirs: u16 },
    #[error("{bytes} bytes remain after the packet")]
    Trailing { bytes: usize },
    #[error("{0}")]
    Text(String),
}

/// A channel's figures as they travel.
pub(super) fn figures(seen: &ChannelStatistics) -> [u64; 8] {
    [
        seen.capacity.map_or(u64::MAX, |capacity| capacity as u64),
        seen.queued as u64,
        seen.senders as u64,
        seen.receivers as u64,
        seen.waiting_senders as u64,
        seen.waiting_receivers as u64,
        seen.sent,
        seen.received,
    ]
}

#[cfg(all(test, not(loom)))]
mod tests;
