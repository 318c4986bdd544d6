//! Doors for the fuzz target: packets of any content, and conversations of any packets.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, shutdown, socketpair};

use super::here::here;
use super::packing::{NO_TOKEN, describe};
use super::peer::Role;
use super::socket::{self, Credentials, LONGEST, Received};
use super::wire::{self, EndPart, Origin, Packet, Part};
use super::{PublishedChannel, Service, drop_tickets, processes, publish};
use crate::array::Order;
use crate::channel::Side;
use crate::{Arena, Array, ArrayMeta, Budget};

/// Bytes: refused, or a packet that is written so that it reads the same.
pub fn packet(bytes: &[u8]) {
    if let Ok(packet) = Packet::read(bytes) {
        let again = packet.write();
        assert_eq!(Packet::read(&again), Ok(packet));
    }
    let _ = wire::read_message(bytes);
    let _ = wire::part_from_bytes(bytes);
}

/// A packet in the making: a header, what fuzzers do not guess, and the rest.
#[derive(Clone, Debug)]
pub struct Step {
    /// The header's last four fields.
    pub header: (u8, u8, u8, u8),
    /// Bits: a token first, or the mark of a message; whether there is a part, and which.
    pub shape: u8,
    /// The bytes after it.
    pub rest: Vec<u8>,
}

struct World {
    arena: Arena,
    array: Array,
    service: Service,
    channel: PublishedChannel,
}

/// What the other side finds here.
static WORLD: LazyLock<World> = LazyLock::new(|| {
    let arena = Arena::new(Budget::bytes(1 << 24)).expect("memory for an arena");
    let meta = ArrayMeta::contiguous("|u1".parse().expect("a dtype"), &[64], Order::C).expect("a shape");
    let array = arena.share(meta, &[7; 64]).expect("room for 64 bytes");
    let service = publish(&format!("fuzz {}", std::process::id()), &arena).expect("a free name");
    service.share("array", &array).expect("a new service is empty");
    let channel = service.channel("channel", 4).expect("a new service is empty");
    World { arena, array, service, channel }
});

/// Says all that to this process, as another one would. Panics when something is left of it afterwards.
pub fn conversation(steps: &[Step]) {
    let world = &*WORLD;
    let (blocks, seen) = (world.arena.statistics().blocks, world.channel.sender.statistics());
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)
        .expect("a pair of sockets");
    let credentials = Credentials::of(&ours).expect("credentials of this process");
    here().and_then(|here| here.begin(ours, credentials, Role::Accepted)).expect("a conversation");

    let mut buffer = vec![0; LONGEST + 1];
    for step in steps {
        let bytes = step.bytes(world);
        packet(&bytes);
        // Some of them come with the descriptor that their kind wants, some without.
        let descriptor = (step.shape & 0x80 != 0).then(|| world.arena.descriptor().as_fd());
        while let Err(Errno::AGAIN) = socket::send(&theirs, &bytes, descriptor) {
            if listen(&theirs, &mut buffer) {
                break;
            }
        }
    }
    let _ = shutdown(&theirs, Shutdown::Write);
    while !listen(&theirs, &mut buffer) {
        let ready = poll(&mut [PollFd::new(&theirs, PollFlags::IN)], Some(&Duration::from_secs(10).try_into().expect("a short time")));
        assert_eq!(ready, Ok(1), "the conversation does not end");
    }
    drop(theirs);

    let end = Instant::now() + Duration::from_secs(10);
    loop {
        drop_tickets(Duration::ZERO);
        while world.channel.receiver.try_recv().is_ok() {}
        let now = world.channel.sender.statistics();
        if (world.arena.statistics().blocks, now.senders, now.receivers, now.queued) == (blocks, seen.senders, seen.receivers, 0) {
            return;
        }
        assert!(Instant::now() < end, "left: {:?} {now:?} {:?}", world.arena.statistics(), processes());
        std::thread::yield_now();
    }
}

/// Reads what has come; all of it must be packets. Whether it was the last.
fn listen(socket: &OwnedFd, buffer: &mut [u8]) -> bool {
    loop {
        match socket::receive(socket, buffer) {
            Received::Packet(len, _) => drop(Packet::read(&buffer[..len]).expect("what this process says is a packet")),
            Received::Malformed => panic!("this process has sent a packet that is too long"),
            Received::Nothing => return false,
            Received::End => return true,
        }
    }
}

impl Step {
    fn bytes(&self, world: &World) -> Vec<u8> {
        let (kind, request, subject, detail) = self.header;
        let mut bytes = Packet::Cancel { request: request.into() }.write();
        bytes[6] = kind;
        bytes[16] = subject;
        bytes[24] = detail;
        let array = |origin| Some(Part::Array(describe(&world.array, origin, NO_TOKEN)));
        let end = |origin, side| {
            let host = world.arena.id().process();
            let (channel, end) = (world.channel.sender.channel_id(), u64::from(subject));
            Some(Part::End(EndPart { origin, side, host, channel, capacity: Some(4), end, token: NO_TOKEN }))
        };
        let part = match self.shape >> 2 & 15 {
            1 => array(Origin::Granted),
            2 => array(Origin::Yours),
            3 => array(Origin::Ticket),
            4 => array(Origin::Orphan),
            5 => end(Origin::Granted, Side::Sending),
            6 => end(Origin::Granted, Side::Receiving),
            7 => end(Origin::Yours, Side::Sending),
            8 => end(Origin::Yours, Side::Receiving),
            9 => end(Origin::Ticket, Side::Sending),
            _ => None,
        };
        let name = world.service.name();
        match self.shape & 3 {
            1 => bytes.extend(NO_TOKEN),
            2 => {
                bytes.push(0);
                bytes.extend(wire::write_message(part.as_slice(), &self.rest));
                return bytes;
            }
            // So that something is found.
            3 => {
                bytes[16] = name.len() as u8;
                bytes.extend(name.as_bytes());
                bytes.extend(if detail == 3 { "array" } else { "channel" }.bytes());
                return bytes;
            }
            _ => {}
        }
        bytes.extend(part.iter().flat_map(wire::part_to_bytes));
        bytes.extend(&self.rest);
        bytes
    }
}
