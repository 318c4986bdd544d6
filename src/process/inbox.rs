//! What comes in a conversation: from the ring, and what that says comes through the socket.
//!
//! Packets with descriptors, and long ones, are sent through the socket first; then a word in the ring says where in the order they belong. So
//! whoever reads that word finds the packet in the socket. What is found there before its word was read is put by.

use std::cell::Cell;
use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, MutexGuard, PoisonError, TryLockError};

use super::here::{Here, known};
use super::lane::Lane;
use super::peer::Peer;
use super::ring::Next;
use super::socket::{self, LONGEST, Received};
use super::talk::Hosted;
use super::wire::{Flaw, Packet};
use crate::channel::to_the_end;

/// So many packets of one conversation in a look.
const GLANCE: usize = 8;
/// So many packets may come through the socket before the words that say where they belong.
const PUT_BY: usize = 1024;

thread_local! {
    /// Whether this thread does what a packet says, and so holds an inbox.
    static READS: Cell<bool> = const { Cell::new(false) };
}

/// What `READS` was, and will be again.
struct Before(bool);

impl Drop for Before {
    fn drop(&mut self) {
        READS.set(self.0);
    }
}

/// Held by whoever reads, one at a time.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// From the ring.
    packet: Vec<u8>,
    /// From the socket.
    buffer: Vec<u8>,
    put_by: VecDeque<(Vec<u8>, Option<OwnedFd>)>,
    /// Why nothing more is read.
    pub(super) refused: Option<String>,
}

/// How reading ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// There may be more.
    More,
    Nothing,
    /// The conversation is over, and why.
    Over(String),
}

/// Why reading cannot go on.
enum Stop {
    Nothing,
    /// The other side is gone, or has said that it will say no more.
    End(String),
    Refused(String),
}

impl From<Flaw> for Stop {
    fn from(flaw: Flaw) -> Stop {
        Stop::Refused(flaw.to_string())
    }
}

impl Peer {
    /// Whether the ring has something to read.
    pub(super) fn has_news(&self) -> bool {
        self.lane.get().is_some_and(|lane| lane.incoming().has_next())
    }

    /// Reads what has come by now, unless somebody else does.
    pub(super) fn glance_at_news(self: &Arc<Self>, here: &'static Here) {
        if self.has_news() {
            self.glance(here, GLANCE);
        }
    }

    /// Reads what was written before the call, or waits for whoever reads it just now. One who reads in another conversation cannot wait:
    /// it reads unless somebody else does.
    pub(super) fn catch_up(self: &Arc<Self>, here: &'static Here) {
        if READS.get() {
            return self.glance_at_news(here);
        }
        let Some(ring) = self.lane.get().map(Lane::incoming) else { return };
        let end = ring.end();
        // So often at most, as one who lies may take back what it has written.
        for _ in 0..=ring.words.len() / GLANCE {
            let inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
            if ring.has_read_to(end) || self.is_gone() || !self.read_ring(here, inbox, GLANCE) {
                return;
            }
        }
    }

    /// Nobody has to ring: somebody looks. Gives whether that is due to this call.
    pub(super) fn disarm(&self) -> bool {
        self.lane.get().is_some_and(|lane| lane.incoming().disarm())
    }

    /// Nobody sleeps on the bell any more.
    pub(super) fn stop_listening(&self) {
        if let Some(lane) = self.lane.get() {
            lane.incoming().stop_listening();
        }
    }

    /// The processor from which the other side has woken a thread of this process last, if it ever did.
    pub(super) fn woken_from(&self) -> Option<u32> {
        self.lane.get().and_then(|lane| lane.incoming().woken_from())
    }

    /// Reads from the ring, unless somebody else does.
    fn glance(self: &Arc<Self>, here: &'static Here, most: usize) {
        let inbox = match self.inbox.try_lock() {
            Ok(inbox) => inbox,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        self.read_ring(here, inbox, most);
    }

    /// Somebody stops looking: the other side has to ring from now on. Reads what came before that.
    pub(super) fn watch_again(self: &Arc<Self>, here: &'static Here) {
        if self.lane.get().is_some_and(|lane| lane.incoming().arm()) {
            self.catch_up(here);
        }
    }

    /// As `ring`, by one who holds no lock. Whom it wakes may have this processor at once, and answer before we have it back: that is read here
    /// then, and wakes nobody else.
    pub(super) fn ring_and_catch_up(self: &Arc<Self>) {
        let Some(here) = known().filter(|_| self.is_listened_to() && !READS.get() && self.disarm()) else { return self.ring() };
        self.ring();
        self.watch_again(here);
    }

    /// Whether reading may go on.
    fn read_ring(self: &Arc<Self>, here: &'static Here, mut inbox: MutexGuard<'_, Inbox>, most: usize) -> bool {
        for _ in 0..most {
            if !self.has_news() {
                break;
            }
            match self.read_one(here, &mut inbox) {
                Ok(()) => {}
                Err(Stop::Nothing) => break,
                Err(Stop::End(why) | Stop::Refused(why)) => {
                    // The server's thread ends it, which sees the end of the socket.
                    inbox.refused = Some(why);
                    drop(inbox);
                    self.hang_up();
                    return false;
                }
            }
        }
        self.end_reading(here, inbox);
        true
    }

    /// Reads so many packets at most, from wherever they come. For the server's thread.
    pub(super) fn read(self: &Arc<Self>, here: &'static Here, most: usize) -> Reading {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = inbox.refused.take() {
            return Reading::Over(why);
        }
        for _ in 0..most {
            match self.read_one(here, &mut inbox) {
                Ok(()) => {}
                Err(Stop::Nothing) => {
                    // Also while others look: who waits for them may have begun before this conversation, and not know of it.
                    let slept_in = self.lane.get().is_some_and(|lane| lane.incoming().arm());
                    if !slept_in {
                        self.end_reading(here, inbox);
                        return Reading::Nothing;
                    }
                }
                Err(Stop::End(why)) => return Reading::Over(why),
                Err(Stop::Refused(why)) => {
                    drop(inbox);
                    self.post(&Packet::Farewell { why: &why });
                    return Reading::Over(format!("it was refused: {why}"));
                }
            }
        }
        self.end_reading(here, inbox);
        Reading::More
    }

    /// Tells those who wait for that: the other side, which may write again, and tickets that were perhaps redeemed in what was read.
    fn end_reading(&self, here: &'static Here, inbox: MutexGuard<'_, Inbox>) {
        drop(inbox);
        here.fade();
        if let Some(lane) = self.lane.get()
            && lane.incoming().is_thirsty()
        {
            // A socket too full for it wakes the other side as well.
            let _ = socket::send(&self.socket, &Packet::Bell.write(), None);
        }
    }

    /// Reads one packet and does what it says.
    fn read_one(self: &Arc<Self>, here: &'static Here, inbox: &mut Inbox) -> Result<(), Stop> {
        let _before = Before(READS.replace(true));
        // Else a waker that had this read would have others do what it brings about, without an end.
        to_the_end(|| self.read_next(here, inbox))
    }

    fn read_next(self: &Arc<Self>, here: &'static Here, inbox: &mut Inbox) -> Result<(), Stop> {
        let Inbox { packet, buffer, put_by, .. } = inbox;
        let next = self.lane.get().map_or(Next::Nothing, |lane: &Lane| lane.incoming().next(packet));
        match next {
            Next::Packet(_) => self.obey(here, packet, None),
            Next::Revoked(_) => Ok(self.give_back(packet)?),
            Next::Elsewhere => loop {
                if let Some((bytes, descriptor)) = put_by.pop_front() {
                    return self.obey(here, &bytes, descriptor);
                }
                if !self.take_from_socket(here, buffer, put_by)? {
                    return Err(Stop::Refused("a packet was announced and not sent".to_owned()));
                }
            },
            Next::Malformed => Err(Stop::Refused("the lengths in the ring make no sense".to_owned())),
            Next::Nothing if self.take_from_socket(here, buffer, put_by)? => Ok(()),
            Next::Nothing => Err(Stop::Nothing),
        }
    }

    /// Takes a packet out of the socket: obeys it, or puts it by until the ring says that it is its turn. Whether there was one.
    fn take_from_socket(
        self: &Arc<Self>,
        here: &'static Here,
        buffer: &mut Vec<u8>,
        put_by: &mut VecDeque<(Vec<u8>, Option<OwnedFd>)>,
    ) -> Result<bool, Stop> {
        buffer.resize(LONGEST + 1, 0);
        let (bytes, descriptor) = match socket::receive(self.socket.as_fd(), buffer) {
            Received::Packet(length, descriptor) => (&buffer[..length], descriptor),
            Received::Malformed => {
                return Err(Stop::Refused(format!("a packet is longer than {LONGEST} bytes, or its descriptor got lost (see ulimit -n)")));
            }
            Received::Nothing => return Ok(false),
            // What a process has written before it died counts.
            Received::End if self.has_news() => return Ok(true),
            Received::End => return Err(Stop::End("it has closed the conversation or ended".to_owned())),
        };
        let announced = self.lane.get().is_some() && !Packet::read(bytes)?.is_of_the_socket();
        if !announced {
            self.obey(here, bytes, descriptor)?;
        } else if put_by.len() < PUT_BY {
            put_by.push_back((bytes.to_vec(), descriptor));
        } else {
            return Err(Stop::Refused(format!("more than {PUT_BY} packets came before their time")));
        }
        Ok(true)
    }

    /// The packet was revoked: what it brings is let go of.
    fn give_back(self: &Arc<Self>, bytes: &[u8]) -> Result<(), Flaw> {
        match Packet::read(bytes)? {
            Packet::Put { end, body, .. } => {
                drop(self.unpack_body(&body)?);
                // It may not have used its credit either, which somebody may wait for.
                if let Some(Hosted::Sender(sender)) = self.hosted(end) {
                    sender.top_up();
                }
                Ok(())
            }
            _ => Err(Flaw::Text("something else than a message was revoked".to_owned())),
        }
    }

    fn obey(self: &Arc<Self>, here: &'static Here, bytes: &[u8], descriptor: Option<OwnedFd>) -> Result<(), Stop> {
        match Packet::read(bytes)? {
            Packet::Farewell { why } => Err(Stop::End(format!("it said: {why}"))),
            packet => Ok(self.handle(here, packet, descriptor)?),
        }
    }
}
