//! What a sender of a channel in another process knows, and how it sends without asking that one.
//!
//! A word of the memory between the two says how many messages its host has granted it room for. Either side takes from it what it needs:
//! the sender one for each message, the host all of it when somebody else is to have the room.

use std::sync::Arc;

use super::call::{Call, Pending, Reply};
use super::here::here;
use super::lane::{Lane, WordOfCredit};
use super::outbox::Way;
use super::peer::Peer;
use super::remote::{Proxy, SOON};
use super::request::PATIENCE;
use super::talk::{Forwarded, Talk};
use super::ticket::adopt;
use super::wire::{Body, Packet, Verdict};
use crate::channel::{Allowance, Attachment, Message, Outcome, Patience, Refusal, RemoteEnd};
use crate::sync::{AtomicU32, Ordering};

/// What we know of the receivers of a channel in the other process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// The other side was asked to tell when they are gone.
    Asked,
    /// They were there, and it will tell.
    There,
    Gone,
}

/// A sending end that the other side keeps for us, into which something can wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outlet {
    pub(super) audience: Audience,
    /// For one of a channel with a limit: where its credit is.
    pub(super) word: Option<WordOfCredit>,
}

impl Peer {
    /// Whether there was credit in that word for one message.
    pub(super) fn spend(&self, word: WordOfCredit) -> bool {
        self.lane.get().map(|lane| lane.spending(word)).is_some_and(take_one)
    }

    /// The message was not sent after all.
    pub(super) fn refund(&self, word: WordOfCredit) {
        if let Some(lane) = self.lane.get() {
            lane.spending(word).fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Whether there was one left. Relaxed, here and below: one word has one order, and no other memory is told of by it.
fn take_one(word: &AtomicU32) -> bool {
    word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

impl Proxy {
    /// How a request to send ended.
    fn verdict(&self, call: &Call, request: u64, way: Way, patience: &Patience<'_>) -> Result<Reply, Refusal> {
        let outcome = match self.peer.look_and_wait(call, patience) {
            Ok(reply) => return Ok(reply),
            Err(outcome) => outcome,
        };
        if self.peer.revoke(way) {
            let withdrawn = self.peer.talk().pending.remove(&request);
            drop(withdrawn);
            return Err(Refusal::of(outcome).unwrap_or(Refusal::TimedOut));
        }
        // The host has read the request. It says whether this was in time: then nothing was sent.
        self.peer.post(&Packet::Cancel { request });
        // Only whoever wants to go on when the signal was seen to has time to spare.
        let time = if outcome == Outcome::Interrupted { PATIENCE } else { SOON };
        // In pieces: where both processes were stopped, and go on, the time has passed for neither.
        let answer = (0..10).find_map(|_| call.wait_on(&Patience::of(time / 10)).ok());
        match answer {
            Some(Reply::Verdict(Verdict::Full, _)) => Err(Refusal::of(outcome).unwrap_or(Refusal::TimedOut)),
            Some(reply) => Ok(reply),
            None => Err(Refusal::Unsure { host: self.host() }),
        }
    }

    /// Sends. The host is asked how it went, unless nothing can go wrong: see `needs_no_answer`.
    pub(super) fn put(&self, message: &Message, patience: Option<&Patience<'_>>) -> Result<(), Refusal> {
        if self.peer.is_inherited() {
            return Err(Refusal::Inherited);
        }
        if self.is_closed() {
            return Err(Refusal::Closed);
        }
        let gone = || Refusal::HostGone { host: self.host() };
        let here = here().map_err(|_| gone())?;
        let adopted = adopt_all(message).map_err(Refusal::NotPacked)?;
        let message = adopted.as_ref().unwrap_or(message);
        // What has come may say that all receivers are gone.
        self.peer.glance_at_news(here);
        let mut talk = self.peer.talk();
        if talk.gone.is_some() {
            drop(talk);
            return Err(gone());
        }
        let outlet = talk.outlets.get(&self.end).copied();
        if outlet.is_some_and(|outlet| outlet.audience == Audience::Gone) {
            return Err(Refusal::Broken);
        }
        let mut forwarded = Forwarded::default();
        let packed = match self.peer.pack(here, &mut talk, message, None, &mut forwarded) {
            Ok(packed) => packed,
            Err(error) => {
                drop(talk);
                forwarded.forget();
                return Err(Refusal::NotPacked(error));
            }
        };
        let (end, waits, body) = (self.end, patience.is_some(), packed.body());
        if outlet.is_some_and(|outlet| self.needs_no_answer(message, outlet) && self.put_at_once(outlet, &body)) {
            drop(talk);
            self.peer.ring_and_catch_up();
            return Ok(());
        }
        let (request, call) = (self.peer.number(), Call::new());
        talk.pending.insert(request, Pending::Caller(call.clone()));
        let credit = self.outlet(&mut talk).and_then(|outlet| outlet.word);
        drop(talk);
        let way = self.peer.post_revocably(&Packet::Put { request, end, waits, credit, body });
        let why = match self.verdict(&call, request, way, patience.unwrap_or(&Patience::ENDLESS)) {
            Ok(Reply::Verdict(Verdict::Done, _)) => {
                let mut talk = self.peer.talk();
                if let Some(outlet) = talk.outlets.get_mut(&end).filter(|outlet| outlet.audience == Audience::Asked) {
                    outlet.audience = Audience::There;
                }
                return Ok(());
            }
            Ok(Reply::Verdict(Verdict::OwnerGone, why)) => Refusal::NotPacked(crate::Error::StaleHandle { reason: why }),
            Ok(Reply::Verdict(verdict, _)) => refusal(verdict),
            Ok(_) => gone(),
            Err(why) => why,
        };
        forwarded.forget();
        Err(why)
    }

    /// Whether a message is as good as sent once it is on its way, if there is room for it: all of its parts lie with the two processes, and
    /// the host has said that there are receivers. What is left is that all of these go meanwhile, which it could meet in the queue as well.
    fn needs_no_answer(&self, message: &Message, outlet: Outlet) -> bool {
        outlet.audience == Audience::There && self.peer.has_all_between_us(message)
    }

    /// Whether it is on its way, as there was room for it in the channel, and between here and there. What does not fit there is not on its
    /// way yet: its sender waits until the host has read it.
    fn put_at_once(&self, outlet: Outlet, body: &Body<'_>) -> bool {
        let has_room = self.capacity.is_none() || outlet.word.is_some_and(|word| self.peer.spend(word));
        if !has_room {
            return false;
        }
        let sent = self.peer.post_at_once(&Packet::Put { request: 0, end: self.end, waits: false, credit: None, body: body.clone() });
        if let (false, Some(word)) = (sent, outlet.word) {
            self.peer.refund(word);
        }
        sent
    }

    /// Makes a note of an end that asks to send; `None` where nothing can wait, and of one that is closed. Whoever closes it sets its flag
    /// first, and then takes the lock to clear up.
    fn outlet(&self, talk: &mut Talk) -> Option<Outlet> {
        if self.capacity == Some(0) || self.is_closed() {
            return None;
        }
        let Talk { outlets, free_words, .. } = talk;
        let mut word = || self.capacity.and(self.peer.lane.get()).and_then(|_| free_words.take());
        Some(*outlets.entry(self.end).or_insert_with(|| Outlet { audience: Audience::Asked, word: word() }))
    }
}

/// The message with what was inherited by `fork` leased; `None` when there is nothing of that. Errors when the process it was inherited from is gone.
fn adopt_all(message: &Message) -> crate::Result<Option<Message>> {
    let (head, attachments) = message.parts();
    let is_inherited = |attachment: &Attachment| matches!(attachment, Attachment::Array(array) if array.is_inherited());
    if !attachments.iter().any(is_inherited) {
        return Ok(None);
    }
    let adopted = attachments.iter().map(|attachment| match attachment {
        Attachment::Array(array) => adopt(array).map(Attachment::Array),
        end => Ok(end.clone()),
    });
    Ok(Some(Message::from_parts(head, adopted.collect::<crate::Result<_>>()?)))
}

/// What a host's verdict means to whoever sends.
fn refusal(verdict: Verdict) -> Refusal {
    match verdict {
        Verdict::Full => Refusal::Full,
        Verdict::Broken => Refusal::Broken,
        _ => Refusal::Closed,
    }
}

/// What we grant an end that we keep for the other side.
#[derive(Debug)]
pub(super) struct Granting {
    pub(super) peer: Arc<Peer>,
    pub(super) word: WordOfCredit,
}

impl Granting {
    fn word(&self) -> Option<&AtomicU32> {
        self.peer.lane.get().map(|lane: &Lane| lane.granting(self.word))
    }
}

impl Allowance for Granting {
    fn add(&self, count: u32) {
        if let Some(word) = self.word() {
            word.fetch_add(count, Ordering::Relaxed);
        }
    }

    fn take_back(&self) -> u32 {
        self.word().map_or(0, |word| word.swap(0, Ordering::Relaxed))
    }
}

#[cfg(all(test, loom))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    #[test]
    fn what_is_granted_is_spent_or_taken_back_and_never_both() {
        loom::model(|| {
            let word = Arc::new(AtomicU32::new(2));
            let sender = thread::spawn({
                let word = word.clone();
                move || (0..3).filter(|_| take_one(&word)).count() as u32
            });
            let back = word.swap(0, Ordering::Relaxed);
            word.fetch_add(1, Ordering::Relaxed);
            assert_eq!(sender.join().unwrap() + back + word.load(Ordering::Relaxed), 3);
        });
    }
}
