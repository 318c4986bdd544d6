//! How a receiver of a channel in another process takes messages: those that lie ready for it, and others, of which more will.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::call::{Call, Pending, Reply};
use super::fate::Fate;
use super::here::{Here, here};
use super::lane::ShelfNumber;
use super::packing::all_here;
use super::remote::Proxy;
use super::ring::Next;
use super::wire::{Flaw, Packet, Verdict};
use crate::channel::{Absence, Message, Outcome, Patience, RemoteEnd};

/// The most messages that may lie ready.
pub(super) const MOST: u32 = 32;
/// Whoever spends less on a message, on average, comes back for more of them soon.
const FAST: Duration = Duration::from_micros(100);

/// What a receiving end knows of its shelf, and of its own haste.
#[derive(Debug, Default)]
pub(super) struct Picking {
    shelf: Option<ShelfNumber>,
    /// When the host has last answered, how many were picked since, and how many it was asked to lay ready.
    since: Option<Instant>,
    picked: u32,
    more: u32,
    /// Of requests that were called off, until they are known.
    fates: Vec<Arc<Fate>>,
    buffer: Vec<u8>,
}

impl Proxy {
    fn picking(&self) -> MutexGuard<'_, Picking> {
        // A panic under the lock could only be ours, between two complete states.
        self.picking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Receives: what lies ready, or else what the host is asked for.
    pub(super) fn take(&self, patience: Option<&Patience<'_>>) -> Result<Message, Absence> {
        loop {
            if self.peer.is_inherited() {
                return Err(Absence::Inherited);
            }
            if self.is_closed() {
                return Err(Absence::Closed);
            }
            let here = here().map_err(|_| Absence::HostGone { host: self.host() })?;
            let waits = patience.is_some();
            let patience = patience.unwrap_or(&Patience::ENDLESS);
            if let Some(message) = self.pick(here) {
                return Ok(message);
            }
            self.await_fates(patience)?;
            match self.want(waits, patience) {
                Ok(Reply::Delivered { delivery, shelf, message }) => {
                    self.note_shelf(shelf);
                    // Written before the message is anybody's: whoever dies from here on has had it. The host looks for it by itself.
                    self.peer.post_quietly(&Packet::Taken { delivery }, None);
                    return Ok(message);
                }
                Ok(Reply::Verdict(Verdict::Empty, _)) => return Err(Absence::Empty),
                Ok(Reply::Verdict(Verdict::Ended, _)) => return Err(Absence::Ended),
                Ok(Reply::Verdict(Verdict::Bad, why)) => return Err(Absence::NotPacked(crate::Error::BadHandle { reason: why })),
                // The host has noticed by now that the owner of a part is gone, and knows another way.
                Ok(Reply::Verdict(Verdict::OwnerGone, _)) => {}
                Ok(Reply::Verdict(..)) => return Err(Absence::Closed),
                Ok(_) => return Err(Absence::HostGone { host: self.host() }),
                Err(outcome) => return Err(absence_of(outcome)),
            }
        }
    }

    /// Asks the host for a message. Errors with what ended the wait for the answer.
    fn want(&self, waits: bool, patience: &Patience<'_>) -> Result<Reply, Outcome> {
        let (end, more, call) = (self.end, self.ask_for_more(), Call::new());
        let request = self.peer.ask_quietly(Pending::Caller(call.clone()), |request| Packet::Want { request, end, waits, more });
        match self.peer.look_and_wait(&call, patience) {
            Err(outcome) if self.call_off(request) => Err(outcome),
            // As in `Peer::call`: that takes no time.
            Err(_) => call.wait_on(&Patience::ENDLESS),
            answered => answered,
        }
    }

    /// Whether the request was not answered yet. What comes for it goes back, and is the first of what is wanted next.
    fn call_off(&self, request: u64) -> bool {
        // Its lock is outside of the conversation's: whoever finds no fate here has looked before this.
        let mut picking = self.picking();
        let mut talk = self.peer.talk();
        let Some(pending) = talk.pending.get_mut(&request) else { return false };
        let fate = Fate::new();
        let caller = std::mem::replace(pending, Pending::CalledOff(fate.clone()));
        drop(talk);
        picking.fates.push(fate);
        // What lies there comes after it.
        picking.shelf = None;
        drop(picking);
        drop(caller);
        self.peer.post(&Packet::Cancel { request });
        true
    }

    /// Waits until everything that came for requests which were called off is back. Who would take something else before would have messages in
    /// another order than they were sent in.
    fn await_fates(&self, patience: &Patience<'_>) -> Result<(), Absence> {
        loop {
            let mut picking = self.picking();
            picking.fates.retain(|fate| !fate.is_known());
            let Some(fate) = picking.fates.first().cloned() else { return Ok(()) };
            drop(picking);
            fate.wait(patience).map_err(absence_of)?;
        }
    }

    /// To be called once the end is closed: nobody picks from then on.
    pub(super) fn end_picking(&self) {
        self.picking().shelf = None;
    }

    /// How many messages shall lie ready beside the one that is asked for: one, and twice as many each time, as long as they go fast.
    fn ask_for_more(&self) -> u32 {
        let mut picking = self.picking();
        let is_fast = picking.since.is_some_and(|since| since.elapsed() <= FAST * (picking.picked + 1));
        picking.more = if is_fast { (2 * picking.more).clamp(1, MOST) } else { 0 };
        picking.more
    }

    /// The host has answered with a message, and named the shelf.
    fn note_shelf(&self, shelf: Option<ShelfNumber>) {
        let mut picking = self.picking();
        picking.since = Some(Instant::now());
        picking.picked = 0;
        if shelf.is_some() && !self.is_closed() {
            picking.shelf = shelf;
        }
    }

    /// Takes the next message off the shelf: from here on it was received.
    fn pick(&self, here: &'static Here) -> Option<Message> {
        let mut picking = self.picking();
        let ring = self.peer.lane.get()?.picking(picking.shelf?);
        if self.peer.is_gone() || !picking.fates.is_empty() {
            return None;
        }
        let next = loop {
            match ring.next(&mut picking.buffer) {
                Next::Revoked(_) => {}
                next => break next,
            }
        };
        if next == Next::Nothing {
            return None;
        }
        picking.picked += 1;
        let packet = std::mem::take(&mut picking.buffer);
        // What is unpacked may close this very end.
        drop(picking);
        let read = match next {
            Next::Packet(_) => self.unpack_picked(here, &packet),
            _ => Err(Flaw::Text("something else than a packet is on a shelf".to_owned())),
        };
        self.picking().buffer = packet;
        // No honest host lies; the server's thread ends the conversation with this one.
        read.inspect_err(|_| self.peer.hang_up()).ok()
    }

    fn unpack_picked(&self, here: &'static Here, packet: &[u8]) -> Result<Message, Flaw> {
        let Packet::Deliver { body, .. } = Packet::read(packet)? else {
            return Err(Flaw::Text("something else than a message is on a shelf".to_owned()));
        };
        if body.has_parts() {
            // The memory that its arrays lie in was shown before.
            self.peer.catch_up(here);
        }
        let (parts, head) = self.peer.unpack_body(&body)?;
        let parts = all_here(parts).ok_or_else(|| Flaw::Text("a part of what is on a shelf lies elsewhere".to_owned()))?;
        Ok(Message::from_parts(&head, parts))
    }
}

fn absence_of(outcome: Outcome) -> Absence {
    Absence::of(outcome).unwrap_or(Absence::TimedOut)
}
