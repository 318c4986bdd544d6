//! What a channel's lock guards: the queue, who may use it, and who waits for it. Nothing here blocks.
//!
//! Waking exactly as many as are needed is a matter of counting. For each side the state knows who waits, and how many of them have been
//! told to look: a wake-up is promised to a thread, a turn was given to a call. Whatever a critical section does, it ends with
//! [`State::settle`], which restores
//!
//! ```text
//! promised + turns >= min(ready, waiting threads + calls in line + turns, a few)
//! ```
//!
//! where `ready` says how many could go on: receivers, one for each message; senders, one for each free place; all of them once
//! there is nothing more to wait for, and then not only a few. A woken thread gives its promise back under the lock before it looks at the queue, and a call its turn.
//! So one that gives up, or finds its message taken by somebody quicker, leaves the sums right, and the next `settle` wakes another.
//! A turn on record belongs to a call that will still look, pass it on, or be dismissed with its end.
//!
//! A message can be *lent*: it has left the queue and may come back, if whoever took it cannot deliver it. The channel has not ended
//! before that is known.

mod admission;
mod loans;

use std::collections::VecDeque;
use std::sync::Arc;

pub(super) use self::admission::Admission;
use super::credit::Credits;
use super::futex::{ALL, Mask};
use super::gate::{Cargo, Gate, Side};
use super::queue::Core;
use super::shelf::Shelves;
use super::waiters::{Line, Rouse, Waiters, Waker};

/// A queue that has run empty keeps room for so many messages; more is given back.
const KEPT: usize = 1024;

/// A message in the queue.
#[derive(Debug)]
struct Entry<T> {
    item: T,
    /// Increases along the queue.
    serial: u64,
    /// Its sender waits until it is taken, a rendezvous: a thread, or a call among `State::offered`.
    awaited: bool,
}

/// Whom to wake once the lock is released.
#[derive(Debug)]
pub(crate) struct Wake {
    pub(crate) receivers: Rouse,
    pub(crate) senders: Rouse,
    /// The senders meant.
    pub(crate) mask: Mask,
    pub(crate) calls: Vec<Arc<dyn Waker>>,
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
    /// Ends ever opened.
    ends: u64,
    pub(super) sending: Waiters,
    pub(super) receiving: Waiters,
    /// The senders without a thread whose offers lie in the queue, by the serial numbers of these.
    offered: Line,
    /// Those on the sending side who want to hear that nobody is left to receive.
    watching: Line,
    /// Threads whose offers were taken since the last `settle`.
    taken: u32,
    /// Calls that have their answer since the last `settle`: their offers were taken, or their ends closed.
    answered: Vec<Arc<dyn Waker>>,
    /// Messages that have left the queue and may come back.
    lent: usize,
    pub(super) credits: Credits,
    pub(super) shelves: Shelves,
    /// Ends were given to other processes, so that news may come from there.
    pub(crate) is_abroad: bool,
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
            ends: 0,
            sending: Waiters::default(),
            receiving: Waiters::default(),
            offered: Line::default(),
            watching: Line::default(),
            taken: 0,
            answered: Vec::new(),
            lent: 0,
            credits: Credits::default(),
            shelves: Shelves::default(),
            is_abroad: false,
            serial: 0,
            sent: 0,
            received: 0,
        }
    }

    /// Messages sent and not received; offers are not sent yet.
    pub(crate) fn queued(&self) -> usize {
        self.queue.len() - self.offers + self.shelves.messages()
    }

    pub(crate) fn waiting(&self) -> (usize, usize) {
        (self.sending.count() + self.offered.len(), self.receiving.count())
    }

    /// Nobody will ever receive.
    pub(crate) fn is_broken(&self) -> bool {
        self.receivers == self.aboard
    }

    /// No message will ever come.
    pub(crate) fn is_ended(&self) -> bool {
        self.senders == 0 && self.queue.is_empty() && self.lent == 0 && self.shelves.messages() == 0
    }

    pub(crate) fn open(&mut self, side: Side, closed: bool) -> Gate {
        if !closed {
            *self.ends(side) += 1;
        }
        self.ends += 1;
        Gate::new(self.ends, closed)
    }

    /// Closes one end and gives what nobody can receive any more, to be dropped outside the lock.
    pub(crate) fn close(&mut self, side: Side, gate: &Gate) -> VecDeque<T> {
        if !gate.close() {
            return VecDeque::new();
        }
        *self.ends(side) -= 1;
        self.waiters(side).stir();
        let dismissed = self.waiters(side).dismiss(gate);
        self.answered.extend(dismissed);
        if side == Side::Sending {
            self.answered.extend(self.offered.dismiss(gate));
            self.answered.extend(self.watching.dismiss(gate));
        }
        if gate.disembark() {
            self.aboard -= 1;
        }
        if side == Side::Receiving { self.abandon_if_broken() } else { VecDeque::new() }
    }

    fn ends(&mut self, side: Side) -> &mut usize {
        match side {
            Side::Sending => &mut self.senders,
            Side::Receiving => &mut self.receivers,
        }
    }

    pub(super) fn waiters(&mut self, side: Side) -> &mut Waiters {
        match side {
            Side::Sending => &mut self.sending,
            Side::Receiving => &mut self.receiving,
        }
    }

    /// Has `waker` called when nobody is left to receive, or this end is closed.
    pub(crate) fn watch(&mut self, gate: &Gate, waker: Arc<dyn Waker>) {
        let key = self.sending.key();
        self.watching.push(key, gate, waker);
    }

    /// Whether messages may be under way that were sent elsewhere and that nobody has read here.
    pub(crate) fn is_sent_to_from_afar(&self) -> bool {
        self.watching.len() > 0
    }

    /// Whether somebody who finds the queue empty should look elsewhere, too.
    pub(crate) fn has_more_elsewhere(&self) -> bool {
        self.shelves.messages() > 0 || self.is_sent_to_from_afar()
    }

    /// Once nobody will receive, takes out everything except offers, which belong to their senders.
    fn abandon_if_broken(&mut self) -> VecDeque<T> {
        if !self.is_broken() {
            return VecDeque::new();
        }
        let (offers, sent): (VecDeque<_>, VecDeque<_>) = self.queue.drain(..).partition(|entry| entry.awaited);
        self.queue = offers;
        sent.into_iter().map(|entry| entry.item).collect()
    }

    /// To be called at the end of each critical section.
    #[inline(always)]
    pub(crate) fn settle(&mut self) -> Wake {
        let broken = self.is_broken();
        if broken {
            self.answered.extend(self.offered.drain());
            self.answered.extend(self.watching.drain());
        }
        let messages = if self.is_ended() { usize::MAX } else { self.queue.len() };
        let receivers = self.receiving.promise(messages, &mut self.answered);
        let everyone = broken || self.sending.is_stirred();
        let places = if broken { usize::MAX } else { self.room().unwrap_or(0) };
        let senders = self.sending.promise(places, &mut self.answered);
        let calls = std::mem::take(&mut self.answered);
        match Mask::new(std::mem::take(&mut self.taken)) {
            // Bits may be shared, so each sleeper under them looks whether its own offer was taken.
            Some(mask) if !everyone => Wake { receivers, senders: Rouse { any: true, sleepers: u32::MAX }, mask, calls },
            _ => Wake { receivers, senders, mask: ALL, calls },
        }
    }
}

/// The bit under which the sender of an offer sleeps.
pub(crate) fn mask_of(serial: u64) -> Mask {
    Mask::new(1 << (serial % u64::from(u32::BITS))).unwrap_or(ALL)
}

impl<T: Cargo> State<T> {
    /// Queues the message and gives its serial number.
    pub(crate) fn push(&mut self, mut item: T, awaited: bool, home: &Core<T>) -> u64 {
        self.embark(&item, home);
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
            match self.offered.remove(entry.serial) {
                Some(waker) => self.answered.push(waker),
                None => self.taken |= mask_of(entry.serial).get(),
            }
        }
        self.received += 1;
        self.disembark(&entry.item, home);
        Some(entry.item)
    }

    /// Notes who waits until the offer of that number is taken.
    pub(crate) fn await_offer(&mut self, serial: u64, gate: &Gate, waker: Arc<dyn Waker>) {
        self.offered.push(serial, gate, waker);
    }

    /// Takes an offer back; `None` when it was taken. With it comes its waker, unless that was called.
    pub(crate) fn withdraw_offer(&mut self, serial: u64, home: &Core<T>) -> (Option<T>, Option<Arc<dyn Waker>>) {
        (self.remove(serial, true, home), self.offered.remove(serial))
    }

    /// Takes a message back, which then was never sent; `None` when it was taken, or is an offer and so its sender's.
    pub(crate) fn withdraw(&mut self, serial: u64, home: &Core<T>) -> Option<T> {
        self.remove(serial, false, home)
    }

    fn remove(&mut self, serial: u64, awaited: bool, home: &Core<T>) -> Option<T> {
        let index = self.position(serial).filter(|&index| self.queue[index].awaited == awaited)?;
        let entry = self.queue.remove(index)?;
        if awaited {
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

    /// Whether that offer was never taken. One that was may lie in the queue all the same, when it was lent and came back.
    pub(crate) fn is_offered(&self, serial: u64) -> bool {
        self.position(serial).is_some_and(|index| self.queue[index].awaited)
    }

    fn position(&self, serial: u64) -> Option<usize> {
        self.queue.binary_search_by_key(&serial, |entry| entry.serial).ok()
    }

    /// Open receiving ends of this channel in this item are out of reach from now on.
    fn embark(&mut self, item: &T, home: &Core<T>) {
        for gate in item.receivers_of(home).filter(|gate| !gate.is_closed()) {
            gate.embark();
            self.aboard += 1;
        }
    }

    fn disembark(&mut self, item: &T, home: &Core<T>) {
        for gate in item.receivers_of(home) {
            if gate.disembark() {
                self.aboard -= 1;
            }
        }
    }
}
