//! Arrays and ends by name: handles, which keep nothing alive, and tickets, which do until they are redeemed.
//!
//! ```text
//! ticket   [ address of the process that has it 16 | where its counterfoil lies 8 | array or end, as in packets ]
//! ```

use std::num::NonZeroU64;
use std::time::Duration;

use super::call::Reply;
use super::here::{gone, here, known};
use super::packing::{self, NO_TOKEN};
use super::redeem::{Attempt, stamp_of};
use super::remote::Proxy;
use super::request::{Asked, PATIENCE, Request};
use super::tickets::{Held, TicketStatistics};
use super::wire::{self, ArrayPart, EndPart, Origin, Packet, Part, Verdict};
use crate::arena::Counterfoil;
use crate::channel::{Attachment, RemoteEnd, Side};
use crate::error::{Error, Result};
use crate::handle::Handle;
use crate::offset::{Address, Offset};
use crate::{Array, identity};

/// Of tickets that have no counterfoil.
const NOWHERE: Offset = Offset(u64::MAX);

/// Starts this process's server, unless it runs: from now on others can reach it.
pub(crate) fn serve() -> Result<()> {
    here().map(drop)
}

/// The array a handle names, wherever it lives.
///
/// # Errors
/// As [`Array::open`]; [`Error::StaleHandle`] when its process has ended, [`Error::OtherUser`], [`Error::System`].
pub fn open(handle: &Handle) -> Result<Array> {
    match begin_open(handle)?.finish()? {
        Attachment::Array(array) => Ok(array),
        _ => unreachable!("reading the answer has seen to it"),
    }
}

/// As `open`, up to the waiting. What comes of it is an array.
pub(crate) fn begin_open(handle: &Handle) -> Result<Asked<'static>> {
    let owner = handle.arena.process();
    if owner == identity::address()? {
        return Array::open(handle).map(|array| Asked::Found(Attachment::Array(array)));
    }
    packing::check_dtype(&handle.meta)?;
    let Handle { arena, block, generation, offset, ref meta, seal } = *handle;
    let part =
        ArrayPart { origin: Origin::Yours, arena, block, generation, place: 0, len: 0, offset, meta: meta.clone(), seal, token: NO_TOKEN };
    let peer = here()?.reach(owner)?;
    let packet = |request| Packet::Open { request, token: NO_TOKEN, handle: Some(part) };
    Ok(Request::begin(&peer, packet, move |reply| match read(owner, reply)? {
        array @ Attachment::Array(_) => Ok(array),
        _ => Err(Error::BadHandle { reason: format!("the process with pid {} has something else under it", owner.pid()) }),
    }))
}

/// An array that this process may hand on: the array itself, or one that was inherited by `fork`, leased from the process it was inherited from.
///
/// # Errors
/// As [`open`].
pub fn adopt(array: &Array) -> Result<Array> {
    if array.is_inherited() { open(&array.handle()) } else { Ok(array.clone()) }
}

/// What an owner's answer means.
fn read(owner: Address, reply: Option<Reply>) -> Result<Attachment> {
    match reply {
        Some(Reply::Part(part)) => Ok(part),
        Some(Reply::Verdict(Verdict::Bad, reason)) => Err(Error::BadHandle { reason }),
        Some(Reply::Verdict(_, reason)) => Err(Error::StaleHandle { reason }),
        Some(Reply::Gone(why)) => Err(Error::StaleHandle { reason: why.to_string() }),
        Some(_) => Err(Error::BadHandle { reason: format!("the process with pid {} answered something else", owner.pid()) }),
        None => Err(Error::StaleHandle { reason: format!("the process with pid {} has not answered for {PATIENCE:?}", owner.pid()) }),
    }
}

/// A ticket for an array or end. It keeps it alive until it is redeemed, in whatever process. `site` says where in the program it is made.
pub(crate) fn issue(content: &Attachment, site: String) -> Result<Vec<u8>> {
    let here = here()?;
    let token = packing::token()?;
    let (server, part, kept) = match content {
        Attachment::Array(array) => {
            packing::check_dtype(array.meta())?;
            let array = adopt(array)?;
            let (part, owner) = (Part::Array(packing::describe(&array, Origin::Ticket, token)), array.block().arena_id().process());
            match array.block().lessor().and_then(|_| here.living(owner)) {
                // The owner keeps it. What is told in one conversation is heard before the end of a lease in the same.
                Some(peer) => {
                    peer.post(&Packet::Forward { token, array: packing::describe(&array, Origin::Yours, token) });
                    (owner, part, None)
                }
                None => (here.address, part, Some(Attachment::Array(array))),
            }
        }
        Attachment::Sender(sender) => issue_end(here, content, sender.remote(), token),
        Attachment::Receiver(receiver) => issue_end(here, content, receiver.remote(), token),
    };
    let part = wire::part_to_bytes(&part);
    let counterfoil = match &kept {
        Some(Attachment::Array(array)) => Counterfoil::new(array.block(), stamp_of(&part)),
        _ => None,
    };
    let mut ticket = server.to_bytes().to_vec();
    ticket.extend(counterfoil.as_ref().map_or(NOWHERE, Counterfoil::offset).0.to_le_bytes());
    ticket.extend(part);
    if let Some(content) = kept {
        here.tickets().hold(token, Held::issued(content, counterfoil, site));
    }
    Ok(ticket)
}

/// As `issue`, for each of several arrays, or for none of them.
pub(crate) fn issue_each(arrays: Vec<Array>, site: &str) -> Result<Vec<Vec<u8>>> {
    let mut tickets = Vec::with_capacity(arrays.len());
    for array in arrays {
        match issue(&Attachment::Array(array), site.to_owned()) {
            Ok(ticket) => tickets.push(ticket),
            Err(error) => {
                tickets.iter().try_for_each(|ticket| forget(ticket))?;
                return Err(error);
            }
        }
    }
    Ok(tickets)
}

/// The process that keeps the end for the token, how it is described, and the end if that process is this one.
fn issue_end(
    here: &super::here::Here,
    content: &Attachment,
    remote: Option<&std::sync::Arc<dyn RemoteEnd>>,
    token: wire::Token,
) -> (Address, Part, Option<Attachment>) {
    if let Some(remote) = remote {
        let proxy = Proxy::of(remote.as_ref());
        proxy.peer.post(&Packet::ForwardEnd { token, end: proxy.end });
        let end = proxy.describe(Origin::Ticket, token);
        return (end.host, Part::End(end), None);
    }
    let (side, channel, capacity) = match content {
        Attachment::Receiver(receiver) => (Side::Receiving, receiver.channel_id(), receiver.capacity()),
        Attachment::Sender(sender) => (Side::Sending, sender.channel_id(), sender.capacity()),
        Attachment::Array(_) => unreachable!("an array is no end"),
    };
    let part = Part::End(EndPart { origin: Origin::Ticket, side, host: here.address, channel, capacity, end: 0, token });
    (here.address, part, Some(content.clone()))
}

/// What a ticket stands for, up to the waiting.
pub(crate) fn begin_redeem(ticket: &[u8]) -> Result<Asked<'static>> {
    let Ticket { server, counterfoil, stamp, part } = Ticket::parse(ticket)?;
    let token = part.token();
    let here = here()?;
    if server == here.address {
        let found = here.tickets().redeem(&token);
        here.fade();
        return found.map(Asked::Found).ok_or_else(|| Error::StaleHandle { reason: super::dispatch::UNKNOWN_TICKET.to_owned() });
    }
    let peer = here.reach(server)?;
    let ask = |packet: fn(u64, wire::Token) -> Packet<'static>| {
        Request::begin(&peer, |request| packet(request, token), move |reply| read(server, reply))
    };
    let attempt = match &part {
        Part::Array(array) => peer.redeem_at_once(array, counterfoil, stamp, || ask(|request, token| Packet::Redeem { request, token })),
        Part::End(_) => Attempt::Refused,
    };
    Ok(match attempt {
        Attempt::Found(array) => Asked::Found(array),
        Attempt::Asked(asked) => asked,
        Attempt::Refused => ask(|request, token| Packet::Open { request, token, handle: None }),
    })
}

/// Gives up a ticket that this process keeps, unless it was redeemed. Those that others keep are theirs to give up.
pub(crate) fn forget(ticket: &[u8]) -> Result<()> {
    let Ticket { server, part, .. } = Ticket::parse(ticket)?;
    if let Some(here) = known()
        && server == here.address
    {
        let forgotten = here.tickets().forget(&part.token());
        drop(forgotten);
        here.fade();
    }
    Ok(())
}

/// A ticket, as it says of itself.
struct Ticket {
    /// The process that keeps it.
    server: Address,
    /// Where its counterfoil lies.
    counterfoil: Offset,
    /// What that shows.
    stamp: NonZeroU64,
    part: Part,
}

impl Ticket {
    fn parse(ticket: &[u8]) -> Result<Ticket> {
        let bad = |reason: String| Error::BadHandle { reason: format!("this is no ticket: {reason}") };
        let short = || bad(format!("it has only {} bytes", ticket.len()));
        let (server, rest) = ticket.split_first_chunk().ok_or_else(short)?;
        let (counterfoil, part) = rest.split_first_chunk().ok_or_else(short)?;
        let (server, counterfoil, stamp) = (Address::from_bytes(*server), Offset(u64::from_le_bytes(*counterfoil)), stamp_of(part));
        let part = wire::part_from_bytes(part).map_err(|flaw| bad(flaw.to_string()))?;
        Ok(Ticket { server, counterfoil, stamp, part })
    }
}

/// Tickets of this process that nobody has redeemed, the oldest first.
pub fn tickets() -> Vec<TicketStatistics> {
    known().map(|here| here.tickets().statistics()).unwrap_or_default()
}

/// Drops the tickets that nobody has redeemed for so long; how many. Who redeems one later gets [`Error::StaleHandle`].
pub fn drop_tickets(older_than: Duration) -> usize {
    let Some(here) = known() else { return 0 };
    let dropped = here.tickets().older_than(older_than);
    here.fade();
    dropped.len()
}

#[allow(dead_code, reason = "for texts of the extension")]
pub(crate) fn gone_text(address: Address) -> String {
    gone(address).to_string()
}
