//! The header of a packet, and which kinds have what after it.

use bytemuck::{Pod, Zeroable};

use super::parts::{number_of, side_of, write_array, write_body, write_part};
use super::reader::Reader;
use super::{Flaw, Packet, Thing, VERSION, Verdict};
use crate::offset::{Address, ArenaId, BlockIndex, Generation};
use crate::process::numbered::OneOf;

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

const MAGIC: u32 = u32::from_le_bytes(*b"xbuf");

macro_rules! kinds {
    ($($name:ident = $number:literal)*) => { $(pub(super) const $name: u16 = $number;)* };
}
kinds! {
    HELLO = 1 FAREWELL = 2 MEMORY = 3 RELEASE = 4 OPEN = 5 FORWARD = 6 FORWARD_END = 7 FORGET = 8 FIND = 9 CLOSE = 10 ANOTHER = 11
    PUT = 12 WANT = 13 CANCEL = 14 DELIVER = 15 TAKEN = 16 RETURN = 17 ASK = 18 FIGURES = 19 GRANTED = 20 ANSWER = 21 BELL = 22
    INHERIT = 23 SETTLED = 24 HIDE = 25 LOST = 26 REDEEM = 27
}

/// From 1, or 0 for none.
fn or_none<const N: usize>(one: Option<OneOf<N>>) -> u64 {
    one.map_or(0, |one| one.index() as u64 + 1)
}

fn one_of_or_none<const N: usize>(number: u64) -> Result<Option<OneOf<N>>, Flaw> {
    let known = |index| OneOf::of(index).ok_or(Flaw::Unknown { what: "word of credit or shelf", number });
    number.checked_sub(1).map(known).transpose()
}

impl Packet<'_> {
    /// Whether it goes through the socket without a word in the memory between the two: it says who is there, not what is to be done.
    pub(in crate::process) fn is_of_the_socket(&self) -> bool {
        matches!(self, Packet::Hello { .. } | Packet::Farewell { .. } | Packet::Bell)
    }

    /// The bytes of the packet.
    pub(in crate::process) fn write(&self) -> Vec<u8> {
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
            Packet::Put { request, end, waits, credit, .. } => (PUT, *request, *end, u64::from(*waits) | or_none(*credit) << 1),
            Packet::Want { request, end, waits, more } => (WANT, *request, *end, u64::from(*waits) | u64::from(*more) << 1),
            Packet::Cancel { request } => (CANCEL, *request, 0, 0),
            Packet::Deliver { request, delivery, shelf, .. } => (DELIVER, *request, *delivery, or_none(*shelf)),
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
            Packet::Lost { end } => (LOST, 0, *end, 0),
            Packet::Redeem { request, .. } => (REDEEM, *request, 0, 0),
        };
        Header { magic: MAGIC, version: VERSION, kind, request, subject, detail }
    }

    fn write_rest(&self, out: &mut Vec<u8>) {
        match self {
            Packet::Hello { address } => out.extend(address.to_bytes()),
            Packet::Memory { arena } | Packet::Hide { arena } | Packet::Release { arena, .. } => out.extend(arena.0.to_le_bytes()),
            Packet::Open { token, handle: None, .. } | Packet::Redeem { token, .. } => out.extend(token),
            Packet::ForwardEnd { token, .. } | Packet::Forget { token } => out.extend(token),
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
            | Packet::Lost { .. }
            | Packet::Bell => {}
        }
    }
}

impl<'p> Packet<'p> {
    /// The packet that these bytes are.
    pub(in crate::process) fn read(bytes: &'p [u8]) -> Result<Packet<'p>, Flaw> {
        let mut reader = Reader::new(bytes);
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
            PUT => {
                Packet::Put { request, end: subject, waits: detail & 1 == 1, credit: one_of_or_none(detail >> 1)?, body: reader.body()? }
            }
            WANT => Packet::Want {
                request,
                end: subject,
                waits: detail & 1 == 1,
                more: u32::try_from(detail >> 1).map_err(|_| Flaw::Unknown { what: "count", number: detail })?,
            },
            CANCEL => Packet::Cancel { request },
            DELIVER => Packet::Deliver { request, delivery: subject, shelf: one_of_or_none(detail)?, body: reader.body()? },
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
            LOST => Packet::Lost { end: subject },
            REDEEM => Packet::Redeem { request, token: reader.pod("token")? },
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
