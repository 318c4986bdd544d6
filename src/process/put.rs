//! A request of another process to send into a channel here, and to wait for room, or for a receiver.
//!
//! ```text
//! Message ──▶ Trying ──▶ answered
//!               │ ▲
//!               ▼ │ woken
//!          Room, Offer
//! ```
//! One thread at a time tries. Others may wake the request again, or call it off, before that thread has noted what it waits for: they leave
//! word, and it tries again, or answers that nothing was sent, unless it was. So the other side hears exactly once what has become of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::peer::Peer;
use super::turns::{done, verdict_of};
use super::wire::Verdict;
use crate::Sender;
use crate::channel::{CallKey, Message, Unsent, Waker};

/// A request to send that waits.
#[derive(Debug)]
pub(super) struct Put {
    me: Weak<Put>,
    peer: Arc<Peer>,
    sender: Arc<Sender>,
    request: u64,
    waiting: Mutex<Waiting>,
}

/// What a request to send waits for.
#[derive(Debug)]
pub(super) enum Waiting {
    /// To be tried.
    Message(Message),
    Room(CallKey, Message),
    /// That a receiver takes the message of that number, which lies in the queue.
    Offer(u64),
    /// For a thread that tries, and the word that others have left.
    Trying {
        again: bool,
        called_off: bool,
    },
    /// For nothing: it was called off.
    Over,
}

const TRYING: Waiting = Waiting::Trying { again: false, called_off: false };

impl Put {
    pub(super) fn new(peer: &Arc<Peer>, request: u64, sender: Arc<Sender>, message: Message) -> Arc<Put> {
        let waiting = Mutex::new(Waiting::Message(message));
        Arc::new_cyclic(|me| Put { me: me.clone(), peer: peer.clone(), sender, request, waiting })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be tried by this thread; `None` when another one tries, or nobody shall any more.
    pub(super) fn begin(&self) -> Option<Waiting> {
        let mut waiting = self.waiting();
        match &mut *waiting {
            Waiting::Trying { again, .. } => {
                *again = true;
                None
            }
            Waiting::Over => {
                drop(waiting);
                // What woke it is for somebody else.
                self.sender.nudge();
                None
            }
            _ => Some(std::mem::replace(&mut *waiting, TRYING)),
        }
    }

    /// Tries to send, once; gives what it waits for then, unless it was answered.
    pub(super) fn attempt(&self, waiting: Waiting) -> Option<Waiting> {
        let message = match waiting {
            Waiting::Message(message) | Waiting::Room(_, message) => message,
            // Taken; or nobody is left who could, and then it is still there.
            Waiting::Offer(serial) => match self.sender.withdraw_offer(serial) {
                Some(message) => message,
                None => {
                    self.answer(Verdict::Done);
                    return None;
                }
            },
            Waiting::Trying { .. } | Waiting::Over => return None,
        };
        match self.sender.send_or_call(message, self.me.upgrade()?) {
            Ok(_) => self.answer(Verdict::Done),
            Err(Unsent::Refused(refused)) => self.answer(verdict_of(&refused.why)),
            Err(Unsent::NoRoom(key, message)) => return Some(Waiting::Room(key, message)),
            Err(Unsent::Offered(serial)) => return Some(Waiting::Offer(serial)),
        }
        None
    }

    /// Waits for that. Gives it back when it was woken for it meanwhile.
    pub(super) fn rest(&self, waiting: Waiting) -> Option<Waiting> {
        let mut now = self.waiting();
        match *now {
            Waiting::Trying { called_off: true, .. } => {
                *now = Waiting::Over;
                drop(now);
                self.answer(self.give_up(waiting));
                None
            }
            Waiting::Trying { again: true, .. } => {
                *now = TRYING;
                Some(waiting)
            }
            _ => {
                *now = waiting;
                None
            }
        }
    }

    /// What has become of it; `None` when a thread that tries will say so.
    pub(super) fn call_off(&self) -> Option<Verdict> {
        let mut waiting = self.waiting();
        if let Waiting::Trying { called_off, .. } = &mut *waiting {
            *called_off = true;
            return None;
        }
        let waited = std::mem::replace(&mut *waiting, Waiting::Over);
        drop(waiting);
        Some(self.give_up(waited))
    }

    /// Takes the message back, unless a receiver has taken it.
    fn give_up(&self, waiting: Waiting) -> Verdict {
        match waiting {
            Waiting::Room(key, message) => {
                self.sender.forget_call(key);
                drop(message);
            }
            Waiting::Offer(serial) if self.sender.withdraw_offer(serial).is_none() => return Verdict::Done,
            _ => {}
        }
        Verdict::Full
    }

    pub(super) fn answer(&self, verdict: Verdict) {
        if !self.peer.ends_turn(self.request) {
            return;
        }
        match verdict {
            Verdict::Done => done(&self.peer, self.request, &self.sender),
            verdict => self.peer.say(self.request, verdict),
        }
    }
}

impl Waker for Put {
    fn wake(&self) {
        let mut waiting = self.begin();
        while let Some(tried) = waiting {
            waiting = self.attempt(tried).and_then(|waiting| self.rest(waiting));
        }
    }
}
