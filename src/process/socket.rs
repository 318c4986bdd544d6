//! Packets between two processes: sequenced-packet Unix sockets with names in no file system, and descriptors beside the bytes.
//!
//! A packet arrives whole or not at all, so no half record is ever seen, whoever dies when. Names are abstract: nothing is left to clean
//! up. The kernel says who is at the other end, and only the same user is served.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect, listen, recvmsg, sendmsg, socket_with,
};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// The longest packet. The kernel takes it in one piece, whatever it allows a socket to buffer.
pub(super) const LONGEST: usize = 60 << 10;

/// How many dials may wait to be accepted.
const BACKLOG: i32 = 4096;

const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

/// Whoever is at the other end of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) pid: u32,
    pub(super) uid: u32,
}

impl Credentials {
    /// Of the process that dialled, or for the dialling side the one that listens. `pid` is 0 for one in a namespace out of sight.
    pub(super) fn of(socket: &OwnedFd) -> Result<Credentials, Errno> {
        // rustix has a form of this whose pid cannot be 0.
        let mut seen = libc::ucred { pid: 0, uid: 0, gid: 0 };
        let mut size = size_of::<libc::ucred>() as libc::socklen_t;
        // SAFETY: the descriptor is open, and `seen` has room for `size` bytes of what this option gives.
        let code =
            unsafe { libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, (&raw mut seen).cast(), &raw mut size) };
        if code != 0 {
            return Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL));
        }
        Ok(Credentials { pid: seen.pid.unsigned_abs(), uid: seen.uid })
    }

    pub(super) fn is_same_user(self) -> bool {
        self.uid == rustix::process::geteuid().as_raw()
    }

    /// A descriptor that becomes readable when the process ends; `None` where the kernel has none for it.
    pub(super) fn pidfd(self) -> Option<OwnedFd> {
        let pid = Pid::from_raw(i32::try_from(self.pid).ok()?)?;
        pidfd_open(pid, PidfdFlags::empty()).ok()
    }
}

fn new() -> Result<OwnedFd, Errno> {
    socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, FLAGS, None)
}

/// A socket to be dialled by that name. Errors with ADDRINUSE where another process has it.
pub(super) fn listen_at(name: &[u8]) -> Result<OwnedFd, Errno> {
    let socket = new()?;
    bind(&socket, &SocketAddrUnix::new_abstract_name(name)?)?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// A socket to whoever listens at that name. Errors with CONNREFUSED where nobody does.
pub(super) fn dial(name: &[u8]) -> Result<OwnedFd, Errno> {
    let socket = new()?;
    connect(&socket, &SocketAddrUnix::new_abstract_name(name)?)?;
    Ok(socket)
}

/// The next one who dialled; `None` when nobody has.
pub(super) fn accept(listener: &OwnedFd) -> Result<Option<OwnedFd>, Errno> {
    match accept_with(listener, FLAGS) {
        Ok(socket) => Ok(Some(socket)),
        Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Sends one packet, with a descriptor beside it. Errors with AGAIN where the other side must read first.
pub(super) fn send(socket: &OwnedFd, packet: &[u8], descriptor: Option<BorrowedFd<'_>>) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    let descriptors: Vec<BorrowedFd<'_>> = descriptor.into_iter().collect();
    if !descriptors.is_empty() {
        beside.push(SendAncillaryMessage::ScmRights(&descriptors));
    }
    loop {
        match sendmsg(socket, &[IoSlice::new(packet)], &mut beside, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Err(Errno::INTR) => {}
            done => return done.map(drop),
        }
    }
}

/// What came out of a socket.
pub(super) enum Received {
    /// So many bytes in the buffer.
    Packet(usize, Option<OwnedFd>),
    /// A packet that no honest peer sends: longer than any, or with descriptors that got lost.
    Malformed,
    /// Nothing now.
    Nothing,
    /// The other side is gone.
    End,
}

/// Takes the next packet.
pub(super) fn receive(socket: impl AsFd, buffer: &mut [u8]) -> Received {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    loop {
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        let seen = match recvmsg(&socket, &mut [IoSliceMut::new(buffer)], &mut beside, flags) {
            Ok(seen) => seen,
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) => return Received::Nothing,
            Err(_) => return Received::End,
        };
        let mut descriptors: Vec<OwnedFd> = Vec::new();
        for message in beside.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                descriptors.extend(rights);
            }
        }
        if seen.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) || descriptors.len() > 1 {
            return Received::Malformed;
        }
        // Packets are never empty: each has a header.
        return if seen.bytes == 0 { Received::End } else { Received::Packet(seen.bytes, descriptors.pop()) };
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn pair(name: &[u8]) -> (OwnedFd, OwnedFd) {
        let listener = listen_at(name).unwrap();
        let there = dial(name).unwrap();
        (accept(&listener).unwrap().unwrap(), there)
    }

    #[test]
    fn packets_arrive_whole_with_their_descriptor() {
        let (here, there) = pair(b"crossbuf test: packets");
        let mut buffer = vec![0; LONGEST + 1];
        assert!(matches!(receive(&here, &mut buffer), Received::Nothing));
        send(&there, b"one", None).unwrap();
        send(&there, &vec![7; LONGEST], Some(there.as_fd())).unwrap();
        assert!(matches!(receive(&here, &mut buffer), Received::Packet(3, None)));
        assert!(matches!(receive(&here, &mut buffer), Received::Packet(LONGEST, Some(_))));
        drop(there);
        assert!(matches!(receive(&here, &mut buffer), Received::End));
    }

    #[test]
    fn what_is_too_long_is_told_apart() {
        let (here, there) = pair(b"crossbuf test: long");
        send(&there, &vec![7; LONGEST + 2], None).unwrap();
        assert!(matches!(receive(&here, &mut vec![0; LONGEST + 1]), Received::Malformed));
    }

    #[test]
    fn both_sides_see_who_the_other_is() {
        let (here, there) = pair(b"crossbuf test: credentials");
        for socket in [&here, &there] {
            let seen = Credentials::of(socket).unwrap();
            assert_eq!(seen.pid, std::process::id());
            assert!(seen.is_same_user());
            assert!(seen.pidfd().is_some());
        }
    }

    #[test]
    fn a_name_belongs_to_one() {
        let _listener = listen_at(b"crossbuf test: taken").unwrap();
        assert_eq!(listen_at(b"crossbuf test: taken").unwrap_err(), Errno::ADDRINUSE);
        assert_eq!(dial(b"crossbuf test: nobody").unwrap_err(), Errno::CONNREFUSED);
    }
}
