//! Messages of a channel of this process that lie ready for a receiver in another one.
//!
//! ```text
//! queue ── fill ──▶ [ ring in the memory between the two, all revocable ] ──▶ taken, without a word
//!    ▲──── recall ──────────┘
//! ```
//!
//! Each lies in the ring and stays here as well, until it is known to be taken. That, and whether it can be had back, is decided by the head of
//! its packet alone, which one of the two sides changes.
//!
//! Locks, outer ones first: this shelf's, the conversation's, the channel's. What others may react to is done when all are released.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::here::Here;
use super::lane::ShelfNumber;
use super::packing::Packed;
use super::peer::Peer;
use super::picking::MOST;
use super::ring::{Place, Ring};
use super::server::TICK;
use super::talk::{Forwarded, Talk};
use super::wire::Packet;
use crate::Receiver;
use crate::arena::Block;
use crate::channel::{self, Attachment, Message};

/// The longest head of a message on a shelf, in bytes, and the most arrays.
const SHORT: usize = 512;
const FEW: usize = 8;

/// Of one receiving end.
#[derive(Debug)]
pub(super) struct Shelf {
    peer: Arc<Peer>,
    receiver: Arc<Receiver>,
    number: ShelfNumber,
    lying: Mutex<Lying>,
}

/// Messages there, in their order, and since when none was taken.
#[derive(Debug)]
struct Lying {
    messages: VecDeque<(Place, Message)>,
    since: Instant,
}

impl Lying {
    /// Takes out those that the other side has read.
    fn taken(&mut self, ring: Ring<'_>) -> Vec<Message> {
        let count = self.messages.iter().take_while(|(place, _)| ring.was_read(*place)).count();
        if count > 0 {
            self.since = Instant::now();
        }
        self.messages.drain(..count).map(|(_, message)| message).collect()
    }
}

impl Shelf {
    fn lying(&self) -> MutexGuard<'_, Lying> {
        // A panic under the lock could only be ours, between two complete states.
        self.lying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) -> Option<Ring<'_>> {
        self.peer.lane.get().map(|lane| lane.filling(self.number))
    }

    pub(super) fn number(&self) -> ShelfNumber {
        self.number
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lying().messages.is_empty()
    }

    /// Puts messages there until there are so many, as far as they suit.
    pub(super) fn fill(&self, here: &'static Here, most: u32) {
        let Some(ring) = self.ring() else { return };
        let mut lying = self.lying();
        let taken = lying.taken(ring);
        let most = (most.min(MOST) as usize).saturating_sub(lying.messages.len());
        let Some((fresh, accounted)) = self.receiver.restock(taken.len(), most, |message| self.suits(message)) else { return };
        let mut fresh = fresh.into_iter();
        let mut back = Vec::new();
        for message in fresh.by_ref() {
            match self.lay(here, ring, &message) {
                Some(place) => lying.messages.push_back((place, message)),
                None => {
                    back.push(message);
                    break;
                }
            }
        }
        back.extend(fresh);
        lying.since = Instant::now();
        let returned = if back.is_empty() { None } else { self.receiver.account(0, back) };
        drop(lying);
        self.receiver.conclude(accounted);
        returned.into_iter().for_each(|returned| self.receiver.conclude(returned));
        drop(taken);
    }

    /// Whether it is short, and has only arrays of this process. Those of the other side we give back as soon as the message is taken, which it
    /// may hear of before it has read the message.
    fn suits(&self, message: &Message) -> bool {
        let (head, parts) = message.parts();
        head.len() <= SHORT && parts.len() <= FEW && parts.iter().all(|part| matches!(part, Attachment::Array(array) if array.is_own()))
    }

    /// Writes the message, if there is room and nothing that it needs is behind it.
    fn lay(&self, here: &'static Here, ring: Ring<'_>, message: &Message) -> Option<Place> {
        let mut talk = self.peer.talk();
        if talk.gone.is_some() {
            return None;
        }
        // Nothing of it lies with another process.
        let packed = self.peer.pack(here, &mut talk, message, None, &mut Forwarded::default()).ok()?;
        let place = match &packed {
            // The descriptor of an arena may wait for room in the ring of all packets.
            Packed::Inline(_) if self.peer.outbox.len() == 0 => {
                let bytes = Packet::Deliver { request: 0, delivery: 0, shelf: None, body: packed.body() }.write();
                (bytes.len() <= ring.longest()).then(|| ring.write_revocably(&bytes)).flatten()
            }
            _ => None,
        };
        let released = if place.is_none() { release(&mut talk, message) } else { Vec::new() };
        drop(talk);
        drop(released);
        place
    }

    /// Accounts for what was taken and, if so, has back the rest.
    fn account(&self, recall: impl FnOnce(&Lying) -> bool) {
        let Some(ring) = self.ring() else { return };
        let mut lying = self.lying();
        let mut taken = lying.taken(ring);
        let mut back = Vec::new();
        if recall(&lying) {
            for (place, message) in lying.messages.drain(..) {
                if ring.revoke(place) {
                    back.push(message);
                } else {
                    taken.push(message);
                }
            }
        }
        if taken.is_empty() && back.is_empty() {
            return;
        }
        let mut talk = self.peer.talk();
        let released: Vec<_> = back.iter().flat_map(|message| release(&mut talk, message)).collect();
        drop(talk);
        let accounted = self.receiver.account(taken.len(), back);
        drop(lying);
        drop(released);
        accounted.into_iter().for_each(|accounted| self.receiver.conclude(accounted));
        drop(taken);
    }

    /// Does what `look_over` does, for nobody asks for it while nobody waits; and has back what has lain there for long, as others could
    /// receive it sooner.
    pub(super) fn keep_time(&self) {
        self.account(|lying| lying.since.elapsed() > TICK);
    }

    /// The end was closed, and reads no more.
    pub(super) fn end(&self) {
        channel::Shelf::recall(self);
        self.receiver.close_shelf();
    }
}

impl channel::Shelf for Shelf {
    fn look_over(&self) {
        self.account(|_| false);
    }

    fn recall(&self) {
        self.account(|_| true);
    }
}

/// Ends the leases that were granted by packing a message which nobody will read. Gives blocks, to be dropped without any lock.
fn release(talk: &mut Talk, message: &Message) -> Vec<Block> {
    let block = |part: &Attachment| match part {
        Attachment::Array(array) => Some(array.block().clone()),
        Attachment::Sender(_) | Attachment::Receiver(_) => None,
    };
    let release = |block: Block| talk.ledger.release(block.arena_id(), block.index(), block.generation(), 1).flatten();
    message.parts().1.iter().filter_map(block).filter_map(release).collect()
}

impl Peer {
    /// The shelf of a receiving end that we keep; `None` where there is none to be had, and of an end that was closed.
    pub(super) fn shelf(self: &Arc<Self>, end: u64, receiver: &Arc<Receiver>) -> Option<Arc<Shelf>> {
        if receiver.capacity() == Some(0) || self.lane.get().is_none() {
            return None;
        }
        let mut talk = self.talk();
        if let Some(shelf) = talk.shelves.get(&end) {
            return Some(shelf.clone());
        }
        if !talk.ends.contains_key(&end) {
            return None;
        }
        let number = talk.free_shelves.take()?;
        let lying = Mutex::new(Lying { messages: VecDeque::new(), since: Instant::now() });
        let shelf = Arc::new(Shelf { peer: self.clone(), receiver: receiver.clone(), number, lying });
        talk.shelves.insert(end, shelf.clone());
        // Under the lock, so that whoever closes the end finds it in both places.
        receiver.open_shelf(shelf.clone());
        Some(shelf)
    }

    /// All shelves that we fill for the other side.
    pub(super) fn shelves(&self) -> Vec<Arc<Shelf>> {
        self.talk().shelves.values().cloned().collect()
    }
}
