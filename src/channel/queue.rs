//! The channel itself, for messages of any type: a queue behind a lock, and two places to wait.
//!
//! ```text
//! send -> [ lock: closed? broken? room? -> push ] -> wake a receiver
//!              full: wait at `drained`
//! recv -> [ lock: closed? message? ended? -> pop ] -> wake a sender
//!              empty: wait at `filled`
//! ```
//!
//! A thread whose wait has ended, for whatever reason, looks once more: what is there for it is taken, and only then the reason
//! counts. So a message never depends on a thread that gives up at that moment.

use std::collections::VecDeque;

use crossbeam_utils::CachePadded;

use super::calls::answer;
use super::futex::{ALL, Mask};
use super::gate::{Cargo, Gate, Side};
use super::lock::{Mutex, MutexGuard, take};
use super::outlook::catch_up;
use super::refusal::{Absence, Refusal, Refused};
use super::state::{Admission, State, Wake, mask_of};
use super::wait::{Event, Outcome, Patience, Wait};
use crate::sync::Ordering;
use crate::sync::of_process::AtomicU32;

/// What a channel holds at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelStatistics {
    /// How many messages may wait; `None` is without a limit, `Some(0)` is a rendezvous.
    pub capacity: Option<usize>,
    /// Messages sent and not yet received.
    pub queued: usize,
    /// Open sending ends.
    pub senders: usize,
    /// Open receiving ends, also those that travel in messages.
    pub receivers: usize,
    /// Sends that wait: blocked threads, here and in other processes.
    pub waiting_senders: usize,
    /// Receives that wait: blocked threads, here and in other processes.
    pub waiting_receivers: usize,
    /// Messages ever sent.
    pub sent: u64,
    /// Messages ever received.
    pub received: u64,
}

impl ChannelStatistics {
    /// What is known of a channel out of reach.
    pub(crate) fn unknown(capacity: Option<usize>) -> ChannelStatistics {
        ChannelStatistics { capacity, queued: 0, senders: 0, receivers: 0, waiting_senders: 0, waiting_receivers: 0, sent: 0, received: 0 }
    }
}

/// A channel of `T`.
#[derive(Debug)]
pub(crate) struct Core<T> {
    capacity: Option<usize>,
    state: Mutex<State<T>>,
    /// How many threads look for news now: a hint, on which nothing depends but time.
    looking: CachePadded<AtomicU32>,
    /// Receivers wait here. Padded: a thread that spins on it must not slow those who take the lock.
    filled: CachePadded<Event>,
    /// Senders wait here: for a place, or until their offer is taken.
    drained: CachePadded<Event>,
}

impl<T> Core<T> {
    /// A channel without ends.
    pub(crate) fn new(capacity: Option<usize>) -> Core<T> {
        Core {
            capacity,
            state: Mutex::new(State::new(capacity)),
            looking: CachePadded::default(),
            filled: CachePadded::default(),
            drained: CachePadded::default(),
        }
    }

    pub(crate) fn capacity(&self) -> Option<usize> {
        self.capacity
    }

    pub(crate) fn statistics(&self) -> ChannelStatistics {
        let mut state = self.caught_up(self.lock());
        if state.shelves.messages() > 0 {
            state = self.look_over_shelves(state);
        }
        let (waiting_senders, waiting_receivers) = state.waiting();
        ChannelStatistics {
            capacity: self.capacity,
            queued: state.queued(),
            senders: state.senders,
            receivers: state.receivers,
            waiting_senders,
            waiting_receivers,
            sent: state.sent,
            received: state.received - state.shelves.messages() as u64,
        }
    }

    /// A new end.
    pub(crate) fn open(&self, side: Side) -> Gate {
        self.lock().open(side, false)
    }

    /// Another end like `gate`: closed if that is.
    pub(crate) fn open_like(&self, side: Side, gate: &Gate) -> Gate {
        self.lock().open(side, gate.is_closed())
    }

    /// Closes an end; closing twice is fine. Returns what nobody can receive any more.
    #[must_use = "these messages may hold the last reference to much: drop them with `disposal`"]
    pub(crate) fn close(&self, side: Side, gate: &Gate) -> VecDeque<T> {
        let mut state = self.lock();
        let abandoned = state.close(side, gate);
        let allowance = state.credits.close(gate);
        self.release(state);
        drop(allowance);
        abandoned
    }

    /// An end is given to another process. Who waits already goes on as it does.
    pub(crate) fn go_abroad(&self) {
        self.lock().is_abroad = true;
    }

    /// Has every waiter look at its `cancelled` flag again.
    pub(crate) fn wake_everyone(&self) {
        let mut state = self.lock();
        state.sending.stir();
        state.receiving.stir();
        self.release(state);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<T>> {
        take(&self.state, || self.looking.load(Ordering::Relaxed) > 0)
    }

    /// With all in it that was sent by now in other processes.
    fn caught_up<'s>(&'s self, state: MutexGuard<'s, State<T>>) -> MutexGuard<'s, State<T>> {
        if !state.is_sent_to_from_afar() {
            return state;
        }
        self.release(state);
        catch_up();
        self.lock()
    }

    /// Ends a critical section: whoever can go on now is woken, after the lock is released.
    pub(super) fn release(&self, state: MutexGuard<'_, State<T>>) {
        self.wake(self.settle(state));
    }

    /// Ends a critical section, and leaves it to the caller to wake whoever can go on. Inlined, as `wake`: a call each would be a tenth of the
    /// instructions that a message takes.
    #[inline(always)]
    pub(super) fn settle(&self, mut state: MutexGuard<'_, State<T>>) -> Wake {
        state.settle()
    }

    #[inline(always)]
    pub(super) fn wake(&self, wake: Wake) {
        if wake.receivers.any {
            self.filled.notify(wake.receivers.sleepers, ALL);
        }
        if wake.senders.any {
            self.drained.notify(wake.senders.sleepers, wake.mask);
        }
        answer(wake.calls);
    }
}

impl<T: Cargo> Core<T> {
    /// Sends without blocking. Gives the number by which the message can be withdrawn.
    pub(crate) fn try_send(&self, gate: &Gate, item: T) -> Result<u64, Refused<T>> {
        let mut state = self.lock();
        let mut sent = self.put(&mut state, gate, item);
        if state.shelves.messages() > 0 {
            (state, sent) = self.put_after_look(state, gate, sent);
        }
        self.release(state);
        sent
    }

    /// Receives without blocking.
    pub(crate) fn try_recv(&self, gate: &Gate) -> Result<T, Absence> {
        let mut state = self.lock();
        let mut received = self.take(&mut state, gate, State::pop);
        if received.is_err() && state.has_more_elsewhere() {
            (state, received) = self.take_from_shelves(self.caught_up(state), gate, State::pop);
        }
        self.release(state);
        received
    }

    /// Takes a message back; `None` when somebody has received it, or when it is an offer, which is its sender's.
    pub(crate) fn withdraw(&self, serial: u64) -> Option<T> {
        let mut state = self.lock_with(serial);
        let back = state.withdraw(serial, self);
        self.release(state);
        back
    }

    /// Whether nobody has received that message yet.
    pub(crate) fn holds(&self, serial: u64) -> bool {
        !self.lock_with(serial).is_taken(serial)
    }

    /// With that message in the queue, unless somebody has it.
    fn lock_with(&self, serial: u64) -> MutexGuard<'_, State<T>> {
        let mut state = self.lock();
        // It may have been put on a shelf again before the lock was.
        while state.is_taken(serial) && state.shelves.messages() > 0 {
            state = self.recall_shelves(state, None);
        }
        state
    }

    /// Sends, waiting for a place or, in a rendezvous, for a receiver. Gives the message's number.
    pub(crate) fn send(&self, gate: &Gate, mut item: T, patience: &Patience<'_>) -> Result<u64, Refused<T>> {
        let mut wait = patience.begin();
        let mut outcome = Outcome::Ready;
        let mut state = self.lock();
        loop {
            let mut sent = self.put(&mut state, gate, item);
            if state.shelves.messages() > 0 {
                (state, sent) = self.put_after_look(state, gate, sent);
            }
            match sent {
                Err(Refused { item: back, why: Refusal::Full }) => item = back,
                done => {
                    self.release(state);
                    return done;
                }
            }
            if let Some(why) = Refusal::of(outcome) {
                self.release(state);
                return Err(Refused { item, why });
            }
            if self.capacity == Some(0) {
                return self.offer(state, gate, item, &mut wait);
            }
            (state, outcome) = self.wait(state, Side::Sending, ALL, &mut wait);
        }
    }

    /// Receives, waiting for a message.
    pub(crate) fn recv(&self, gate: &Gate, patience: &Patience<'_>) -> Result<T, Absence> {
        let mut wait = patience.begin();
        let mut outcome = Outcome::Ready;
        let mut state = self.lock();
        loop {
            let mut received = self.take(&mut state, gate, State::pop);
            if received.is_err() && state.shelves.messages() > 0 {
                (state, received) = self.take_from_shelves(state, gate, State::pop);
            }
            let received = match received {
                Err(Absence::Empty) => match Absence::of(outcome) {
                    Some(why) => Err(why),
                    None => {
                        (state, outcome) = self.wait(state, Side::Receiving, ALL, &mut wait);
                        continue;
                    }
                },
                done => done,
            };
            self.release(state);
            return received;
        }
    }

    /// Waits for news of that side, once: looks for it, or sleeps.
    fn wait<'s>(
        &'s self,
        mut state: MutexGuard<'s, State<T>>,
        side: Side,
        mask: Mask,
        wait: &mut Wait<'_>,
    ) -> (MutexGuard<'s, State<T>>, Outcome) {
        let event = match side {
            Side::Sending => &self.drained,
            Side::Receiving => &self.filled,
        };
        let budget = if state.waiters(side).may_look() { event.budget(wait) } else { None };
        state.waiters(side).enter(budget.is_some());
        let key = event.key();
        wait.attend(state.is_abroad);
        self.release(state);
        let outcome = match budget {
            Some(budget) => {
                self.looking.fetch_add(1, Ordering::Relaxed);
                let outcome = event.watch(key, budget, wait);
                self.looking.fetch_sub(1, Ordering::Relaxed);
                outcome
            }
            None => event.sleep(key, mask, wait),
        };
        let mut state = self.lock();
        state.waiters(side).leave(budget.is_some());
        (state, outcome)
    }

    /// Leaves the message in the queue until it is taken, or takes it back.
    fn offer<'s>(&'s self, mut state: MutexGuard<'s, State<T>>, gate: &Gate, item: T, wait: &mut Wait<'_>) -> Result<u64, Refused<T>> {
        let serial = state.push(item, true, self);
        loop {
            let outcome;
            (state, outcome) = self.wait(state, Side::Sending, mask_of(serial), wait);
            let why = match Refusal::of(outcome) {
                _ if gate.is_closed() => Some(Refusal::Closed),
                _ if state.is_broken() => Some(Refusal::Broken),
                why => why,
            };
            if why.is_none() && state.is_offered(serial) {
                continue;
            }
            // A message that was taken was sent, whatever else has happened since.
            let (back, _) = state.withdraw_offer(serial, self);
            self.release(state);
            return back.zip(why).map_or(Ok(serial), |(item, why)| Err(Refused { item, why }));
        }
    }

    pub(super) fn put(&self, state: &mut State<T>, gate: &Gate, item: T) -> Result<u64, Refused<T>> {
        let admission = state.admit(gate, &item, self);
        self.enter(state, admission, item)
    }

    /// Once more, into room that was made on shelves. Apart from `put`, as is `take_from_shelves` from `take`: one function for both would move
    /// what it returns once more, a tenth of the instructions that a message takes.
    #[cold]
    pub(super) fn put_after_look<'s>(
        &'s self,
        mut state: MutexGuard<'s, State<T>>,
        gate: &Gate,
        mut sent: Result<u64, Refused<T>>,
    ) -> (MutexGuard<'s, State<T>>, Result<u64, Refused<T>>) {
        if let Err(Refused { item, why: Refusal::Full }) = sent {
            state = self.look_over_shelves(state);
            sent = self.put(&mut state, gate, item);
        }
        (state, sent)
    }

    /// Queues the message if it may enter.
    pub(super) fn enter(&self, state: &mut State<T>, admission: Admission, item: T) -> Result<u64, Refused<T>> {
        let why = match admission {
            Admission::Room => return Ok(state.push(item, false, self)),
            Admission::Full => Refusal::Full,
            Admission::Closed => Refusal::Closed,
            Admission::Broken => Refusal::Broken,
        };
        Err(Refused { item, why })
    }

    /// Takes a message off the queue in one way or another, unless this end has some on its shelf. Where there is none, others may have.
    pub(super) fn take(
        &self,
        state: &mut State<T>,
        gate: &Gate,
        pop: impl FnOnce(&mut State<T>, &Core<T>) -> Option<T>,
    ) -> Result<T, Absence> {
        if gate.is_closed() {
            return Err(Absence::Closed);
        }
        if state.shelves.has_for(gate) {
            return Err(Absence::Empty);
        }
        pop(state, self).ok_or(if state.is_ended() { Absence::Ended } else { Absence::Empty })
    }

    /// As `take`, also what lies on a shelf. Where it finds none, there is none on a shelf either.
    #[cold]
    pub(super) fn take_from_shelves<'s>(
        &'s self,
        mut state: MutexGuard<'s, State<T>>,
        gate: &Gate,
        pop: impl Fn(&mut State<T>, &Core<T>) -> Option<T>,
    ) -> (MutexGuard<'s, State<T>>, Result<T, Absence>) {
        loop {
            match self.take(&mut state, gate, &pop) {
                Err(Absence::Empty) if state.shelves.messages() > 0 => state = self.recall_shelves(state, Some(gate)),
                done => return (state, done),
            }
        }
    }
}
