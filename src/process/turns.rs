//! Requests of another process that wait in a channel here: for a message, or for room.
//!
//! The server's thread tries at once. Where that must wait, the turn is left with the channel as a waker, and whoever's call makes it
//! possible to go on does what the request asked for, on its own thread.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::here::{Here, here};
use super::lookout::catch_up;
use super::peer::Peer;
use super::put::Put;
use super::talk::{Delivery, Forwarded};
use super::wire::{Packet, Verdict};
use crate::channel::{Absence, CallKey, Lent, Message, Refusal, SendError, Unreceived, Waker};
use crate::{Receiver, Sender};

/// A request that waits.
#[derive(Clone, Debug)]
pub(super) enum Turn {
    Want(Arc<Want>),
    Put(Arc<Put>),
    /// To send a message of which parts are still missing.
    Arriving,
}

impl Turn {
    /// Receives for the other side.
    pub(super) fn want(here: &'static Here, peer: &Arc<Peer>, request: u64, receiver: Arc<Receiver>, wish: Wish) {
        let want = Arc::new_cyclic(|me| Want { me: me.clone(), peer: peer.clone(), receiver, request, wish, key: Mutex::new(None) });
        if !wish.waits {
            // Others may have sent before that was asked, and not been read yet.
            let lent = want.lend_now().or_else(|absence| match absence {
                Absence::Empty => {
                    catch_up();
                    want.lend_now()
                }
                absence => Err(absence),
            });
            match lent {
                Ok(lent) => want.deliver(here, lent),
                Err(absence) => refuse_want(peer, request, &absence),
            }
        } else if peer.takes_turn(request, Turn::Want(want.clone())) {
            want.wake();
        }
    }

    /// Notes that a request to send will come to `put` later, so that it can be called off until then.
    pub(super) fn arriving(peer: &Peer, request: u64) {
        let _ = peer.takes_turn(request, Turn::Arriving);
    }

    /// Sends for the other side. `late` says that `arriving` was told of it.
    pub(super) fn put(peer: &Arc<Peer>, request: u64, sender: Arc<Sender>, waits: bool, late: bool, message: Result<Message, String>) {
        // Whoever ends a turn answers it.
        let ends = || !late || peer.ends_turn(request);
        let message = match message {
            Ok(message) => message,
            Err(why) if ends() => return peer.post(&Packet::Answer { request, verdict: Verdict::OwnerGone, text: &why }),
            Err(_) => return,
        };
        if !waits {
            if !ends() {
                return;
            }
            return match sender.try_send(message) {
                Ok(()) => done(peer, request, &sender),
                Err(SendError::Full { .. }) => peer.say(request, Verdict::Full),
                Err(SendError::Broken { .. }) => peer.say(request, Verdict::Broken),
                Err(_) => peer.say(request, Verdict::Closed),
            };
        }
        let put = Put::new(peer, request, sender, message);
        let turn = Turn::Put(put.clone());
        let begins = if late { peer.goes_on(request, turn) } else { peer.takes_turn(request, turn) };
        if begins {
            put.wake();
        }
    }

    /// Nobody waits for the answer any more. Of what is left undone nobody is told.
    pub(super) fn abandon(self) {
        match self {
            Turn::Arriving => {}
            Turn::Want(want) => want.forget(),
            Turn::Put(put) => drop(put.call_off()),
        }
    }
}

impl Peer {
    /// The request is not wanted any more. It is answered in any case: whoever sends must know for certain whether something was sent.
    pub(super) fn call_off_turn(&self, request: u64) {
        let mut talk = self.talk();
        let put = match talk.turns.get(&request) {
            Some(Turn::Put(put)) => put.clone(),
            // It was answered before.
            None => return,
            Some(_) => {
                let turn = talk.turns.remove(&request);
                drop(talk);
                turn.into_iter().for_each(Turn::abandon);
                return self.say(request, Verdict::Full);
            }
        };
        drop(talk);
        if let Some(verdict) = put.call_off() {
            put.answer(verdict);
        }
    }

    /// Whether the request may wait: not when the conversation is over.
    fn takes_turn(&self, request: u64, turn: Turn) -> bool {
        let mut talk = self.talk();
        if talk.gone.is_some() {
            return false;
        }
        let old = talk.turns.insert(request, turn);
        drop(talk);
        drop(old);
        true
    }

    /// As `takes_turn`, in the place of one that must be there still.
    fn goes_on(&self, request: u64, turn: Turn) -> bool {
        let mut talk = self.talk();
        let Some(before) = talk.turns.get_mut(&request) else { return false };
        let before = std::mem::replace(before, turn);
        drop(talk);
        drop(before);
        true
    }

    fn has_turn(&self, request: u64) -> bool {
        self.talk().turns.contains_key(&request)
    }

    /// Answers a request with nothing but that.
    pub(super) fn say(&self, request: u64, verdict: Verdict) {
        self.post(&Packet::Answer { request, verdict, text: "" });
    }

    /// Ends a turn. Whether it was still waited for.
    pub(super) fn ends_turn(&self, request: u64) -> bool {
        let turn = self.talk().turns.remove(&request);
        turn.is_some()
    }
}

/// What a request for a message says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) end: u64,
    pub(super) waits: bool,
    /// How many messages more may lie ready.
    pub(super) more: u32,
}

/// A request for a message.
#[derive(Debug)]
pub(super) struct Want {
    me: Weak<Want>,
    peer: Arc<Peer>,
    receiver: Arc<Receiver>,
    request: u64,
    wish: Wish,
    /// By which the channel knows the waker.
    key: Mutex<Option<CallKey>>,
}

impl Want {
    fn lend_now(&self) -> Result<Lent, Absence> {
        // A waker that nobody calls: the call is given up at once.
        let waker = self.me.upgrade().ok_or(Absence::Closed)?;
        self.receiver.lend_or_call(waker).map_err(|unreceived| match unreceived {
            Unreceived::Pending(key) => {
                self.receiver.forget_call(key);
                Absence::Empty
            }
            Unreceived::Absent(absence) => absence,
        })
    }

    /// The message goes to the other side, and stays here until that has it. Others may lie ready then.
    fn deliver(&self, here: &'static Here, lent: Lent) {
        let Want { peer, request, .. } = self;
        let (request, delivery) = (*request, peer.number());
        let shelf = if self.wish.more > 0 { peer.shelf(self.wish.end, &self.receiver) } else { None };
        let mut talk = peer.talk();
        if talk.gone.is_some() {
            // The lock goes before the message, which goes back.
            drop(talk);
            return;
        }
        let mut forwarded = Forwarded::default();
        match peer.pack(here, &mut talk, lent.message(), lent.arena(), &mut forwarded) {
            Ok(packed) => {
                talk.lent.insert(delivery, Delivery { lent, forwarded });
                drop(talk);
                let number = shelf.as_ref().map(|shelf| shelf.number());
                peer.post_quietly(&Packet::Deliver { request, delivery, shelf: number, body: packed.body() }, None);
                if let Some(shelf) = shelf {
                    shelf.fill(here, self.wish.more);
                }
                peer.ring_and_catch_up();
                // That it was taken is written without ringing.
                here.look_soon();
            }
            Err(error) => {
                drop(talk);
                drop(lent);
                forwarded.forget();
                peer.post(&Packet::Answer { request, verdict: Verdict::Bad, text: &error.to_string() });
            }
        }
    }

    /// Gives up the call that waits in the channel.
    fn forget(&self) {
        let key = self.key.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(key) = key {
            self.receiver.forget_call(key);
        }
    }
}

impl Waker for Want {
    fn wake(&self) {
        let Some(me) = self.me.upgrade().filter(|_| self.peer.has_turn(self.request)) else {
            // What woke it is for somebody else.
            return self.receiver.nudge();
        };
        match self.receiver.lend_or_call(me) {
            // What is not delivered goes back by itself.
            Ok(lent) => {
                if let (true, Ok(here)) = (self.peer.ends_turn(self.request), here()) {
                    self.deliver(here, lent);
                }
            }
            Err(Unreceived::Pending(key)) => {
                *self.key.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
                // It may have been called off meanwhile, by one who found no key.
                if !self.peer.has_turn(self.request) {
                    self.receiver.forget_call(key);
                }
            }
            Err(Unreceived::Absent(absence)) => {
                if self.peer.ends_turn(self.request) {
                    refuse_want(&self.peer, self.request, &absence);
                }
            }
        }
    }
}

/// That all receivers of a channel are gone, of which a sender in the other process will hear.
#[derive(Debug)]
pub(super) struct Loss {
    peer: Arc<Peer>,
    end: u64,
}

impl Loss {
    pub(super) fn watch(peer: &Arc<Peer>, end: u64, sender: &Sender) {
        sender.watch(Arc::new(Loss { peer: peer.clone(), end }));
    }
}

impl Waker for Loss {
    fn wake(&self) {
        // Not of an end that was closed.
        if self.peer.hosted(self.end).is_some() {
            self.peer.post(&Packet::Lost { end: self.end });
        }
    }
}

/// Whoever sends may send more in one go, before it is told that it has sent this.
pub(super) fn done(peer: &Peer, request: u64, sender: &Sender) {
    sender.top_up();
    peer.say(request, Verdict::Done);
}

fn refuse_want(peer: &Peer, request: u64, absence: &Absence) {
    let verdict = match absence {
        Absence::Ended => Verdict::Ended,
        Absence::Empty => Verdict::Empty,
        _ => Verdict::Closed,
    };
    peer.say(request, verdict);
}

pub(super) fn verdict_of(why: &Refusal) -> Verdict {
    match why {
        Refusal::Broken => Verdict::Broken,
        Refusal::Full => Verdict::Full,
        _ => Verdict::Closed,
    }
}
