//! Arrays, ends and messages in packets.

use bytemuck::{Pod, Zeroable};

use super::Flaw;
use super::reader::Reader;
use crate::array::{ArrayMeta, DType};
use crate::channel::Side;
use crate::offset::{Address, ArenaId, BlockIndex, Generation};

/// Stands for something until it is redeemed, once. Random, so that nobody guesses one.
pub(in crate::process) type Token = [u8; 16];

/// Where an array or end of a packet lives, as its writer sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::process) enum Origin {
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
pub(in crate::process) struct ArrayPart {
    pub(in crate::process) origin: Origin,
    pub(in crate::process) arena: ArenaId,
    pub(in crate::process) block: BlockIndex,
    pub(in crate::process) generation: Generation,
    /// Where the block lies in the arena, and its length; in bytes.
    pub(in crate::process) place: u64,
    pub(in crate::process) len: u64,
    /// The first element's place, from the block's start.
    pub(in crate::process) offset: u64,
    pub(in crate::process) meta: ArrayMeta,
    /// The handle's, or 0.
    pub(in crate::process) seal: u64,
    pub(in crate::process) token: Token,
}

/// A channel end in a packet.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::process) struct EndPart {
    pub(in crate::process) origin: Origin,
    pub(in crate::process) side: Side,
    pub(in crate::process) host: Address,
    pub(in crate::process) channel: u64,
    pub(in crate::process) capacity: Option<usize>,
    /// Its number in the conversation of host and holder.
    pub(in crate::process) end: u64,
    pub(in crate::process) token: Token,
}

/// What a message has beside its bytes, or a ticket stands for.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::process) enum Part {
    Array(ArrayPart),
    End(EndPart),
}

/// A message in a packet, or too long for one: then its bytes are an array in the writer's memory.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::process) enum Body<'p> {
    Inline(&'p [u8]),
    Spilled(Box<ArrayPart>),
}

impl Body<'_> {
    /// Whether arrays or ends come with it.
    pub(in crate::process) fn has_parts(&self) -> bool {
        match self {
            // A message begins with their number.
            Body::Inline(message) => message.first_chunk() != Some(&[0; 4]),
            Body::Spilled(_) => true,
        }
    }
}

impl Part {
    pub(in crate::process) fn token(&self) -> Token {
        match self {
            Part::Array(array) => array.token,
            Part::End(end) => end.token,
        }
    }
}

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

const INLINE: u8 = 0;
const SPILLED: u8 = 1;
const ARRAY: u8 = 1;
const END: u8 = 2;

/// The bytes of a message: what lies beside its head, and the head.
pub(in crate::process) fn write_message(parts: &[Part], head: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(head.len() + 160 * parts.len() + size_of::<MessageRecord>());
    out.extend_from_slice(bytemuck::bytes_of(&MessageRecord { parts: parts.len() as u32, head: head.len() as u32 }));
    for part in parts {
        write_part(&mut out, part);
    }
    out.extend_from_slice(head);
    out
}

/// The inverse of [`write_message`].
pub(in crate::process) fn read_message(bytes: &[u8]) -> Result<(Vec<Part>, &[u8]), Flaw> {
    let mut reader = Reader::new(bytes);
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
pub(in crate::process) fn part_to_bytes(part: &Part) -> Vec<u8> {
    let mut out = Vec::with_capacity(160);
    write_part(&mut out, part);
    out
}

/// The inverse of [`part_to_bytes`].
pub(in crate::process) fn part_from_bytes(bytes: &[u8]) -> Result<Part, Flaw> {
    let mut reader = Reader::new(bytes);
    let part = reader.part()?;
    reader.finish()?;
    Ok(part)
}

pub(super) fn write_part(out: &mut Vec<u8>, part: &Part) {
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

pub(super) fn write_array(out: &mut Vec<u8>, array: &ArrayPart) {
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

pub(super) fn write_body(out: &mut Vec<u8>, body: &Body<'_>) {
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

pub(super) fn number_of(side: Side) -> u8 {
    match side {
        Side::Sending => 1,
        Side::Receiving => 2,
    }
}

pub(super) fn side_of(number: u64) -> Result<Side, Flaw> {
    match number {
        1 => Ok(Side::Sending),
        2 => Ok(Side::Receiving),
        number => Err(Flaw::Unknown { what: "side", number }),
    }
}

impl<'p> Reader<'p> {
    pub(super) fn body(&mut self) -> Result<Body<'p>, Flaw> {
        match self.byte("message")? {
            INLINE => Ok(Body::Inline(std::mem::take(&mut self.rest))),
            SPILLED => Ok(Body::Spilled(Box::new(self.array()?))),
            number => Err(Flaw::Unknown { what: "form of message", number: number.into() }),
        }
    }

    pub(super) fn part(&mut self) -> Result<Part, Flaw> {
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

    pub(super) fn array(&mut self) -> Result<ArrayPart, Flaw> {
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
