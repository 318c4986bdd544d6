//! An end whose channel lives in another process: each call is a request to that one.

use std::any::Any;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::call::{Call, Pending, Reply};
use super::here::here;
use super::outbox::Way;
use super::outlet::{Audience, Outlet};
use super::packing::NO_TOKEN;
use super::peer::Peer;
use super::picking::Picking;
use super::request::PATIENCE;
use super::talk::{Forwarded, Talk};
use super::ticket::adopt;
use super::wire::{Body, EndPart, Origin, Packet, Token, Verdict};
use crate::channel::{Absence, Attachment, ChannelStatistics, Message, Outcome, Patience, Refusal, Refused, RemoteEnd, Side};
use crate::offset::Address;
use crate::sync::{AtomicBool, Ordering};

/// How long the host may take to tell figures: whoever asks for them does not want to wait.
const SOON: Duration = Duration::from_secs(1);

/// Stands here for an end that the host keeps.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) peer: Arc<Peer>,
    /// Its number in the conversation with the host.
    pub(super) end: u64,
    side: Side,
    host: Address,
    channel: u64,
    capacity: Option<usize>,
    closed: AtomicBool,
    pub(super) picking: Mutex<Picking>,
}

impl Proxy {
    fn new(peer: Arc<Peer>, part: &EndPart, end: u64, closed: bool) -> Proxy {
        let EndPart { side, host, channel, capacity, .. } = *part;
        Proxy { peer, end, side, host, channel, capacity, closed: AtomicBool::new(closed), picking: Mutex::default() }
    }

    /// The end that the host has granted in that conversation.
    pub(super) fn granted(peer: &Arc<Peer>, part: &EndPart) -> Arc<dyn RemoteEnd> {
        Arc::new(Proxy::new(peer.clone(), part, part.end, false))
    }

    /// The only kind of remote ends there is.
    pub(super) fn of(remote: &dyn RemoteEnd) -> &Proxy {
        remote.as_any().downcast_ref().expect("all remote ends are made here")
    }

    pub(super) fn describe(&self, origin: Origin, token: Token) -> EndPart {
        let Proxy { side, host, channel, capacity, end, .. } = *self;
        EndPart { origin, side, host, channel, capacity, end, token }
    }

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
        let answer = (0..10).find_map(|_| call.wait(&Patience::of(time / 10)).ok());
        match answer {
            Some(Reply::Verdict(Verdict::Full, _)) => Err(Refusal::of(outcome).unwrap_or(Refusal::TimedOut)),
            Some(reply) => Ok(reply),
            None => Err(Refusal::Unsure { host: self.host() }),
        }
    }

    /// Sends. The host is asked how it went, unless nothing can go wrong: see `needs_no_answer`.
    fn put(&self, message: &Message, patience: Option<&Patience<'_>>) -> Result<(), Refusal> {
        if self.is_closed() {
            return Err(Refusal::Closed);
        }
        let gone = || Refusal::HostGone { host: self.host() };
        let here = here().map_err(|_| gone())?;
        if self.peer.is_inherited() {
            return Err(Refusal::Inherited);
        }
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
                talk.outlets.entry(end).and_modify(|outlet| {
                    if outlet.audience == Audience::Asked {
                        outlet.audience = Audience::There;
                    }
                });
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

    fn host(&self) -> Arc<str> {
        self.peer.host().into()
    }
}

impl RemoteEnd for Proxy {
    fn side(&self) -> Side {
        self.side
    }

    fn another(&self) -> Arc<dyn RemoteEnd> {
        let number = self.peer.number();
        let closed = self.is_closed() || self.peer.is_inherited();
        if !closed {
            self.peer.post(&Packet::Another { end: self.end, number: ours(number) });
        }
        Arc::new(Proxy::new(self.peer.clone(), &self.describe(Origin::Granted, NO_TOKEN), ours(number), closed))
    }

    fn close(&self) {
        // Relaxed: the channel's own order of events is made by its host.
        if !self.closed.swap(true, Ordering::Relaxed) && !self.peer.is_inherited() {
            self.end_picking();
            let mut talk = self.peer.talk();
            let word = talk.outlets.remove(&self.end).and_then(|outlet| outlet.word);
            // Under the lock: all that was sent on credit is said before, and whoever uses the word next, after it.
            self.peer.post(&Packet::Close { end: self.end });
            word.into_iter().for_each(|word| talk.free_words.give_back(word));
            drop(talk);
            self.peer.stir();
        }
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    fn capacity(&self) -> Option<usize> {
        self.capacity
    }

    fn statistics(&self) -> ChannelStatistics {
        let end = self.end;
        let unknown = [0; 7];
        let [queued, senders, receivers, waiting_senders, waiting_receivers, sent, received] =
            if self.is_closed() || self.peer.is_inherited() {
                unknown
            } else {
                match self.peer.call(&Patience::of(SOON), |request| Packet::Ask { request, end }) {
                    Ok(Reply::Figures([_, figures @ ..])) => figures,
                    _ => unknown,
                }
            };
        ChannelStatistics {
            capacity: self.capacity,
            queued: queued as usize,
            senders: senders as usize,
            receivers: receivers as usize,
            waiting_senders: waiting_senders as usize,
            waiting_receivers: waiting_receivers as usize,
            sent,
            received,
        }
    }

    fn channel_id(&self) -> u64 {
        self.channel
    }

    fn is_same_channel(&self, other: &dyn RemoteEnd) -> bool {
        let other = Proxy::of(other);
        (self.host, self.channel) == (other.host, other.channel)
    }

    #[allow(clippy::result_large_err, reason = "what was not sent is about as large as the message")]
    fn send(&self, message: Message, patience: Option<&Patience<'_>>) -> Result<(), Refused<Message>> {
        self.put(&message, patience).map_err(|why| Refused { item: message, why })
    }

    fn recv(&self, patience: Option<&Patience<'_>>) -> Result<Message, Absence> {
        let here = here().map_err(|_| Absence::HostGone { host: self.host() })?;
        loop {
            if self.is_closed() {
                return Err(Absence::Closed);
            }
            if self.peer.is_inherited() {
                return Err(Absence::Inherited);
            }
            if let Some(message) = self.pick(here) {
                return Ok(message);
            }
            let (end, waits, more) = (self.end, patience.is_some(), self.ask_for_more());
            match self.peer.call(patience.unwrap_or(&Patience::ENDLESS), |request| Packet::Want { request, end, waits, more }) {
                Ok(Reply::Delivered { delivery, shelf, message }) => {
                    self.note_shelf(shelf);
                    // Written before the message is anybody's: whoever dies from here on has had it. The host looks for it by itself.
                    self.peer.post_quietly(&Packet::Taken { delivery }, None);
                    return Ok(message);
                }
                Ok(Reply::Verdict(Verdict::Empty, _)) => return Err(Absence::Empty),
                Ok(Reply::Verdict(Verdict::Ended, _)) => return Err(Absence::Ended),
                Ok(Reply::Verdict(Verdict::Bad, why)) => return Err(Absence::NotPacked(crate::Error::BadHandle { reason: why })),
                // The host has noticed by now that the owner of a part is gone, and knows another way.
                Ok(Reply::Verdict(Verdict::OwnerGone, _)) => {}
                Ok(Reply::Verdict(..)) => return Err(Absence::Closed),
                Ok(_) => return Err(Absence::HostGone { host: self.host() }),
                Err(outcome) => return Err(Absence::of(outcome).unwrap_or(Absence::TimedOut)),
            }
        }
    }

    fn wake_everyone(&self) {
        self.peer.stir();
    }

    fn as_any(&self) -> &dyn Any {
        self
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

/// Numbers of ends that their holder chose, apart from those that the host chose.
fn ours(number: u64) -> u64 {
    number | 1 << 63
}
