//! An end whose channel lives in another process: each call is a request to that one.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use super::call::{Call, Pending, Reply};
use super::here::here;
use super::peer::{Forwarded, Peer};
use super::ticket::adopt;
use super::wire::{EndPart, Origin, Packet, Token, Verdict};
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
}

impl Proxy {
    /// The end that the host has granted in that conversation.
    pub(super) fn granted(peer: &Arc<Peer>, part: &EndPart) -> Arc<dyn RemoteEnd> {
        let EndPart { side, host, channel, capacity, end, .. } = *part;
        Arc::new(Proxy { peer: peer.clone(), end, side, host, channel, capacity, closed: AtomicBool::new(false) })
    }

    /// The only kind of remote ends there is.
    pub(super) fn of(remote: &dyn RemoteEnd) -> &Proxy {
        remote.as_any().downcast_ref().expect("all remote ends are made here")
    }

    pub(super) fn describe(&self, origin: Origin, token: Token) -> EndPart {
        let Proxy { side, host, channel, capacity, end, .. } = *self;
        EndPart { origin, side, host, channel, capacity, end, token }
    }

    /// How a request to send ended. When it is called off, the host says whether it was in time: then nothing was sent.
    fn verdict(&self, call: &Call, request: u64, patience: &Patience<'_>) -> Result<Reply, Outcome> {
        let outcome = match self.peer.look_and_wait(call, patience) {
            Ok(reply) => return Ok(reply),
            Err(outcome) => outcome,
        };
        self.peer.post(&Packet::Cancel { request });
        match call.wait(&Patience::of(SOON)) {
            Ok(Reply::Verdict(Verdict::Full, _)) => Err(outcome),
            // A host that has come to a stop will find the request called off before it looks at it again, or has looked at it before.
            done => done,
        }
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
        let Proxy { side, host, channel, capacity, .. } = *self;
        let peer = self.peer.clone();
        Arc::new(Proxy { peer, end: ours(number), side, host, channel, capacity, closed: AtomicBool::new(closed) })
    }

    fn close(&self) {
        // Relaxed: the channel's own order of events is made by its host.
        if !self.closed.swap(true, Ordering::Relaxed) && !self.peer.is_inherited() {
            self.peer.post(&Packet::Close { end: self.end });
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
        #[allow(clippy::result_large_err, reason = "as above")]
        let refuse = |message, why| Err(Refused { item: message, why });
        if self.is_closed() {
            return refuse(message, Refusal::Closed);
        }
        let Ok(here) = here() else { return refuse(message, Refusal::HostGone { host: self.host() }) };
        if self.peer.is_inherited() {
            return refuse(message, Refusal::Inherited);
        }
        let message = match adopt_all(message) {
            Ok(message) => message,
            Err((message, error)) => return refuse(message, Refusal::NotPacked(error)),
        };
        let (request, call) = (self.peer.number(), Call::new());
        let mut talk = self.peer.talk();
        if talk.gone.is_some() {
            drop(talk);
            return refuse(message, Refusal::HostGone { host: self.host() });
        }
        let mut forwarded = Forwarded::default();
        let packed = match self.peer.pack(here, &mut talk, &message, None, &mut forwarded) {
            Ok(packed) => packed,
            Err(error) => {
                drop(talk);
                forwarded.forget();
                return refuse(message, Refusal::NotPacked(error));
            }
        };
        talk.pending.insert(request, Pending::Caller(call.clone()));
        drop(talk);
        self.peer.post_quietly(&Packet::Put { request, end: self.end, waits: patience.is_some(), body: packed.body() }, None);
        let why = match self.verdict(&call, request, patience.unwrap_or(&Patience::ENDLESS)) {
            Ok(Reply::Verdict(Verdict::Done, _)) => return Ok(()),
            Ok(Reply::Verdict(Verdict::Full, _)) => Refusal::Full,
            Ok(Reply::Verdict(Verdict::Broken, _)) => Refusal::Broken,
            Ok(Reply::Verdict(Verdict::OwnerGone, why)) => Refusal::NotPacked(crate::Error::StaleHandle { reason: why }),
            Ok(Reply::Verdict(..)) => Refusal::Closed,
            Ok(_) => Refusal::HostGone { host: self.host() },
            Err(outcome) => Refusal::of(outcome).unwrap_or(Refusal::TimedOut),
        };
        forwarded.forget();
        refuse(message, why)
    }

    fn recv(&self, patience: Option<&Patience<'_>>) -> Result<Message, Absence> {
        loop {
            if self.is_closed() {
                return Err(Absence::Closed);
            }
            if self.peer.is_inherited() {
                return Err(Absence::Inherited);
            }
            let (end, waits) = (self.end, patience.is_some());
            match self.peer.call(patience.unwrap_or(&Patience::ENDLESS), |request| Packet::Want { request, end, waits }) {
                Ok(Reply::Delivered { delivery, message }) => {
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

/// What was inherited by `fork` is leased first. Errors with the message when the process it was inherited from is gone.
#[allow(clippy::result_large_err, reason = "what is not sent is about as large as the message")]
fn adopt_all(message: Message) -> Result<Message, (Message, crate::Error)> {
    let (head, attachments) = message.parts();
    let is_inherited = |attachment: &Attachment| matches!(attachment, Attachment::Array(array) if array.is_inherited());
    if !attachments.iter().any(is_inherited) {
        return Ok(message);
    }
    let adopted = attachments.iter().map(|attachment| match attachment {
        Attachment::Array(array) => adopt(array).map(Attachment::Array),
        end => Ok(end.clone()),
    });
    match adopted.collect() {
        Ok(adopted) => Ok(Message::from_parts(head, adopted)),
        Err(error) => Err((message, error)),
    }
}

/// Numbers of ends that their holder chose, apart from those that the host chose.
fn ours(number: u64) -> u64 {
    number | 1 << 63
}
