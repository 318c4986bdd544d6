//! The other side of a conversation with this process, in a test that decides what it says and when.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::here::here;
use super::lane::Lane;
use super::peer::{Peer, Role};
use super::ring::Next;
use super::socket::{self, Credentials};
use super::wire::Packet;
use crate::identity;
use crate::offset::Address;

/// One that has brought memory for packets.
pub(super) struct OtherSide {
    /// What this process knows of it.
    pub(super) peer: Arc<Peer>,
    pub(super) lane: Lane,
    socket: OwnedFd,
}

pub(super) fn until(condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < end, "it does not come to that");
        std::thread::yield_now();
    }
}

/// A conversation that begins, and the other side's socket.
pub(super) fn begin() -> (Arc<Peer>, OwnedFd) {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (ours, socket) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    // A process out of sight: this one's other conversations are not its own.
    let credentials = Credentials { pid: 0, ..Credentials::of(&ours).unwrap() };
    (here().unwrap().begin(ours, credentials, Role::Accepted).unwrap(), socket)
}

impl OtherSide {
    pub(super) fn new() -> OtherSide {
        let (peer, socket) = begin();
        let (lane, descriptor) = Lane::new().unwrap();
        let address = Address::from_bytes(identity::random("for a process that there is not").unwrap());
        socket::send(&socket, &Packet::Hello { address }.write(), Some(descriptor.as_fd())).unwrap();
        until(|| peer.lane.get().is_some());
        OtherSide { peer, lane, socket }
    }

    pub(super) fn says(&self, packet: &Packet<'_>) {
        assert!(self.lane.outgoing().write(Some(&packet.write())));
        // A socket too full for it wakes the reader as well.
        let _ = socket::send(&self.socket, &Packet::Bell.write(), None);
    }

    /// What the next packet that it is told says, as far as it goes through the ring.
    pub(super) fn hears<T>(&self, understand: impl Fn(Packet<'_>) -> Option<T>) -> T {
        let mut buffer = Vec::new();
        loop {
            until(|| self.lane.incoming().has_next());
            if self.lane.incoming().next(&mut buffer) != Next::Elsewhere {
                return understand(Packet::read(&buffer).unwrap()).unwrap_or_else(|| panic!("{:?}", Packet::read(&buffer)));
            }
        }
    }
}

impl Drop for OtherSide {
    fn drop(&mut self) {
        self.peer.hang_up();
    }
}
