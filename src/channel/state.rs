//! What a channel's lock guards: the queue, who may use it, and who waits for it. Nothing here blocks.
//!
//! Waking exactly as many threads as are needed is a matter of counting. For each side the state knows how many threads wait,
//! and to how many of them a wake-up is promised. Whatever a critical section does, it ends with [`State::settle`], which
//! restores
//!
//! ```text
//! promised >= min(ready, waiting)
//! ```
//!
//! where `ready` says how many could go on: receivers, one for each message; senders, one for each free place; all of them once
//! the other side is gone. A woken thread gives its promise back under the lock before it looks at the queue. So one that gives
//! up, or finds its message taken by somebody quicker, leaves the sums right, and the next `settle` wakes another.

use std::collections::VecDeque;

use super::futex::{ALL, Mask};
use super::gate::{Cargo, Gate, Side};
use super::queue::Core;

/// A queue that has run empty keeps room for so many messages; more is given back.
const KEPT: usize = 1024;

/// The threads of one side that wait.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    waiting: usize,
    /// Wake-ups under way, never more than `waiting`.
    promised: usize,
}

impl Waiters {
    pub(crate) fn enter(&mut self) {
        self.waiting += 1;
    }

    pub(crate) fn leave(&mut self) {
        self.waiting -= 1;
        self.promised = self.promised.saturating_sub(1).min(self.waiting);
    }

    /// How many more must be woken when `ready` could go on.
    fn promise(&mut self, ready: usize) -> u32 {
        let missing = ready.min(self.waiting).saturating_sub(self.promised);
        self.promised += missing;
        u32::try_from(missing).unwrap_or(u32::MAX)
    }
}

/// A message in the queue.
#[derive(Debug)]
struct Entry<T> {
    item: T,
    /// Increases along the queue.
    serial: u64,
    /// Its sender waits until it is taken: a rendezvous.
    awaited: bool,
}

/// Which threads to wake once the lock is released.
#[derive(Debug)]
pub(crate) struct Wake {
    pub(crate) receivers: u32,
    pub(crate) senders: u32,
    /// The senders meant.
    pub(crate) mask: Mask,
}

/// Whether a message may enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Room,
    Full,
    Closed,
    Broken,
}

#[derive(Debug)]
pub(crate) struct State<T> {
    capacity: Option<usize>,
    queue: VecDeque<Entry<T>>,
    /// Entries that are awaited.
    offers: usize,
    /// Open ends of each side.
    pub(crate) senders: usize,
    pub(crate) receivers: usize,
    /// Open receiving ends that lie in this very queue: nobody can reach them except through it.
    aboard: usize,
    pub(crate) sending: Waiters,
    pub(crate) receiving: Waiters,
    /// Senders whose offers were taken since the last `settle`.
    taken: u32,
    /// An end was closed, or everyone is to look up: those waiting on the side are woken once, whatever there is for them.
    stirred_senders: bool,
    stirred_receivers: bool,
    serial: u64,
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

impl<T> State<T> {
    pub(crate) fn new(capacity: Option<usize>) -> State<T> {
        State {
            capacity,
            queue: VecDeque::new(),
            offers: 0,
            senders: 0,
            receivers: 0,
            aboard: 0,
            sending: Waiters::default(),
            receiving: Waiters::default(),
            taken: 0,
            stirred_senders: false,
            stirred_receivers: false,
            serial: 0,
            sent: 0,
            received: 0,
        }
    }

    /// Messages sent and not received; offers are not sent yet.
    pub(crate) fn queued(&self) -> usize {
        self.queue.len() - self.offers
    }

    pub(crate) fn waiting(&self) -> (usize, usize) {
        (self.sending.waiting, self.receiving.waiting)
    }

    /// Nobody will ever receive.
    pub(crate) fn is_broken(&self) -> bool {
        self.receivers == self.aboard
    }

    /// Nobody will ever send.
    pub(crate) fn is_ended(&self) -> bool {
        self.senders == 0 && self.queue.is_empty()
    }

    pub(crate) fn open(&mut self, side: Side, closed: bool) -> Gate {
        if !closed {
            *self.ends(side) += 1;
        }
        Gate::new(closed)
    }

    /// Closes one end and gives what nobody can receive any more, to be dropped outside the lock.
    pub(crate) fn close(&mut self, side: Side, gate: &Gate) -> VecDeque<T> {
        if !gate.close() {
            return VecDeque::new();
        }
        *self.ends(side) -= 1;
        self.stir(side);
        if gate.disembark() {
            self.aboard -= 1;
        }
        if side == Side::Receiving && self.is_broken() { self.abandon() } else { VecDeque::new() }
    }

    fn ends(&mut self, side: Side) -> &mut usize {
        match side {
            Side::Sending => &mut self.senders,
            Side::Receiving => &mut self.receivers,
        }
    }

    /// Has everyone on that side woken.
    pub(crate) fn stir(&mut self, side: Side) {
        match side {
            Side::Sending => self.stirred_senders = true,
            Side::Receiving => self.stirred_receivers = true,
        }
    }

    /// Takes out everything except offers, which belong to their senders.
    fn abandon(&mut self) -> VecDeque<T> {
        let (offers, sent): (VecDeque<_>, VecDeque<_>) = self.queue.drain(..).partition(|entry| entry.awaited);
        self.queue = offers;
        sent.into_iter().map(|entry| entry.item).collect()
    }

    /// To be called at the end of each critical section.
    pub(crate) fn settle(&mut self) -> Wake {
        let broken = self.is_broken();
        let messages = if self.senders == 0 || std::mem::take(&mut self.stirred_receivers) { usize::MAX } else { self.queue.len() };
        let receivers = self.receiving.promise(messages);
        let everyone = std::mem::take(&mut self.stirred_senders) || broken;
        let places = match self.capacity {
            _ if everyone => usize::MAX,
            Some(capacity) => capacity.saturating_sub(self.queue.len()),
            None => 0,
        };
        let senders = self.sending.promise(places);
        match Mask::new(std::mem::take(&mut self.taken)) {
            // Bits may be shared, so each sleeper under them looks whether its own offer was taken.
            Some(mask) if !everyone => Wake { receivers, senders: u32::MAX, mask },
            _ => Wake { receivers, senders, mask: ALL },
        }
    }
}

/// The bit under which the sender of an offer sleeps.
pub(crate) fn mask_of(serial: u64) -> Mask {
    Mask::new(1 << (serial % u64::from(u32::BITS))).unwrap_or(ALL)
}

impl<T: Cargo> State<T> {
    pub(crate) fn admit(&self, gate: &Gate, item: &T, home: &Core<T>) -> Admission {
        // Ends that travel in this message would be out of reach as soon as it is queued.
        let embarking = item.receivers_of(home).filter(|gate| !gate.is_closed()).count();
        let room = match self.capacity {
            None => true,
            // Each waiting receiver can be handed one message.
            Some(0) => self.receiving.waiting > self.queue.len(),
            Some(capacity) => self.queue.len() < capacity,
        };
        match () {
            () if gate.is_closed() => Admission::Closed,
            () if self.receivers == self.aboard + embarking => Admission::Broken,
            () if room => Admission::Room,
            () => Admission::Full,
        }
    }

    /// Queues the message and gives its serial number.
    pub(crate) fn push(&mut self, mut item: T, awaited: bool, home: &Core<T>) -> u64 {
        for gate in item.receivers_of(home).filter(|gate| !gate.is_closed()) {
            gate.embark();
            self.aboard += 1;
        }
        let serial = self.serial;
        self.serial += 1;
        item.stamp(serial);
        self.queue.push_back(Entry { item, serial, awaited });
        if awaited {
            self.offers += 1;
        } else {
            self.sent += 1;
        }
        serial
    }

    pub(crate) fn pop(&mut self, home: &Core<T>) -> Option<T> {
        let entry = self.queue.pop_front()?;
        if self.queue.is_empty() && self.queue.capacity() > KEPT {
            self.queue = VecDeque::new();
        }
        if entry.awaited {
            self.offers -= 1;
            self.sent += 1;
            self.taken |= mask_of(entry.serial).get();
        }
        self.received += 1;
        self.disembark(&entry.item, home);
        Some(entry.item)
    }

    /// Takes a message back, which then was never sent; `None` when it was taken.
    pub(crate) fn withdraw(&mut self, serial: u64, home: &Core<T>) -> Option<T> {
        let index = self.position(serial)?;
        let entry = self.queue.remove(index)?;
        if entry.awaited {
            self.offers -= 1;
        } else {
            self.sent -= 1;
        }
        self.disembark(&entry.item, home);
        Some(entry.item)
    }

    pub(crate) fn is_taken(&self, serial: u64) -> bool {
        self.position(serial).is_none()
    }

    fn position(&self, serial: u64) -> Option<usize> {
        self.queue.binary_search_by_key(&serial, |entry| entry.serial).ok()
    }

    fn disembark(&mut self, item: &T, home: &Core<T>) {
        for gate in item.receivers_of(home) {
            if gate.disembark() {
                self.aboard -= 1;
            }
        }
    }
}
