//! One conversation with another process: packets out, requests and their answers, what each holds of the other.
//!
//! ```text
//! any thread      post ──▶ [ ring | socket | outbox ] ────────────────────▶ other process
//!                 ask ───▶ pending ◀── fill ── packet ◀── server's thread ◀──┘
//! ```
//!
//! Locks, outer ones first: what a receiver picks, `talk`, tickets, the map of all peers, `outbox`. What is dropped may be the last of something
//! whose end calls in here again, so nothing but plain data is dropped while a lock is held.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::call::{Call, Pending, Reply};
use super::inbox::Inbox;
use super::lane::Lane;
use super::ledger::Ledger;
use super::outbox::Outbox;
use super::socket::Credentials;
use super::talk::{Delivery, Talk};
use super::wire::Packet;
use crate::Array;
use crate::arena::Lessor;
use crate::channel::{Attachment, Message, Outcome, Patience, Spin};
use crate::forks::Birth;
use crate::offset::{Address, ArenaId, BlockIndex, Generation};
use crate::sync::{AtomicBool, AtomicU64, Ordering};

/// Another process, as long as the conversation lasts.
#[derive(Debug)]
pub(super) struct Peer {
    /// Its number among all conversations of this process.
    pub(super) id: u64,
    pub(super) socket: OwnedFd,
    pub(super) credentials: Credentials,
    birth: Birth,
    /// Whether the conversation is over, for those who may not take its lock.
    over: AtomicBool,
    /// The number of the next request, end or delivery.
    next: AtomicU64,
    /// The memory between the two; empty where the socket is all there is.
    pub(super) lane: OnceLock<Lane>,
    /// How long those who wait for answers look before they sleep.
    spin: Spin,
    pub(super) inbox: Mutex<Inbox>,
    pub(super) outbox: Outbox,
    talk: Mutex<Talk>,
    /// Held by whoever redeems a ticket of the other side's.
    pub(super) redeeming: Mutex<()>,
}

/// Who began the conversation.
pub(super) enum Role {
    /// We did, at that address.
    Dialled(Address),
    /// They did.
    Accepted,
}

impl Peer {
    pub(super) fn new(id: u64, socket: OwnedFd, credentials: Credentials, role: Role) -> Peer {
        let address = match role {
            Role::Dialled(address) => Some(address),
            Role::Accepted => None,
        };
        Peer {
            id,
            socket,
            credentials,
            birth: Birth::now(),
            over: AtomicBool::new(false),
            next: AtomicU64::new(1),
            lane: OnceLock::new(),
            spin: Spin::default(),
            inbox: Mutex::default(),
            outbox: Outbox::default(),
            talk: Mutex::new(Talk::begin(address)),
            redeeming: Mutex::default(),
        }
    }

    /// Says who we are. Who dialled brings the memory between the two, if there is any to be had.
    pub(super) fn greet(&self, address: Address, dialled: bool) {
        let lane = if dialled { Lane::new().ok() } else { None };
        let (lane, descriptor) = lane.unzip();
        self.post_with(&Packet::Hello { address }, descriptor.as_ref());
        if let Some(lane) = lane {
            let _ = self.lane.set(lane); // nobody else does
        }
    }

    /// Whether it has messages of ours that it has not taken yet.
    pub(super) fn has_lent(&self) -> bool {
        !self.talk().lent.is_empty() || self.shelves().iter().any(|shelf| !shelf.is_empty())
    }

    /// A number that neither side has used in this conversation for one of its own things.
    pub(super) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed) // only uniqueness counts
    }

    pub(super) fn talk(&self) -> MutexGuard<'_, Talk> {
        // A panic under the lock could only be ours, between two complete states.
        self.talk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// "pid 123", for texts.
    pub(super) fn host(&self) -> String {
        format!("pid {}", self.credentials.pid)
    }

    /// Whether both conversations are with the same process. One that is out of sight has no number to be known by.
    pub(super) fn is_with_the_process_of(&self, other: &Peer) -> bool {
        self.credentials.pid != 0 && self.credentials == other.credentials
    }

    /// Takes no lock.
    pub(super) fn is_gone(&self) -> bool {
        self.is_inherited() || self.over.load(Ordering::Relaxed) // whoever needs more certainty takes the lock
    }

    /// Whether the conversation is the one of the process from which this one was forked. Nothing of it may be touched then.
    pub(super) fn is_inherited(&self) -> bool {
        self.birth.was_before_fork()
    }

    /// Whether the array is leased from the other side, by this very conversation.
    pub(super) fn has_leased(&self, array: &Array) -> bool {
        array.block().lessor().is_some_and(|lessor| std::ptr::addr_eq(Arc::as_ptr(lessor), self))
    }

    /// Whether all that the message brings lies with the two processes.
    pub(super) fn has_all_between_us(&self, message: &Message) -> bool {
        let between_us = |part: &Attachment| match part {
            Attachment::Array(array) => array.is_own() || self.has_leased(array),
            Attachment::Sender(_) | Attachment::Receiver(_) => false,
        };
        message.parts().1.iter().all(between_us)
    }

    /// The other side sees the end, even where a forked child of ours has the socket as well.
    pub(super) fn hang_up(&self) {
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
    }

    /// Makes a request, whose answer goes to `pending`. `packet` gets its number.
    pub(super) fn ask<'p>(&self, pending: Pending, packet: impl FnOnce(u64) -> Packet<'p>) {
        self.ask_quietly(pending, packet);
        self.ring();
    }

    /// As `ask`; the other side is not told before somebody rings. Gives the number.
    pub(super) fn ask_quietly<'p>(&self, pending: Pending, packet: impl FnOnce(u64) -> Packet<'p>) -> u64 {
        let request = self.number();
        let mut talk = self.talk();
        if let Some(why) = talk.gone.clone() {
            drop(talk);
            pending.fill(Reply::Gone(why));
            return request;
        }
        talk.pending.insert(request, pending);
        drop(talk);
        self.post_quietly(&packet(request), None);
        request
    }

    /// Makes a request and waits for its answer. Errors with what ended the wait; the request is called off then, and whatever comes later is
    /// refused.
    pub(super) fn call<'p>(self: &Arc<Self>, patience: &Patience<'_>, packet: impl FnOnce(u64) -> Packet<'p>) -> Result<Reply, Outcome> {
        let call = Call::new();
        let request = self.ask_quietly(Pending::Caller(call.clone()), packet);
        self.wait(&call, request, patience)
    }

    fn wait(self: &Arc<Self>, call: &Call, request: u64, patience: &Patience<'_>) -> Result<Reply, Outcome> {
        let outcome = match self.look_and_wait(call, patience) {
            Ok(reply) => return Ok(reply),
            Err(outcome) => outcome,
        };
        if self.call_off(request) {
            return Err(outcome);
        }
        // It was answered just now, or is about to be: that takes no time.
        call.wait_on(&Patience::ENDLESS)
    }

    /// Whether the request was not answered yet. Then it never will be: whatever comes is refused.
    pub(super) fn call_off(&self, request: u64) -> bool {
        let withdrawn = self.talk().pending.remove(&request);
        if withdrawn.is_some() {
            self.post(&Packet::Cancel { request });
        }
        withdrawn.is_some()
    }

    /// Looks for the answer, and only when it does not come wakes those who will give it, and sleeps.
    pub(super) fn look_and_wait(self: &Arc<Self>, call: &Call, patience: &Patience<'_>) -> Result<Reply, Outcome> {
        if self.is_listened_to() {
            self.ring_and_catch_up();
        }
        let Err(vain) = self.spin.until(|| call.is_filled()) else { return call.wait(patience) };
        self.ring_and_catch_up();
        let reply = call.wait(patience);
        if let Some(processor) = self.woken_from() {
            self.spin.was_woken_from(processor);
        }
        if let Some(vain) = vain {
            self.spin.came_after(vain);
        }
        reply
    }

    /// The request is answered, if anybody still waits.
    pub(super) fn answer(&self, request: u64, reply: Reply) -> Option<Reply> {
        let pending = self.talk().pending.remove(&request);
        match (pending, reply) {
            (Some(Pending::CalledOff(fate)), Reply::Delivered { delivery, message, .. }) => {
                // Before that is known, so that it comes before what is wanted next.
                self.post(&Packet::Return { delivery });
                fate.tell();
                drop(message);
                None
            }
            (Some(pending), reply) => {
                pending.fill(reply);
                None
            }
            (None, reply) => Some(reply),
        }
    }

    /// Has everyone who waits for an answer look at their flag again.
    pub(super) fn stir(&self) {
        let (mut calls, mut fates) = (Vec::new(), Vec::new());
        for pending in self.talk().pending.values() {
            match pending {
                Pending::Caller(call) => calls.push(call.clone()),
                Pending::CalledOff(fate) => fates.push(fate.clone()),
                Pending::Then(_) => {}
            }
        }
        calls.iter().for_each(|call| call.stir());
        fates.iter().for_each(|fate| fate.stir());
    }

    /// Ends the conversation: whatever one held for the other is let go, but for what was leased. `None` when it was over before.
    pub(super) fn bury(&self, why: &str) -> Option<Ledger> {
        let why: Arc<str> = why.into();
        let mut talk = self.talk();
        if talk.gone.is_some() {
            return None;
        }
        let address = talk.address;
        let mut last = std::mem::replace(&mut *talk, Talk::over(address, why.clone()));
        drop(talk);
        self.over.store(true, Ordering::Relaxed);
        self.outbox.close();
        self.hang_up();
        for turn in std::mem::take(&mut last.turns).into_values() {
            turn.abandon();
        }
        // Before the ends are closed: who receives here may still want them.
        for Delivery { lent, forwarded } in std::mem::take(&mut last.lent).into_values() {
            drop(lent);
            forwarded.forget();
        }
        for end in last.ends.values() {
            end.close();
        }
        for shelf in std::mem::take(&mut last.shelves).into_values() {
            shelf.end();
        }
        for pending in std::mem::take(&mut last.pending).into_values() {
            pending.fill(Reply::Gone(why.clone()));
        }
        Some(std::mem::take(&mut last.ledger))
    }
}

impl Lessor for Peer {
    fn give_back(&self, arena: ArenaId, block: BlockIndex, generation: Generation, count: u32) {
        if !self.is_inherited() {
            self.post(&Packet::Release { arena, block, generation, count });
        }
    }
}
