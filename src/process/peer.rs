//! One conversation with another process: packets out, requests and their answers, what each holds of the other.
//!
//! ```text
//! any thread      post ──▶ [ socket takes it | outbox ] ──────────────────▶ other process
//!                 ask ───▶ pending ◀── fill ── packet ◀── server's thread ◀──┘
//! ```
//!
//! Locks, outer ones first: `talk`, the map of all peers, `outbox`. What is dropped may be the last of something whose end calls in here
//! again, so nothing but plain data is dropped while a lock is held.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::io::Errno;

use super::call::{Call, Pending, Reply};
use super::inbox::Inbox;
use super::lane::Lane;
use super::ledger::Ledger;
use super::ring::LISTENED;
use super::socket::{self, Credentials};
use super::turns::Turn;
use super::wire::{Packet, Token};
use crate::arena::{ForeignArena, Lessor};
use crate::channel::{Lent, Outcome, Patience, Spin, wake_one};
use crate::error::Error;
use crate::forks::Birth;
use crate::offset::{Address, ArenaId, BlockIndex, Generation};
use crate::sync::{AtomicBool, AtomicU64, Ordering};
use crate::{Array, Receiver, Sender};

/// Packets that may wait for the other process to read before we stop reading from it.
const PATIENT: usize = 256;

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
    outbox: Mutex<Outbox>,
    talk: Mutex<Talk>,
}

/// Packets that the socket has no room for yet.
#[derive(Debug, Default)]
struct Outbox {
    packets: VecDeque<Waiting>,
    /// Nothing is taken any more.
    closed: bool,
}

#[derive(Debug)]
struct Waiting {
    bytes: Vec<u8>,
    descriptor: Option<OwnedFd>,
    /// The ring says where in the order it comes.
    announced: bool,
}

/// Who began the conversation.
pub(super) enum Role {
    /// We did, at that address.
    Dialled(Address),
    /// They did.
    Accepted,
}

/// An end that we keep for the other process.
#[derive(Clone, Debug)]
pub(super) enum Hosted {
    Sender(Arc<Sender>),
    Receiver(Arc<Receiver>),
}

impl Hosted {
    pub(super) fn close(&self) {
        match self {
            Hosted::Sender(sender) => sender.close(),
            Hosted::Receiver(receiver) => receiver.close(),
        }
    }
}

/// What came of mapping another process's memory.
pub(super) type Mapped = Result<Arc<ForeignArena>, Error>;

/// What third processes keep because the other side was told to ask them for it.
#[derive(Debug, Default)]
pub(super) struct Forwarded(Vec<(Arc<Peer>, Token)>);

impl Forwarded {
    pub(super) fn add(&mut self, owner: &Arc<Peer>, token: Token) {
        self.0.push((owner.clone(), token));
    }

    /// Nobody will ask any more. Of what was asked for already nothing is kept, so that it does no harm.
    pub(super) fn forget(self) {
        for (owner, token) in self.0 {
            owner.post(&Packet::Forget { token });
        }
    }
}

/// A message that was delivered to the other side and not taken there yet.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) lent: Lent,
    pub(super) forwarded: Forwarded,
}

/// What we know of the receivers of a channel in the other process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// The other side was asked to tell when they are gone.
    Asked,
    /// They were there, and it will tell.
    There,
    Gone,
}

/// What both know of each other.
#[derive(Default)]
pub(super) struct Talk {
    /// The other process's name, once it has said it.
    pub(super) address: Option<Address>,
    /// Why the conversation is over.
    pub(super) gone: Option<Arc<str>>,
    pub(super) ledger: Ledger,
    /// Arenas whose descriptor the other process has from us.
    pub(super) shown: HashSet<ArenaId>,
    /// Arenas whose descriptor we have from it, and what came of mapping them.
    pub(super) memory: HashMap<ArenaId, Mapped>,
    /// Arenas of dead processes whose descriptor came from it, for so many arrays that come after.
    orphaned: HashMap<ArenaId, (Mapped, usize)>,
    /// Ends that we keep for it.
    pub(super) ends: HashMap<u64, Hosted>,
    /// Sending ends that it keeps for us, of channels without a limit: whether anybody is left to receive.
    pub(super) audience: HashMap<u64, Audience>,
    /// Those that we keep for it and shall tell it of.
    pub(super) watched: HashSet<u64>,
    /// Our requests.
    pub(super) pending: HashMap<u64, Pending>,
    /// Its requests that wait in channels here.
    pub(super) turns: HashMap<u64, Turn>,
    /// Messages that were delivered to it and not taken there yet.
    pub(super) lent: BTreeMap<u64, Delivery>,
}

impl Talk {
    /// The other side shows memory. Gives what is not needed any more, to be dropped without the lock.
    pub(super) fn see(&mut self, arena: ArenaId, mapped: Mapped) -> Option<Mapped> {
        if self.address == Some(arena.process()) {
            return self.memory.insert(arena, mapped);
        }
        match self.orphaned.entry(arena) {
            Entry::Vacant(entry) => {
                entry.insert((mapped, 1));
                None
            }
            Entry::Occupied(mut entry) => {
                entry.get_mut().1 += 1;
                Some(mapped)
            }
        }
    }

    /// The memory for one array of a dead process.
    pub(super) fn take_orphaned(&mut self, arena: ArenaId) -> Option<Mapped> {
        let Entry::Occupied(mut entry) = self.orphaned.entry(arena) else { return None };
        let (mapped, arrays) = entry.get_mut();
        *arrays -= 1;
        if *arrays > 0 { Some(mapped.clone()) } else { Some(entry.remove().0) }
    }
}

impl std::fmt::Debug for Talk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Talk").field("address", &self.address).field("gone", &self.gone).finish_non_exhaustive()
    }
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
            outbox: Mutex::default(),
            talk: Mutex::new(Talk { address, ..Talk::default() }),
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
        !self.talk().lent.is_empty()
    }

    /// A number that neither side has used in this conversation for one of its own things.
    pub(super) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed) // only uniqueness counts
    }

    pub(super) fn talk(&self) -> MutexGuard<'_, Talk> {
        // A panic under the lock could only be ours, between two complete states.
        self.talk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// "pid 123", for texts.
    pub(super) fn host(&self) -> String {
        format!("pid {}", self.credentials.pid)
    }

    /// Takes no lock.
    pub(super) fn is_gone(&self) -> bool {
        self.is_inherited() || self.over.load(Ordering::Relaxed) // whoever needs more certainty takes the lock
    }

    /// Whether the conversation is the one of the process from which this one was forked. Nothing of it may be touched then.
    pub(super) fn is_inherited(&self) -> bool {
        self.birth.was_before_fork()
    }

    /// Sends, now or when there is room. To one who is gone nothing is sent: the server's thread sees to that.
    pub(super) fn post(&self, packet: &Packet<'_>) {
        self.post_with(packet, None);
    }

    /// Whether it was sent, as there was room for it at once.
    pub(super) fn post_at_once(&self, packet: &Packet<'_>) -> bool {
        let outbox = self.outbox();
        let sent = outbox.packets.is_empty() && (outbox.closed || self.transmit(&packet.write(), None, true));
        drop(outbox);
        if sent {
            self.ring();
        }
        sent
    }

    /// As `post`, with a descriptor beside the packet.
    pub(super) fn post_with(&self, packet: &Packet<'_>, descriptor: Option<&OwnedFd>) {
        self.post_quietly(packet, descriptor);
        self.ring();
    }

    /// As `post_with`, but a reader that sleeps is not told: that is for the caller to do, unless somebody will look anyway.
    pub(super) fn post_quietly(&self, packet: &Packet<'_>, descriptor: Option<&OwnedFd>) {
        let (bytes, announced) = (packet.write(), !packet.is_of_the_socket());
        let mut outbox = self.outbox();
        if outbox.closed || (outbox.packets.is_empty() && self.transmit(&bytes, descriptor.map(AsFd::as_fd), announced)) {
            return;
        }
        match descriptor.map(OwnedFd::try_clone).transpose() {
            Ok(descriptor) => outbox.packets.push_back(Waiting { bytes, descriptor, announced }),
            // Without a descriptor for it the conversation cannot go on.
            Err(_) => {
                outbox.closed = true;
                drop(outbox);
                self.hang_up();
            }
        }
    }

    /// Whether the packet is on its way, or can never be: then nobody reads any more, which the server's thread notices as well. The caller
    /// has the outbox's lock.
    fn transmit(&self, bytes: &[u8], descriptor: Option<BorrowedFd<'_>>, announced: bool) -> bool {
        let ring = self.lane.get().filter(|_| announced).map(Lane::outgoing);
        if let Some(ring) = ring.filter(|ring| descriptor.is_none() && bytes.len() <= ring.longest()) {
            return ring.write(Some(bytes));
        }
        if ring.is_some_and(|ring| !ring.has_room_for_word()) {
            return false;
        }
        let sent = !matches!(socket::send(&self.socket, bytes, descriptor), Err(Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM));
        // The order of all packets is that of the ring.
        sent && ring.is_none_or(|ring| ring.write(None))
    }

    /// Wakes the reader, if it sleeps and there is something to read.
    pub(super) fn ring(&self) {
        let Some(ring) = self.lane.get().map(Lane::outgoing) else { return };
        match ring.must_ring() {
            0 => {}
            LISTENED => wake_one(ring.bell),
            // A socket too full for it wakes the reader as well.
            _ => drop(socket::send(&self.socket, &Packet::Bell.write(), None)),
        }
    }

    /// Whether the array is leased from the other side, by this very conversation.
    pub(super) fn has_leased(&self, array: &Array) -> bool {
        array.block().lessor().is_some_and(|lessor| std::ptr::addr_eq(Arc::as_ptr(lessor), self))
    }

    /// Whether a thread of the other process sleeps until something comes. It gains nothing by our looking first.
    fn is_listened_to(&self) -> bool {
        self.lane.get().is_some_and(|lane| lane.outgoing().is_listened_to())
    }

    /// Sends what waits, as far as there is room.
    pub(super) fn flush(&self) {
        let mut outbox = self.outbox();
        let before = outbox.packets.len();
        while let Some(Waiting { bytes, descriptor, announced }) = outbox.packets.front() {
            if !self.transmit(bytes, descriptor.as_ref().map(AsFd::as_fd), *announced) {
                break;
            }
            outbox.packets.pop_front();
        }
        let sent = outbox.packets.len() < before;
        drop(outbox);
        if sent {
            self.ring();
        }
    }

    /// The other side sees the end, even where a forked child of ours has the socket as well.
    pub(super) fn hang_up(&self) {
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
    }

    /// How many packets wait.
    pub(super) fn unsent(&self) -> usize {
        self.outbox().packets.len()
    }

    /// Whether so much waits that nothing more should be read from it.
    pub(super) fn is_stalled(&self) -> bool {
        self.unsent() >= PATIENT
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
    pub(super) fn call<'p>(&self, patience: &Patience<'_>, packet: impl FnOnce(u64) -> Packet<'p>) -> Result<Reply, Outcome> {
        let call = Call::new();
        let request = self.ask_quietly(Pending::Caller(call.clone()), packet);
        self.wait(&call, request, patience)
    }

    fn wait(&self, call: &Call, request: u64, patience: &Patience<'_>) -> Result<Reply, Outcome> {
        let outcome = match self.look_and_wait(call, patience) {
            Ok(reply) => return Ok(reply),
            Err(outcome) => outcome,
        };
        if self.call_off(request) {
            return Err(outcome);
        }
        // It was answered just now, or is about to be: that takes no time.
        call.wait(&Patience::ENDLESS)
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
    pub(super) fn look_and_wait(&self, call: &Call, patience: &Patience<'_>) -> Result<Reply, Outcome> {
        if self.is_listened_to() {
            self.ring();
        }
        if !self.spin.until(|| call.is_filled()) {
            self.ring();
        }
        call.wait(patience)
    }

    /// The request is answered, if anybody still waits.
    pub(super) fn answer(&self, request: u64, reply: Reply) -> Option<Reply> {
        let pending = self.talk().pending.remove(&request);
        match pending {
            Some(pending) => {
                pending.fill(reply);
                None
            }
            None => Some(reply),
        }
    }

    /// Has everyone who waits for an answer look at their flag again.
    pub(super) fn stir(&self) {
        let calls: Vec<Arc<Call>> = self
            .talk()
            .pending
            .values()
            .filter_map(|pending| if let Pending::Caller(call) = pending { Some(call.clone()) } else { None })
            .collect();
        calls.iter().for_each(|call| call.stir());
    }

    /// Ends the conversation: whatever one held for the other is let go. Whether it was going on.
    pub(super) fn bury(&self, why: &str) -> bool {
        let why: Arc<str> = why.into();
        let mut talk = self.talk();
        if talk.gone.is_some() {
            return false;
        }
        let address = talk.address;
        let mut last = std::mem::replace(&mut *talk, Talk { gone: Some(why.clone()), address, ..Talk::default() });
        drop(talk);
        self.over.store(true, Ordering::Relaxed);
        let mut outbox = self.outbox();
        outbox.closed = true;
        let unsent = std::mem::take(&mut outbox.packets);
        drop(outbox);
        drop(unsent);
        self.hang_up();
        for turn in std::mem::take(&mut last.turns).into_values() {
            turn.cancel();
        }
        // Before the ends are closed: who receives here may still want them.
        for Delivery { lent, forwarded } in std::mem::take(&mut last.lent).into_values() {
            drop(lent);
            forwarded.forget();
        }
        for end in last.ends.values() {
            end.close();
        }
        for pending in std::mem::take(&mut last.pending).into_values() {
            pending.fill(Reply::Gone(why.clone()));
        }
        true
    }
}

impl Lessor for Peer {
    fn give_back(&self, arena: ArenaId, block: BlockIndex, generation: Generation, count: u32) {
        if !self.is_inherited() {
            self.post(&Packet::Release { arena, block, generation, count });
        }
    }
}
