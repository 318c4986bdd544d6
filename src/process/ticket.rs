//! Arrays and ends by name: handles, which keep nothing alive, and tickets, which do until they are redeemed.
//!
//! ```text
//! ticket   [ address of the process that has it 16 | array or end, as in packets ]
//! ```

use std::time::Duration;

use super::call::Reply;
use super::here::{gone, here, known};
use super::packing::{self, NO_TOKEN};
use super::remote::Proxy;
use super::request::{Asked, PATIENCE, Request};
use super::tickets::TicketStatistics;
use super::wire::{self, ArrayPart, EndPart, Origin, Packet, Part, Verdict};
use crate::channel::{Attachment, RemoteEnd, Side};
use crate::error::{Error, Result};
use crate::handle::Handle;
use crate::offset::Address;
use crate::{Array, identity};

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
    let (server, part) = match content {
        Attachment::Array(array) => {
            packing::check_dtype(array.meta())?;
            let array = adopt(array)?;
            let (part, owner) = (Part::Array(packing::describe(&array, Origin::Ticket, token)), array.block().arena_id().process());
            match array.block().lessor().and_then(|_| here.living(owner)) {
                // The owner keeps it. What is told in one conversation is heard before the end of a lease in the same.
                Some(peer) => {
                    peer.post(&Packet::Forward { token, array: packing::describe(&array, Origin::Yours, token) });
                    (owner, part)
                }
                None => {
                    here.tickets().hold(token, Attachment::Array(array), site, None);
                    (here.address, part)
                }
            }
        }
        Attachment::Sender(sender) => issue_end(here, content, sender.remote(), token, site),
        Attachment::Receiver(receiver) => issue_end(here, content, receiver.remote(), token, site),
    };
    let mut ticket = server.to_bytes().to_vec();
    ticket.extend(wire::part_to_bytes(&part));
    Ok(ticket)
}

fn issue_end(
    here: &super::here::Here,
    content: &Attachment,
    remote: Option<&std::sync::Arc<dyn RemoteEnd>>,
    token: wire::Token,
    site: String,
) -> (Address, Part) {
    if let Some(remote) = remote {
        let proxy = Proxy::of(remote.as_ref());
        proxy.peer.post(&Packet::ForwardEnd { token, end: proxy.end });
        let end = proxy.describe(Origin::Ticket, token);
        return (end.host, Part::End(end));
    }
    let (side, channel, capacity) = match content {
        Attachment::Receiver(receiver) => (Side::Receiving, receiver.channel_id(), receiver.capacity()),
        Attachment::Sender(sender) => (Side::Sending, sender.channel_id(), sender.capacity()),
        Attachment::Array(_) => unreachable!("an array is no end"),
    };
    here.tickets().hold(token, content.clone(), site, None);
    (here.address, Part::End(EndPart { origin: Origin::Ticket, side, host: here.address, channel, capacity, end: 0, token }))
}

/// What a ticket stands for, up to the waiting.
pub(crate) fn begin_redeem(ticket: &[u8]) -> Result<Asked<'static>> {
    let (server, token) = parse(ticket)?;
    let here = here()?;
    if server == here.address {
        let found = here.tickets().redeem(&token);
        return found.map(Asked::Found).ok_or_else(|| Error::StaleHandle { reason: super::dispatch::UNKNOWN_TICKET.to_owned() });
    }
    let packet = |request| Packet::Open { request, token, handle: None };
    Ok(Request::begin(&here.reach(server)?, packet, move |reply| read(server, reply)))
}

/// Gives up a ticket that this process keeps, unless it was redeemed. Those that others keep are theirs to give up.
pub(crate) fn forget(ticket: &[u8]) -> Result<()> {
    let (server, token) = parse(ticket)?;
    if let Some(here) = known()
        && server == here.address
    {
        let forgotten = here.tickets().forget(&token);
        drop(forgotten);
    }
    Ok(())
}

/// The process that keeps it, and its token.
fn parse(ticket: &[u8]) -> Result<(Address, wire::Token)> {
    let bad = |reason: String| Error::BadHandle { reason: format!("this is no ticket: {reason}") };
    let (server, part) = ticket.split_first_chunk().ok_or_else(|| bad(format!("it has only {} bytes", ticket.len())))?;
    let part = wire::part_from_bytes(part).map_err(|flaw| bad(flaw.to_string()))?;
    let token = match &part {
        Part::Array(array) => array.token,
        Part::End(end) => end.token,
    };
    Ok((Address::from_bytes(*server), token))
}

/// Tickets of this process that nobody has redeemed, the oldest first.
pub fn tickets() -> Vec<TicketStatistics> {
    known().map(|here| here.tickets().statistics()).unwrap_or_default()
}

/// Drops the tickets that nobody has redeemed for so long; how many. Who redeems one later gets [`Error::StaleHandle`].
pub fn drop_tickets(older_than: Duration) -> usize {
    let Some(here) = known() else { return 0 };
    let dropped = here.tickets().older_than(older_than);
    dropped.len()
}

#[allow(dead_code, reason = "for texts of the extension")]
pub(crate) fn gone_text(address: Address) -> String {
    gone(address).to_string()
}
