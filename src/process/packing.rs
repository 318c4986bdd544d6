//! Arrays, ends and messages as a conversation names them, and back.
//!
//! | an array lies | packed as | the reader |
//! |---|---|---|
//! | with the writer | `Granted`, and the writer's ledger keeps it | maps the arena, which it was shown once, and gives the lease back later |
//! | with the reader | `Yours` | has it |
//! | with a third process | `Ticket`, and that one is told of it | asks the third one: see `arrival` |
//! | in memory of a dead process | `Orphan`, after that memory's descriptor | maps it; nobody will ever change it |

use std::sync::Arc;

use super::here::{Here, known};
use super::peer::Peer;
use super::remote::Proxy;
use super::talk::{Forwarded, Hosted, Talk};
use super::wire::{self, ArrayPart, Body, EndPart, Flaw, Origin, Packet, Part, Token};
use crate::arena::{self, Block, ForeignArena};
use crate::array::{Kind, Order};
use crate::channel::{Attachment, Message, Receiver, RemoteEnd, Sender, Side};
use crate::error::{Error, Result};
use crate::offset::{Address, Offset};
use crate::{Arena, Array, ArrayMeta, identity};

/// What no one has to be asked for.
pub(super) const NO_TOKEN: Token = [0; 16];

/// What a packet has in the place of a message.
pub(super) enum Packed {
    Inline(Vec<u8>),
    Spilled(Box<ArrayPart>),
}

impl Packed {
    pub(super) fn body(&self) -> Body<'_> {
        match self {
            Packed::Inline(bytes) => Body::Inline(bytes),
            Packed::Spilled(array) => Body::Spilled(array.clone()),
        }
    }
}

/// A part that was unpacked, or has to be asked for.
pub(super) enum Unpacked {
    Here(Attachment),
    /// With that process, for that token.
    Elsewhere(Address, Token),
    /// Nowhere any more, and why.
    Gone(String),
}

/// The parts, where none has to be asked for or is gone.
pub(super) fn all_here(parts: Vec<Unpacked>) -> Option<Vec<Attachment>> {
    parts.into_iter().map(|part| if let Unpacked::Here(part) = part { Some(part) } else { None }).collect()
}

/// A new token.
pub(super) fn token() -> Result<Token> {
    identity::random("to make a ticket that nobody can guess")
}

/// So many bytes may the text of a dtype have.
const LONGEST_DTYPE: usize = 32 << 10;

/// Errors with NotShareable when the array does not fit into a packet, as its dtype is a record of thousands of fields. Messages may have
/// it nevertheless.
pub(super) fn check_dtype(meta: &ArrayMeta) -> Result<()> {
    if !matches!(meta.dtype().kind(), Kind::Struct(..) | Kind::SubArray(..)) {
        return Ok(());
    }
    match meta.dtype().to_string() {
        text if text.len() > LONGEST_DTYPE => {
            let reason = format!("its text has {} bytes, of which a packet takes {LONGEST_DTYPE}; send the array in a message", text.len());
            let start: String = text.chars().take(40).collect();
            Err(Error::NotShareable { dtype: format!("{start}..."), reason })
        }
        _ => Ok(()),
    }
}

/// The array as a part.
pub(super) fn describe(array: &Array, origin: Origin, token: Token) -> ArrayPart {
    let block = array.block();
    ArrayPart {
        origin,
        arena: block.arena_id(),
        block: block.index(),
        generation: block.generation(),
        place: block.offset().0,
        len: block.len() as u64,
        offset: array.offset() as u64,
        meta: ArrayMeta::clone(array.meta()),
        seal: 0,
        token,
    }
}

/// An end that is closed, of a channel that nobody else has.
fn closed_end(side: Side, capacity: Option<usize>) -> Attachment {
    let (sender, receiver) = crate::channel(capacity);
    match side {
        Side::Sending => {
            sender.close();
            Attachment::Sender(sender)
        }
        Side::Receiving => {
            receiver.close();
            Attachment::Receiver(receiver)
        }
    }
}

impl Peer {
    /// The message for the other side; one too long for a packet is copied into `arena`, or else the process's own one. Errors when a process is
    /// gone that would have to be told, and with `ArenaFull` when a long message finds no room; what was granted by then is taken back.
    ///
    /// What lies with third processes is `forwarded`: they keep it until the other side asks for it, or they are told that it never will.
    pub(super) fn pack(
        &self,
        here: &'static Here,
        talk: &mut Talk,
        message: &Message,
        arena: Option<&Arena>,
        forwarded: &mut Forwarded,
    ) -> Result<Packed> {
        let (head, attachments) = message.parts();
        let mut parts = Vec::with_capacity(attachments.len());
        let packed = attachments
            .iter()
            .try_for_each(|attachment| self.pack_part(here, talk, attachment, forwarded).map(|part| parts.push(part)))
            .and_then(|()| self.pack_bytes(here, talk, wire::write_message(&parts, head), arena, forwarded));
        if packed.is_err() {
            talk.take_back(&parts, forwarded);
        }
        packed
    }

    /// The bytes of a message as they are, or in an array when they are too many for a packet.
    fn pack_bytes(
        &self,
        here: &'static Here,
        talk: &mut Talk,
        bytes: Vec<u8>,
        arena: Option<&Arena>,
        forwarded: &mut Forwarded,
    ) -> Result<Packed> {
        if bytes.len() + wire::OVERHEAD <= super::socket::LONGEST {
            return Ok(Packed::Inline(bytes));
        }
        let meta = ArrayMeta::contiguous("|u1".parse()?, &[bytes.len()], Order::C)?;
        let spilled = match arena {
            Some(arena) => arena.share(meta, &bytes)?,
            None => Arena::shared()?.share(meta, &bytes)?,
        };
        Ok(Packed::Spilled(Box::new(self.pack_array(here, talk, &spilled, forwarded)?)))
    }

    pub(super) fn pack_part(
        &self,
        here: &'static Here,
        talk: &mut Talk,
        attachment: &Attachment,
        forwarded: &mut Forwarded,
    ) -> Result<Part> {
        match attachment {
            Attachment::Array(array) => self.pack_array(here, talk, array, forwarded).map(Part::Array),
            Attachment::Sender(sender) => match sender.remote() {
                None => Ok(Part::End(self.grant_end(here, talk, Side::Sending, Hosted::Sender(Arc::new(sender.clone()))))),
                Some(remote) => self.pack_proxy(here, talk, Proxy::of(remote.as_ref()), forwarded).map(Part::End),
            },
            Attachment::Receiver(receiver) => match receiver.remote() {
                None => Ok(Part::End(self.grant_end(here, talk, Side::Receiving, Hosted::Receiver(Arc::new(receiver.clone()))))),
                Some(remote) => self.pack_proxy(here, talk, Proxy::of(remote.as_ref()), forwarded).map(Part::End),
            },
        }
    }

    fn pack_array(&self, here: &'static Here, talk: &mut Talk, array: &Array, forwarded: &mut Forwarded) -> Result<ArrayPart> {
        let block = array.block();
        if array.is_inherited() {
            // Whoever sends it has to lease it first, and to wait for that.
            return Err(Error::ArenaClosed { arena: block.arena_id() });
        }
        let Some(memory) = block.foreign() else {
            self.show(talk, array)?;
            talk.ledger.grant(block);
            return Ok(describe(array, Origin::Granted, NO_TOKEN));
        };
        let owner = memory.id().process();
        if talk.address == Some(owner) {
            return Ok(describe(array, Origin::Yours, NO_TOKEN));
        }
        if block.lessor().is_some()
            && let Some(owner) = here.living(owner)
        {
            let token = token()?;
            owner.post(&Packet::Forward { token, array: describe(array, Origin::Yours, token) });
            forwarded.add(&owner, token);
            return Ok(describe(array, Origin::Ticket, token));
        }
        // Each time: nobody would tell the other side when it may let go of the memory, so it keeps only what it has arrays in.
        self.post_with(&Packet::Memory { arena: memory.id() }, Some(memory.descriptor()));
        Ok(describe(array, Origin::Orphan, NO_TOKEN))
    }

    /// The other side gets the descriptor of the array's arena, once. It keeps the memory mapped until it is told to hide it.
    fn show(&self, talk: &mut Talk, array: &Array) -> Result<()> {
        let Some(arena) = array.arena() else { return Ok(()) };
        if !talk.shown.contains(&arena.id()) {
            // Those that are gone have no blocks, so no leases either. Looked for here, so that there is never more than one too many.
            for gone in talk.shown.extract_if(|&id| arena::find(id).is_none()) {
                self.post(&Packet::Hide { arena: gone });
            }
            talk.shown.insert(arena.id());
            self.post_with(&Packet::Memory { arena: arena.id() }, Some(arena.descriptor()));
        }
        Ok(())
    }

    fn grant_end(&self, here: &'static Here, talk: &mut Talk, side: Side, hosted: Hosted) -> EndPart {
        let end = self.number();
        let (channel, capacity) = match &hosted {
            Hosted::Sender(sender) => (sender.channel_id(), sender.capacity()),
            Hosted::Receiver(receiver) => (receiver.channel_id(), receiver.capacity()),
        };
        hosted.go_abroad();
        talk.ends.insert(end, hosted);
        EndPart { origin: Origin::Granted, side, host: here.address, channel, capacity, end, token: NO_TOKEN }
    }

    /// An end whose channel lives elsewhere.
    fn pack_proxy(&self, here: &'static Here, talk: &mut Talk, proxy: &Proxy, forwarded: &mut Forwarded) -> Result<EndPart> {
        if proxy.is_closed() {
            // Its host knows nothing of it any more.
            let (side, hosted) = match closed_end(proxy.side(), proxy.capacity()) {
                Attachment::Sender(sender) => (Side::Sending, Hosted::Sender(Arc::new(sender))),
                Attachment::Receiver(receiver) => (Side::Receiving, Hosted::Receiver(Arc::new(receiver))),
                Attachment::Array(_) => unreachable!("an array is no end"),
            };
            return Ok(self.grant_end(here, talk, side, hosted));
        }
        if std::ptr::eq(Arc::as_ptr(&proxy.peer), self) {
            return Ok(proxy.describe(Origin::Yours, NO_TOKEN));
        }
        let token = token()?;
        proxy.peer.post(&Packet::ForwardEnd { token, end: proxy.end });
        forwarded.add(&proxy.peer, token);
        Ok(proxy.describe(Origin::Ticket, token))
    }

    /// The inverse of `pack`: the bytes of a message.
    pub(super) fn unpack_body(self: &Arc<Self>, body: &Body<'_>) -> Result<(Vec<Unpacked>, Vec<u8>), Flaw> {
        let (parts, head) = match body {
            Body::Inline(bytes) => {
                let (parts, head) = wire::read_message(bytes)?;
                (parts, head.to_vec())
            }
            Body::Spilled(array) => match self.unpack_part(&Part::Array((**array).clone()))? {
                Unpacked::Here(Attachment::Array(array)) => {
                    let bytes = array.bytes().map_err(|error| Flaw::Text(error.to_string()))?;
                    let (parts, head) = wire::read_message(bytes)?;
                    (parts, head.to_vec())
                }
                _ => return Err(Flaw::Text("the bytes of a message lie with a third process".to_owned())),
            },
        };
        let parts = parts.iter().map(|part| self.unpack_part(part)).collect::<Result<Vec<_>, _>>()?;
        Ok((parts, head))
    }

    pub(super) fn unpack_part(self: &Arc<Self>, part: &Part) -> Result<Unpacked, Flaw> {
        match part {
            Part::Array(array) if array.origin == Origin::Ticket => Ok(Unpacked::Elsewhere(array.arena.process(), array.token)),
            Part::Array(array) => self.unpack_array(array),
            Part::End(end) => self.unpack_end(end),
        }
    }

    fn unpack_array(self: &Arc<Self>, part: &ArrayPart) -> Result<Unpacked, Flaw> {
        let wrong = |error: Error| Flaw::Text(error.to_string());
        let block = match part.origin {
            Origin::Yours => match self.own_block(part) {
                Ok(block) => block,
                Err(error) => return Ok(Unpacked::Gone(error.to_string())),
            },
            origin => {
                let shown = match origin {
                    Origin::Orphan => self.talk().take_orphaned(part.arena),
                    _ => self.talk().memory.get(&part.arena).cloned(),
                };
                let memory: Arc<ForeignArena> = match shown {
                    Some(mapped) => mapped.map_err(wrong)?,
                    None => return Err(Flaw::Text(format!("arena {} was not shown before", part.arena))),
                };
                let lessor: Option<Arc<dyn arena::Lessor>> = match origin {
                    Origin::Granted => Some(self.clone()),
                    _ => None,
                };
                let len = usize::try_from(part.len).map_err(|_| Flaw::Unknown { what: "length", number: part.len })?;
                memory.lease(part.block, part.generation, Offset(part.place), len, lessor).map_err(wrong)?
            }
        };
        let offset = usize::try_from(part.offset).map_err(|_| Flaw::Unknown { what: "offset", number: part.offset })?;
        Array::assemble(block, offset, part.meta.clone())
            .map(|array| Unpacked::Here(Attachment::Array(array)))
            .ok_or_else(|| Flaw::Text(format!("{:?} at {offset} exceeds block {} of {} bytes", part.meta, part.block.0, part.len)))
    }

    /// A block of ours that the other side names. It has a lease on it, though perhaps by another conversation: two processes that dial each
    /// other at once have two. Errors when there is no such lease, or it has ended meanwhile: the order of packets is that of one conversation.
    fn own_block(&self, part: &ArrayPart) -> Result<Block> {
        let leased = |peer: &Peer| peer.talk().ledger.find(part.arena, part.block, part.generation);
        let elsewhere = || {
            let others = known().map(Here::all).unwrap_or_default();
            others.iter().filter(|other| self.is_with_the_process_of(other)).find_map(|other| leased(other))
        };
        leased(self).or_else(elsewhere).ok_or_else(|| Error::StaleHandle {
            reason: format!(
                "the process with {} has no lease of block {} of arena {}, or no longer",
                self.host(),
                part.block.0,
                part.arena
            ),
        })
    }

    fn unpack_end(self: &Arc<Self>, part: &EndPart) -> Result<Unpacked, Flaw> {
        match part.origin {
            Origin::Ticket => Ok(Unpacked::Elsewhere(part.host, part.token)),
            Origin::Granted => {
                let proxy = Proxy::granted(self, part);
                Ok(Unpacked::Here(match part.side {
                    Side::Sending => Attachment::Sender(Sender::from_remote(proxy)),
                    Side::Receiving => Attachment::Receiver(Receiver::from_remote(proxy)),
                }))
            }
            _ => match (self.hosted(part.end), part.side) {
                (Some(Hosted::Sender(sender)), Side::Sending) => Ok(Unpacked::Here(Attachment::Sender(Sender::clone(&sender)))),
                (Some(Hosted::Receiver(receiver)), Side::Receiving) => Ok(Unpacked::Here(Attachment::Receiver(Receiver::clone(&receiver)))),
                // Closed when it was sent, or just now.
                (None, side) => Ok(Unpacked::Here(closed_end(side, part.capacity))),
                _ => Err(Flaw::Unknown { what: "end", number: part.end }),
            },
        }
    }
}
