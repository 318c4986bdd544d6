//! An end whose channel lives in another process: each call is a request to that one.

use std::any::Any;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::call::Reply;
use super::packing::NO_TOKEN;
use super::peer::Peer;
use super::picking::Picking;
use super::wire::{EndPart, Origin, Packet, Token};
use crate::channel::{Absence, ChannelStatistics, Message, Patience, Refused, RemoteEnd, Side};
use crate::offset::Address;
use crate::sync::{AtomicBool, Ordering};

/// How long the host may take to tell figures: whoever asks for them does not want to wait.
pub(super) const SOON: Duration = Duration::from_secs(1);

/// Stands here for an end that the host keeps.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) peer: Arc<Peer>,
    /// Its number in the conversation with the host.
    pub(super) end: u64,
    side: Side,
    host: Address,
    channel: u64,
    pub(super) capacity: Option<usize>,
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

    /// For texts.
    pub(super) fn host(&self) -> Arc<str> {
        self.peer.host().into()
    }
}

impl RemoteEnd for Proxy {
    fn side(&self) -> Side {
        self.side
    }

    fn another(&self) -> Arc<dyn RemoteEnd> {
        let number = self.peer.number();
        let closed = self.is_closed();
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
        self.closed.load(Ordering::Relaxed) || self.is_inherited()
    }

    fn is_inherited(&self) -> bool {
        self.peer.is_inherited()
    }

    fn capacity(&self) -> Option<usize> {
        self.capacity
    }

    fn statistics(&self) -> ChannelStatistics {
        let end = self.end;
        let unknown = [0; 7];
        let [queued, senders, receivers, waiting_senders, waiting_receivers, sent, received] = if self.is_closed() {
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
        self.take(patience)
    }

    fn wake_everyone(&self) {
        self.peer.stir();
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Numbers of ends that their holder chose, apart from those that the host chose.
fn ours(number: u64) -> u64 {
    number | 1 << 63
}
