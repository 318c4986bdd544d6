//! What goes out in a conversation: through the ring, through the socket, or later, when there is room.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use super::here::known;
use super::lane::Lane;
use super::peer::Peer;
use super::ring::{LISTENED, Place, Ring};
use super::socket;
use super::wire::Packet;
use crate::channel::{processor, wake_one};

/// Packets that may wait for the other process to read before we stop reading from it.
const PATIENT: usize = 256;

/// Packets for which there was no room yet. Its lock is also that of whoever writes.
#[derive(Debug, Default)]
pub(super) struct Outbox(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    packets: VecDeque<Waiting>,
    /// Packets that ever waited.
    count: u64,
    /// Nothing is taken any more.
    closed: bool,
}

#[derive(Debug)]
struct Waiting {
    bytes: Vec<u8>,
    descriptor: Option<OwnedFd>,
    /// The ring says where in the order it comes.
    announced: bool,
    /// By which it can be revoked.
    number: u64,
    revoked: bool,
}

/// Where a packet has gone that may be revoked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Ring(Place),
    /// It waits, under this number.
    Outbox(u64),
    /// From where nothing comes back.
    Socket,
}

impl Outbox {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A panic under the lock could only be ours, between two complete states.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody reads any more.
    pub(super) fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        let unsent = std::mem::take(&mut queue.packets);
        drop(queue);
        drop(unsent);
    }

    /// How many packets wait.
    pub(super) fn len(&self) -> usize {
        self.lock().packets.len()
    }

    /// Whether so much waits that nothing more should be read from the other process.
    pub(super) fn is_stalled(&self) -> bool {
        self.len() >= PATIENT
    }
}

impl Queue {
    /// Gives the number of the packet.
    fn push(&mut self, bytes: Vec<u8>, descriptor: Option<OwnedFd>, announced: bool) -> u64 {
        self.count += 1;
        self.packets.push_back(Waiting { bytes, descriptor, announced, number: self.count, revoked: false });
        self.count
    }
}

/// Where there is no memory for a packet the system does not tell when there is some again.
fn look_soon() {
    if let Some(here) = known() {
        here.look_soon();
    }
}

impl Peer {
    /// Sends, now or when there is room. To one who is gone nothing is sent: the server's thread sees to that. Nor is anything in the
    /// conversation of the process that this one was forked from.
    pub(super) fn post(&self, packet: &Packet<'_>) {
        self.post_with(packet, None);
    }

    /// As `post`, with a descriptor beside the packet.
    pub(super) fn post_with(&self, packet: &Packet<'_>, descriptor: Option<&OwnedFd>) {
        self.post_quietly(packet, descriptor);
        self.ring();
    }

    /// As `post_with`, but a reader that sleeps is not told: that is for the caller to do, unless somebody will look anyway.
    pub(super) fn post_quietly(&self, packet: &Packet<'_>, descriptor: Option<&OwnedFd>) {
        if self.is_inherited() {
            return;
        }
        let (bytes, announced) = (packet.write(), !packet.is_of_the_socket());
        let mut queue = self.outbox.lock();
        if queue.closed || (queue.packets.is_empty() && self.transmit(&bytes, descriptor.map(AsFd::as_fd), announced)) {
            return;
        }
        match descriptor.map(OwnedFd::try_clone).transpose() {
            Ok(descriptor) => {
                queue.push(bytes, descriptor, announced);
                drop(queue);
                look_soon();
            }
            // Without a descriptor for it the conversation cannot go on.
            Err(_) => {
                queue.closed = true;
                drop(queue);
                self.hang_up();
            }
        }
    }

    /// Whether it was sent, as there was room for it at once. As with `post_quietly`, a reader that sleeps is not told.
    pub(super) fn post_at_once(&self, packet: &Packet<'_>) -> bool {
        let queue = self.outbox.lock();
        queue.packets.is_empty() && (queue.closed || self.transmit(&packet.write(), None, true))
    }

    /// Whether the other side can read it from now on, in the ring. If not, it is not sent. As with `post_quietly`, a reader that sleeps is not told.
    pub(super) fn post_into_ring(&self, packet: &Packet<'_>) -> bool {
        let bytes = packet.write();
        let queue = self.outbox.lock();
        !queue.closed && queue.packets.is_empty() && self.ring_for(&bytes).is_some_and(|ring| ring.write(Some(&bytes)))
    }

    /// As `post_quietly`; `revoke` takes what comes of it.
    pub(super) fn post_revocably(&self, packet: &Packet<'_>) -> Way {
        let bytes = packet.write();
        let mut queue = self.outbox.lock();
        if queue.closed {
            return Way::Socket;
        }
        if queue.packets.is_empty() {
            if let Some(ring) = self.ring_for(&bytes) {
                if let Some(place) = ring.write_revocably(&bytes) {
                    return Way::Ring(place);
                }
            } else if self.transmit(&bytes, None, true) {
                return Way::Socket;
            }
        }
        let number = queue.push(bytes, None, true);
        drop(queue);
        look_soon();
        Way::Outbox(number)
    }

    /// Whether the other side will not do what the packet says, for certain. What the packet brings it gives back.
    pub(super) fn revoke(&self, way: Way) -> bool {
        let mut queue = self.outbox.lock();
        match way {
            Way::Ring(place) => self.lane.get().is_some_and(|lane| lane.outgoing().revoke(place)),
            Way::Outbox(number) => {
                let packet = queue.packets.iter_mut().find(|packet| packet.number == number);
                packet.filter(|packet| self.ring_for(&packet.bytes).is_some()).map(|packet| packet.revoked = true).is_some()
            }
            Way::Socket => false,
        }
    }

    /// The ring, if there is one and it takes such a packet.
    fn ring_for<'s>(&'s self, bytes: &[u8]) -> Option<Ring<'s>> {
        self.lane.get().map(Lane::outgoing).filter(|ring| bytes.len() <= ring.longest())
    }

    /// Whether the packet is on its way, or can never be: then nobody reads any more, which the server's thread notices as well. The caller
    /// has the outbox's lock.
    fn transmit(&self, bytes: &[u8], descriptor: Option<BorrowedFd<'_>>, announced: bool) -> bool {
        if let (Some(ring), None, true) = (self.ring_for(bytes), descriptor, announced) {
            return ring.write(Some(bytes));
        }
        let ring = self.lane.get().filter(|_| announced).map(Lane::outgoing);
        if ring.is_some_and(|ring| !ring.has_room_for_word()) {
            return false;
        }
        let sent = !matches!(socket::send(&self.socket, bytes, descriptor), Err(Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM));
        // The order of all packets is that of the ring.
        sent && ring.is_none_or(|ring| ring.write(None))
    }

    /// Sends what waits, as far as there is room.
    pub(super) fn flush(&self) {
        let mut queue = self.outbox.lock();
        let before = queue.packets.len();
        while let Some(Waiting { bytes, descriptor, announced, revoked, .. }) = queue.packets.front() {
            let sent = match self.ring_for(bytes.as_slice()).filter(|_| *revoked) {
                Some(ring) => ring.write_revoked(bytes),
                None => self.transmit(bytes, descriptor.as_ref().map(AsFd::as_fd), *announced),
            };
            if !sent {
                break;
            }
            queue.packets.pop_front();
        }
        let sent = queue.packets.len() < before;
        drop(queue);
        if sent {
            self.ring();
        }
    }

    /// Wakes the reader, if it sleeps and there is something to read.
    pub(super) fn ring(&self) {
        let Some(ring) = self.lane.get().map(Lane::outgoing).filter(|_| !self.is_inherited()) else { return };
        match ring.must_ring() {
            0 => {}
            LISTENED => {
                ring.wakes(processor());
                wake_one(ring.bell);
            }
            // A socket too full for it wakes the reader as well.
            _ => drop(socket::send(&self.socket, &Packet::Bell.write(), None)),
        }
    }

    /// Whether a thread of the other process sleeps until something comes. It gains nothing by our looking first.
    pub(super) fn is_listened_to(&self) -> bool {
        self.lane.get().is_some_and(|lane| lane.outgoing().is_listened_to())
    }
}
