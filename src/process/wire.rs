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

use bytemuck::{Pod, Zeroable};

use crate::array::{ArrayMeta, DType};
use crate::channel::{ChannelStatistics, Side};
use crate::offset::{Address, ArenaId, BlockIndex, Generation};

/// What a packet with a message has around it, at most.
pub(super) const OVERHEAD: usize = 64;

const MAGIC: u32 = u32::from_le_bytes(*b"xbuf");
/// Of this form of packets. Another one is refused, with both numbers.
pub(super) const VERSION: u16 = 1;

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Header {
    magic: u32,
    version: u16,
    kind: u16,
    /// Which request this is or answers; 0 for none.
    request: u64,
    /// An end, a delivery, a verdict or a length, by kind.
    subject: u64,
    /// A flag or a count, by kind.
    detail: u64,
}
const _: () = assert!(size_of::<Header>() == 32, "the header is part of the protocol");

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct ArrayRecord {
    arena: [u8; 16],
    token: [u8; 16],
    place: u64,
    len: u64,
    offset: u64,
    seal: u64,
    block: u32,
    generation: u32,
    ndim: u32,
    dtype: u32,
    origin: u8,
    zero: [u8; 7],
}
const _: () = assert!(size_of::<ArrayRecord>() == 88, "the record is part of the protocol");

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct EndRecord {
    host: [u8; 16],
    token: [u8; 16],
    channel: u64,
    end: u64,
    /// All ones: no limit.
    capacity: u64,
    side: u8,
    origin: u8,
    zero: [u8; 6],
}
const _: () = assert!(size_of::<EndRecord>() == 64, "the record is part of the protocol");

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct MessageRecord {
    parts: u32,
    head: u32,
}

/// Stands for something until it is redeemed, once. Random, so that nobody guesses one.
pub(super) type Token = [u8; 16];

/// Where an array or end of a packet lives, as its writer sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// With the writer, who keeps it for the reader from now on.
    Granted = 1,
    /// With the reader.
    Yours = 2,
    /// With a third process, which gives it for the token.
    Ticket = 3,
    /// In the memory of a process that is dead. Arrays only.
    Orphan = 4,
}

impl Origin {
    fn of(number: u8) -> Option<Origin> {
        [Origin::Granted, Origin::Yours, Origin::Ticket, Origin::Orphan].into_iter().find(|origin| *origin as u8 == number)
    }
}

/// An array in a packet.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ArrayPart {
    pub(super) origin: Origin,
    pub(super) arena: ArenaId,
    pub(super) block: BlockIndex,
    pub(super) generation: Generation,
    /// Where the block lies in the arena, and its length; in bytes.
    pub(super) place: u64,
    pub(super) len: u64,
    /// The first element's place, from the block's start.
    pub(super) offset: u64,
    pub(super) meta: ArrayMeta,
    /// The handle's, or 0.
    pub(super) seal: u64,
    pub(super) token: Token,
}

/// A channel end in a packet.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct EndPart {
    pub(super) origin: Origin,
    pub(super) side: Side,
    pub(super) host: Address,
    pub(super) channel: u64,
    pub(super) capacity: Option<usize>,
    /// Its number in the conversation of host and holder.
    pub(super) end: u64,
    pub(super) token: Token,
}

/// What a message has beside its bytes, or a ticket stands for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    Array(ArrayPart),
    End(EndPart),
}

/// A message in a packet, or too long for one: then its bytes are an array in the writer's memory.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Body<'p> {
    Inline(&'p [u8]),
    Spilled(Box<ArrayPart>),
}

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
    /// Sends. Answers: `Answer`.
    Put {
        request: u64,
        end: u64,
        waits: bool,
        body: Body<'p>,
    },
    /// Receives. Answers: `Deliver`, `Answer`.
    Want {
        request: u64,
        end: u64,
        waits: bool,
    },
    /// The request is no longer waited for. If its answer is on the way, a delivery comes back.
    Cancel {
        request: u64,
    },
    /// A message, which stays with the writer as well until it was taken.
    Deliver {
        request: u64,
        delivery: u64,
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

macro_rules! kinds {
    ($($name:ident = $number:literal)*) => { $(const $name: u16 = $number;)* };
}
kinds! {
    HELLO = 1 FAREWELL = 2 MEMORY = 3 RELEASE = 4 OPEN = 5 FORWARD = 6 FORWARD_END = 7 FORGET = 8 FIND = 9 CLOSE = 10 ANOTHER = 11
    PUT = 12 WANT = 13 CANCEL = 14 DELIVER = 15 TAKEN = 16 RETURN = 17 ASK = 18 FIGURES = 19 GRANTED = 20 ANSWER = 21 BELL = 22
    INHERIT = 23 SETTLED = 24 HIDE = 25
}

const INLINE: u8 = 0;
const SPILLED: u8 = 1;
const ARRAY: u8 = 1;
const END: u8 = 2;

impl Packet<'_> {
    /// Whether it goes through the socket without a word in the memory between the two: it says who is there, not what is to be done.
    pub(super) fn is_of_the_socket(&self) -> bool {
        matches!(self, Packet::Hello { .. } | Packet::Farewell { .. } | Packet::Bell)
    }

    /// The bytes of the packet.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        out.extend_from_slice(bytemuck::bytes_of(&self.header()));
        self.write_rest(&mut out);
        out
    }

    /// Whatever a kind does not use is 0.
    fn header(&self) -> Header {
        let (kind, request, subject, detail) = match self {
            Packet::Hello { .. } => (HELLO, 0, 0, 0),
            Packet::Farewell { .. } => (FAREWELL, 0, 0, 0),
            Packet::Memory { .. } => (MEMORY, 0, 0, 0),
            Packet::Release { block, generation, count, .. } => {
                (RELEASE, 0, u64::from(block.0) | u64::from(generation.0) << 32, u64::from(*count))
            }
            Packet::Open { request, handle, .. } => (OPEN, *request, 0, u64::from(handle.is_some())),
            Packet::Forward { .. } => (FORWARD, 0, 0, 0),
            Packet::ForwardEnd { end, .. } => (FORWARD_END, 0, *end, 0),
            Packet::Forget { .. } => (FORGET, 0, 0, 0),
            Packet::Find { request, thing, service, .. } => (FIND, *request, service.len() as u64, *thing as u64),
            Packet::Close { end } => (CLOSE, 0, *end, 0),
            Packet::Another { end, number } => (ANOTHER, 0, *end, *number),
            Packet::Put { request, end, waits, .. } => (PUT, *request, *end, u64::from(*waits)),
            Packet::Want { request, end, waits } => (WANT, *request, *end, u64::from(*waits)),
            Packet::Cancel { request } => (CANCEL, *request, 0, 0),
            Packet::Deliver { request, delivery, .. } => (DELIVER, *request, *delivery, 0),
            Packet::Taken { delivery } => (TAKEN, 0, *delivery, 0),
            Packet::Return { delivery } => (RETURN, 0, *delivery, 0),
            Packet::Ask { request, end } => (ASK, *request, *end, 0),
            Packet::Figures { request, .. } => (FIGURES, *request, 0, 0),
            Packet::Granted { request, .. } => (GRANTED, *request, 0, 0),
            Packet::Answer { request, verdict, .. } => (ANSWER, *request, *verdict as u64, 0),
            Packet::Bell => (BELL, 0, 0, 0),
            Packet::Inherit { request, channel, side, .. } => (INHERIT, *request, *channel, u64::from(number_of(*side))),
            Packet::Settled { .. } => (SETTLED, 0, 0, 0),
            Packet::Hide { .. } => (HIDE, 0, 0, 0),
        };
        Header { magic: MAGIC, version: VERSION, kind, request, subject, detail }
    }

    fn write_rest(&self, out: &mut Vec<u8>) {
        match self {
            Packet::Hello { address } => out.extend(address.to_bytes()),
            Packet::Memory { arena } | Packet::Hide { arena } | Packet::Release { arena, .. } => out.extend(arena.0.to_le_bytes()),
            Packet::Open { token, handle: None, .. } | Packet::ForwardEnd { token, .. } | Packet::Forget { token } => out.extend(token),
            Packet::Inherit { fork: token, .. } | Packet::Settled { fork: token } => out.extend(token),
            Packet::Open { token, handle: Some(array), .. } | Packet::Forward { token, array } => {
                out.extend(token);
                write_array(out, array);
            }
            Packet::Find { service, name, .. } => {
                out.extend(service.as_bytes());
                out.extend(name.as_bytes());
            }
            Packet::Farewell { why: text } | Packet::Answer { text, .. } => out.extend(text.as_bytes()),
            Packet::Put { body, .. } | Packet::Deliver { body, .. } => write_body(out, body),
            Packet::Figures { figures, .. } => figures.iter().for_each(|figure| out.extend(figure.to_le_bytes())),
            Packet::Granted { part, .. } => write_part(out, part),
            Packet::Close { .. }
            | Packet::Another { .. }
            | Packet::Want { .. }
            | Packet::Cancel { .. }
            | Packet::Taken { .. }
            | Packet::Return { .. }
            | Packet::Ask { .. }
            | Packet::Bell => {}
        }
    }
}

impl<'p> Packet<'p> {
    /// The packet that these bytes are.
    pub(super) fn read(bytes: &'p [u8]) -> Result<Packet<'p>, Flaw> {
        let mut reader = Reader { all: bytes.len(), rest: bytes };
        let header: Header = reader.pod("header")?;
        let Header { magic, version, kind, request, subject, detail } = header;
        if magic != MAGIC {
            return Err(Flaw::Unknown { what: "mark", number: magic.into() });
        }
        if version != VERSION {
            return Err(Flaw::Version { theirs: version });
        }
        let flag = || match detail {
            0 => Ok(false),
            1 => Ok(true),
            number => Err(Flaw::Unknown { what: "flag", number }),
        };
        let packet = match kind {
            HELLO => Packet::Hello { address: Address::from_bytes(reader.pod("address")?) },
            FAREWELL => Packet::Farewell { why: reader.text()? },
            MEMORY => Packet::Memory { arena: ArenaId(u128::from_le_bytes(reader.pod("arena")?)) },
            HIDE => Packet::Hide { arena: ArenaId(u128::from_le_bytes(reader.pod("arena")?)) },
            RELEASE => Packet::Release {
                arena: ArenaId(u128::from_le_bytes(reader.pod("arena")?)),
                block: BlockIndex(subject as u32),
                generation: Generation((subject >> 32) as u32),
                count: u32::try_from(detail).map_err(|_| Flaw::Unknown { what: "count", number: detail })?,
            },
            OPEN => Packet::Open { request, token: reader.pod("token")?, handle: flag()?.then(|| reader.array()).transpose()? },
            FORWARD => Packet::Forward { token: reader.pod("token")?, array: reader.array()? },
            FORWARD_END => Packet::ForwardEnd { token: reader.pod("token")?, end: subject },
            FORGET => Packet::Forget { token: reader.pod("token")? },
            FIND => Packet::Find {
                request,
                thing: Thing::of(detail).ok_or(Flaw::Unknown { what: "kind of thing", number: detail })?,
                service: reader.text_of(subject)?,
                name: reader.text()?,
            },
            CLOSE => Packet::Close { end: subject },
            ANOTHER => Packet::Another { end: subject, number: detail },
            PUT => Packet::Put { request, end: subject, waits: flag()?, body: reader.body()? },
            WANT => Packet::Want { request, end: subject, waits: flag()? },
            CANCEL => Packet::Cancel { request },
            DELIVER => Packet::Deliver { request, delivery: subject, body: reader.body()? },
            TAKEN => Packet::Taken { delivery: subject },
            RETURN => Packet::Return { delivery: subject },
            ASK => Packet::Ask { request, end: subject },
            FIGURES => Packet::Figures { request, figures: reader.pod("list of figures")? },
            GRANTED => Packet::Granted { request, part: reader.part()? },
            ANSWER => Packet::Answer {
                request,
                verdict: Verdict::of(subject).ok_or(Flaw::Unknown { what: "verdict", number: subject })?,
                text: reader.text()?,
            },
            INHERIT => Packet::Inherit { request, fork: reader.pod("token")?, channel: subject, side: side_of(detail)? },
            SETTLED => Packet::Settled { fork: reader.pod("token")? },
            BELL => Packet::Bell,
            kind => return Err(Flaw::Unknown { what: "kind of packet", number: kind.into() }),
        };
        reader.finish()?;
        // A later version may give them a meaning, and must not be misunderstood.
        if bytemuck::bytes_of(&packet.header()) != bytemuck::bytes_of(&header) {
            return Err(Flaw::Text(format!("a packet of kind {kind} has something in a field that it does not use")));
        }
        Ok(packet)
    }
}

/// The bytes of a message: what lies beside its head, and the head.
pub(super) fn write_message(parts: &[Part], head: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(head.len() + 160 * parts.len() + size_of::<MessageRecord>());
    out.extend_from_slice(bytemuck::bytes_of(&MessageRecord { parts: parts.len() as u32, head: head.len() as u32 }));
    for part in parts {
        write_part(&mut out, part);
    }
    out.extend_from_slice(head);
    out
}

/// The inverse of [`write_message`].
pub(super) fn read_message(bytes: &[u8]) -> Result<(Vec<Part>, &[u8]), Flaw> {
    let mut reader = Reader { all: bytes.len(), rest: bytes };
    let MessageRecord { parts, head } = reader.pod("message")?;
    if parts as usize > reader.rest.len() / size_of::<EndRecord>() {
        return Err(reader.short("list of arrays and ends"));
    }
    let parts = (0..parts).map(|_| reader.part()).collect::<Result<Vec<_>, _>>()?;
    let head = reader.take(head as usize, "head")?;
    reader.finish()?;
    Ok((parts, head))
}

/// A part on its own, as tickets have it.
pub(super) fn part_to_bytes(part: &Part) -> Vec<u8> {
    let mut out = Vec::with_capacity(160);
    write_part(&mut out, part);
    out
}

/// The inverse of [`part_to_bytes`].
pub(super) fn part_from_bytes(bytes: &[u8]) -> Result<Part, Flaw> {
    let mut reader = Reader { all: bytes.len(), rest: bytes };
    let part = reader.part()?;
    reader.finish()?;
    Ok(part)
}

fn write_part(out: &mut Vec<u8>, part: &Part) {
    match part {
        Part::Array(array) => write_array(out, array),
        Part::End(end) => {
            out.push(END);
            out.extend_from_slice(bytemuck::bytes_of(&EndRecord {
                host: end.host.to_bytes(),
                token: end.token,
                channel: end.channel,
                end: end.end,
                capacity: end.capacity.map_or(u64::MAX, |capacity| capacity as u64),
                side: number_of(end.side),
                origin: end.origin as u8,
                zero: [0; 6],
            }));
        }
    }
}

fn write_array(out: &mut Vec<u8>, array: &ArrayPart) {
    let dtype = array.meta.dtype().to_string();
    out.push(ARRAY);
    out.extend_from_slice(bytemuck::bytes_of(&ArrayRecord {
        arena: array.arena.0.to_le_bytes(),
        token: array.token,
        place: array.place,
        len: array.len,
        offset: array.offset,
        seal: array.seal,
        block: array.block.0,
        generation: array.generation.0,
        ndim: array.meta.ndim() as u32,
        dtype: dtype.len() as u32,
        origin: array.origin as u8,
        zero: [0; 7],
    }));
    array.meta.shape().iter().for_each(|&length| out.extend((length as u64).to_le_bytes()));
    array.meta.strides().iter().for_each(|&stride| out.extend((stride as i64).to_le_bytes()));
    out.extend_from_slice(dtype.as_bytes());
}

fn write_body(out: &mut Vec<u8>, body: &Body<'_>) {
    match body {
        Body::Inline(bytes) => {
            out.push(INLINE);
            out.extend_from_slice(bytes);
        }
        Body::Spilled(array) => {
            out.push(SPILLED);
            write_array(out, array);
        }
    }
}

fn number_of(side: Side) -> u8 {
    match side {
        Side::Sending => 1,
        Side::Receiving => 2,
    }
}

fn side_of(number: u64) -> Result<Side, Flaw> {
    match number {
        1 => Ok(Side::Sending),
        2 => Ok(Side::Receiving),
        number => Err(Flaw::Unknown { what: "side", number }),
    }
}

/// Bytes being read.
struct Reader<'p> {
    all: usize,
    rest: &'p [u8],
}

impl<'p> Reader<'p> {
    fn short(&self, what: &'static str) -> Flaw {
        Flaw::Short { len: self.all, what }
    }

    fn take(&mut self, len: usize, what: &'static str) -> Result<&'p [u8], Flaw> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(self.short(what))?;
        self.rest = rest;
        Ok(taken)
    }

    fn pod<T: Pod>(&mut self, what: &'static str) -> Result<T, Flaw> {
        Ok(bytemuck::pod_read_unaligned(self.take(size_of::<T>(), what)?))
    }

    fn byte(&mut self, what: &'static str) -> Result<u8, Flaw> {
        self.pod(what)
    }

    /// All that is left.
    fn text(&mut self) -> Result<&'p str, Flaw> {
        self.text_of(self.rest.len() as u64)
    }

    fn text_of(&mut self, len: u64) -> Result<&'p str, Flaw> {
        let bytes = self.take(usize::try_from(len).unwrap_or(usize::MAX), "text")?;
        std::str::from_utf8(bytes).map_err(|error| Flaw::Text(format!("a text is no UTF-8: {error}")))
    }

    fn body(&mut self) -> Result<Body<'p>, Flaw> {
        match self.byte("message")? {
            INLINE => Ok(Body::Inline(std::mem::take(&mut self.rest))),
            SPILLED => Ok(Body::Spilled(Box::new(self.array()?))),
            number => Err(Flaw::Unknown { what: "form of message", number: number.into() }),
        }
    }

    fn part(&mut self) -> Result<Part, Flaw> {
        match self.rest.first() {
            Some(&END) => self.end().map(Part::End),
            _ => self.array().map(Part::Array),
        }
    }

    fn end(&mut self) -> Result<EndPart, Flaw> {
        self.byte("end")?;
        let record: EndRecord = self.pod("end")?;
        reserved(&record.zero)?;
        let capacity = match record.capacity {
            u64::MAX => None,
            capacity => Some(usize::try_from(capacity).map_err(|_| Flaw::Unknown { what: "capacity", number: capacity })?),
        };
        let origin = Origin::of(record.origin).filter(|origin| *origin != Origin::Orphan);
        Ok(EndPart {
            origin: origin.ok_or(Flaw::Unknown { what: "origin", number: record.origin.into() })?,
            side: side_of(record.side.into())?,
            host: Address::from_bytes(record.host),
            channel: record.channel,
            capacity,
            end: record.end,
            token: record.token,
        })
    }

    fn array(&mut self) -> Result<ArrayPart, Flaw> {
        match self.byte("array")? {
            ARRAY => {}
            number => return Err(Flaw::Unknown { what: "kind of part", number: number.into() }),
        }
        let record: ArrayRecord = self.pod("array")?;
        reserved(&record.zero)?;
        let ndim = record.ndim as usize;
        let lengths = self.take(ndim.saturating_mul(8), "shape")?;
        let distances = self.take(ndim.saturating_mul(8), "strides")?;
        let dtype = std::str::from_utf8(self.take(record.dtype as usize, "dtype")?);
        let dtype = dtype.map_err(|error| Flaw::Text(format!("a dtype is no UTF-8: {error}")))?;
        let dtype: DType = dtype.parse().map_err(|error: crate::Error| Flaw::Text(error.to_string()))?;
        let shape: Vec<usize> = words(lengths).map(|word| u64::from_le_bytes(word) as usize).collect();
        let strides: Vec<isize> = words(distances).map(|word| i64::from_le_bytes(word) as isize).collect();
        Ok(ArrayPart {
            origin: Origin::of(record.origin).ok_or(Flaw::Unknown { what: "origin", number: record.origin.into() })?,
            arena: ArenaId(u128::from_le_bytes(record.arena)),
            block: BlockIndex(record.block),
            generation: Generation(record.generation),
            place: record.place,
            len: record.len,
            offset: record.offset,
            meta: ArrayMeta::strided(dtype, &shape, &strides).map_err(|error| Flaw::Text(error.to_string()))?,
            seal: record.seal,
            token: record.token,
        })
    }

    fn finish(self) -> Result<(), Flaw> {
        match self.rest.len() {
            0 => Ok(()),
            bytes => Err(Flaw::Trailing { bytes }),
        }
    }
}

/// What has no meaning yet is zero.
fn reserved(bytes: &[u8]) -> Result<(), Flaw> {
    match bytes.iter().find(|&&byte| byte != 0) {
        None => Ok(()),
        Some(&byte) => Err(Flaw::Unknown { what: "reserved byte", number: byte.into() }),
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = [u8; 8]> + use<'_> {
    bytes.as_chunks().0.iter().copied()
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
