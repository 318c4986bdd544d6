//! Sends and receives that wait without a thread, for a server that works for ends in other processes.
//!
//! ```text
//! lend_or_call -> a message, lent --> delivered                   the peer has it
//!                                 '-> take_back, or dropped       the next receiver gets it, in its old place
//!              -> Pending ~~> woken: try again
//! send_or_call -> sent
//!              -> NoRoom  ~~> woken: try again
//!              -> Offered ~~> woken: withdraw_offer says whether it was taken
//! watch        ~~> woken: nobody is left to receive
//! send_on_credit                              sent before, by another process, into room that it was granted
//! ```
//!
//! Each waker is called once, when it is that call's turn, when no turn can come any more, or when its end is closed. Who was woken tries
//! again, and waits again if somebody was quicker. A call that is not wanted any more is given up with `forget_call`, woken or not, which
//! passes its turn on; closing the end does the same for all of its calls. A turn which is neither used nor passed on may leave others asleep
//! beside a message.
//!
//! All this is for ends of this process: on others it fails as on inherited ones.
//!
//! When the peer dies: offers are withdrawn, lent messages taken back, the ends dropped, in any order except that withdrawing takes
//! an open or closed end of the channel.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

use super::credit::Allowance;
use super::disposal::{self, dispose};
use super::endpoint::Channel;
use super::gate::{Cargo, Gate, Side};
use super::message::Message;
use super::pile::{self, Pile, work_off};
use super::queue::Core;
use super::receiver::Receiver;
use super::refusal::{Absence, Refusal, Refused};
use super::sender::Sender;
use super::state::State;
use super::waiters::{CallKey, Waker};
use crate::Arena;

/// Why a receive that does not block gave nothing.
#[derive(Debug)]
pub(crate) enum Unreceived {
    /// The waker will be called.
    Pending(CallKey),
    /// Nothing will come.
    Absent(Absence),
}

/// Why a message is not sent by a send that does not block.
#[derive(Debug)]
pub(crate) enum Unsent<T> {
    /// The waker will be called when there may be room. The message comes back.
    NoRoom(CallKey, T),
    /// In a rendezvous: the message lies in the queue under this number, and the waker will be called when it was taken. It stays there
    /// until it is taken or withdrawn.
    Offered(u64),
    /// It never will be.
    Refused(Refused<T>),
}

thread_local! {
    static PILE: Pile<Arc<dyn Waker>> = const { RefCell::new(None) };
}

/// Calls wakers, outside any lock. One that takes a message brings about more calls; these are made by the same loop.
pub(super) fn answer(wakers: Vec<Arc<dyn Waker>>) {
    if cfg!(loom) {
        // A model's threads all run on one, and would do each other's work.
        wakers.into_iter().for_each(|waker| waker.wake());
    } else {
        work_off(&PILE, wakers, |waker| waker.wake());
    }
}

/// Does work all of whose consequences are over when this returns, also where it is done by a waker.
pub(crate) fn to_the_end<R>(work: impl FnOnce() -> R) -> R {
    disposal::apart(|| pile::apart(&PILE, work))
}

impl<T: Cargo> Core<T> {
    /// Takes a message, for `delivered` or `take_back` to be called in the end; or has `waker` called when there may be one.
    pub(crate) fn lend_or_call(&self, gate: &Gate, waker: Arc<dyn Waker>) -> Result<T, Unreceived> {
        let mut state = self.lock();
        state.receiving.give_back(gate);
        let mut lent = self.take(&mut state, gate, State::lend);
        if lent.is_err() && state.shelves.messages() > 0 {
            (state, lent) = self.take_from_shelves(state, gate, State::lend);
        }
        let lent = lent.map_err(|absence| match absence {
            Absence::Empty => Unreceived::Pending(state.receiving.call(gate, waker)),
            absence => Unreceived::Absent(absence),
        });
        self.release(state);
        lent
    }

    /// A lent message is where it belongs.
    pub(crate) fn delivered(&self) {
        let mut state = self.lock();
        state.delivered();
        self.release(state);
    }

    /// A lent message could not be delivered: it takes its place in the queue again. Gives what nobody can receive any more.
    #[must_use = "these messages may hold the last reference to much: drop them with `disposal`"]
    pub(crate) fn take_back(&self, serial: u64, item: T) -> VecDeque<T> {
        let mut state = self.lock();
        let abandoned = state.take_back(serial, item, self);
        self.release(state);
        abandoned
    }

    /// Sends and gives the message's number; or has `waker` called when there may be room or, in a rendezvous, when the message was taken.
    pub(crate) fn send_or_call(&self, gate: &Gate, item: T, waker: Arc<dyn Waker>) -> Result<u64, Unsent<T>> {
        let mut state = self.lock();
        state.sending.give_back(gate);
        let mut sent = self.put(&mut state, gate, item);
        if state.shelves.messages() > 0 {
            (state, sent) = self.put_after_look(state, gate, sent);
        }
        let sent = sent.map_err(|refused| match refused {
            Refused { item, why: Refusal::Full } if self.capacity() == Some(0) => {
                let serial = state.push(item, true, self);
                state.await_offer(serial, gate, waker);
                Unsent::Offered(serial)
            }
            Refused { item, why: Refusal::Full } => Unsent::NoRoom(state.sending.call(gate, waker), item),
            refused => Unsent::Refused(refused),
        });
        self.release(state);
        sent
    }

    /// Queues a message that another process has sent on credit, and grants more. `Full` says that it had none.
    pub(crate) fn send_on_credit(&self, gate: &Gate, item: T) -> Result<u64, Refused<T>> {
        let mut state = self.lock();
        let admission = state.admit_on_credit(gate, &item, self);
        let sent = self.enter(&mut state, admission, item);
        state.top_up(gate);
        self.release(state);
        sent
    }

    /// Has `waker` called once nobody is left to receive; also when the end is closed.
    pub(crate) fn watch(&self, gate: &Gate, waker: Arc<dyn Waker>) {
        let mut state = self.lock();
        if gate.is_closed() {
            drop(state);
            return waker.wake();
        }
        state.watch(gate, waker);
        self.release(state);
    }

    /// Takes back an offer made by `send_or_call`, and its waker; `None` when somebody has received it.
    pub(crate) fn withdraw_offer(&self, serial: u64) -> Option<T> {
        let mut state = self.lock();
        let (back, waker) = state.withdraw_offer(serial, self);
        self.release(state);
        // Only now: it may hold the last reference to an end of this channel.
        drop(waker);
        back
    }
}

impl<T> Core<T> {
    /// This end may send on credit from now on.
    pub(crate) fn open_credit(&self, gate: &Gate, allowance: Arc<dyn Allowance>) {
        let mut state = self.lock();
        state.open_credit(gate, allowance);
        self.release(state);
    }

    /// Grants this end room ahead, if there is some for it.
    pub(crate) fn top_up(&self, gate: &Gate) {
        let mut state = self.lock();
        state.top_up(gate);
        self.release(state);
    }

    /// A call is given up. If it was woken already, its turn passes on.
    pub(crate) fn forget_call(&self, side: Side, gate: &Gate, key: CallKey) {
        let mut state = self.lock();
        let waker = state.waiters(side).forget(gate, key);
        self.release(state);
        // Only now: it may hold the last reference to an end of this channel.
        drop(waker);
    }

    /// One of this end's calls that were woken passes its turn on.
    pub(crate) fn nudge(&self, side: Side, gate: &Gate) {
        let mut state = self.lock();
        state.waiters(side).give_back(gate);
        self.release(state);
    }
}

/// A message on its way out of the process. Dropping it takes it back: the next receiver gets it, in its old place.
#[derive(Debug)]
pub(crate) struct Lent {
    channel: Arc<Channel>,
    message: Message,
    delivered: bool,
}

impl Lent {
    pub(crate) fn message(&self) -> &Message {
        &self.message
    }

    /// The arena that the channel was made with.
    pub(crate) fn arena(&self) -> Option<&Arena> {
        self.channel.arena.as_ref()
    }

    /// It has arrived, and cannot come back.
    pub(crate) fn delivered(mut self) -> Message {
        self.delivered = true;
        if let Some(core) = self.channel.core() {
            core.delivered();
        }
        std::mem::take(&mut self.message)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        match self.channel.core() {
            None => Channel::leave(&self.channel),
            Some(_) if self.delivered => {}
            Some(core) => dispose(core.take_back(self.message.serial(), std::mem::take(&mut self.message))),
        }
    }
}

impl Receiver {
    /// Takes a message as `try_recv` does; or, when there is none yet, has `waker` called when it should try again.
    pub(crate) fn lend_or_call(&self, waker: Arc<dyn Waker>) -> Result<Lent, Unreceived> {
        let (local, core) = self.0.hosted().ok_or(Unreceived::Absent(Absence::Inherited))?;
        let message = core.lend_or_call(&local.gate, waker)?;
        Ok(Lent { channel: Arc::clone(&local.channel), message, delivered: false })
    }
}

impl Sender {
    /// Sends as `try_send` does and gives the message's number; or, when it is full, has `waker` called: see [`Unsent`].
    #[allow(clippy::result_large_err, reason = "what was not sent is about as large as the message")]
    pub(crate) fn send_or_call(&self, message: Message, waker: Arc<dyn Waker>) -> Result<u64, Unsent<Message>> {
        match self.0.hosted() {
            Some((local, core)) => core.send_or_call(&local.gate, message, waker),
            None => Err(Unsent::Refused(Refused { item: message, why: Refusal::Inherited })),
        }
    }

    /// Its process may send on credit from now on, as much as the allowance says: see [`Allowance`].
    pub(crate) fn open_credit(&self, allowance: Arc<dyn Allowance>) {
        if let Some((local, core)) = self.0.hosted() {
            core.open_credit(&local.gate, allowance);
        }
    }

    /// Grants it room ahead, if there is some.
    pub(crate) fn top_up(&self) {
        if let Some((local, core)) = self.0.hosted() {
            core.top_up(&local.gate);
        }
    }

    /// Takes what its process has sent on credit. `Full` says that it had none.
    #[allow(clippy::result_large_err, reason = "what was not sent is about as large as the message")]
    pub(crate) fn send_on_credit(&self, message: Message) -> Result<u64, Refused<Message>> {
        match self.0.hosted() {
            Some((local, core)) => core.send_on_credit(&local.gate, message),
            None => Err(Refused { item: message, why: Refusal::Inherited }),
        }
    }

    /// Has `waker` called once nobody is left to receive; also when this end is closed.
    pub(crate) fn watch(&self, waker: Arc<dyn Waker>) {
        if let Some((local, core)) = self.0.hosted() {
            core.watch(&local.gate, waker);
        }
    }

    /// Takes back an offer; `None` when somebody has received it.
    pub(crate) fn withdraw_offer(&self, serial: u64) -> Option<Message> {
        self.0.hosted()?.1.withdraw_offer(serial)
    }
}
