//! What a process gets that names what it was never given, or takes back what it said.

use std::os::fd::OwnedFd;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use super::here::here;
use super::other_side::{OtherSide, begin};
use super::packing::{NO_TOKEN, describe, token};
use super::socket::{self, LONGEST, Received};
use super::wire::{ArrayPart, Origin, Packet, Verdict};
use crate::array::Order;
use crate::sync::Ordering;
use crate::{Arena, Array, ArrayMeta, Budget};

/// The other side of a conversation with this process, whose packets are of its own making.
struct Liar {
    socket: OwnedFd,
    asked: u64,
}

impl Liar {
    fn new() -> Liar {
        Liar { socket: begin().1, asked: 0 }
    }

    fn say(&self, packet: &Packet<'_>) {
        socket::send(&self.socket, &packet.write(), None).unwrap();
    }

    /// Whether it is granted the array, by a handle or by the name under which it has asked us to keep it.
    fn opens(&mut self, token: [u8; 16], handle: Option<ArrayPart>) -> bool {
        self.asked += 1;
        self.say(&Packet::Open { request: self.asked, token, handle });
        let mut buffer = vec![0; LONGEST + 1];
        loop {
            match socket::receive(&self.socket, &mut buffer) {
                Received::Packet(length, _) => match Packet::read(&buffer[..length]).unwrap() {
                    Packet::Granted { request, .. } if request == self.asked => return true,
                    Packet::Answer { request, verdict, .. } if request == self.asked => {
                        assert_eq!(verdict, Verdict::Stale);
                        return false;
                    }
                    _ => {}
                },
                Received::Nothing => drop(poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], None).unwrap()),
                Received::Malformed | Received::End => panic!("the conversation is over"),
            }
        }
    }

    /// Whether it can have an array kept by naming it as one that it was leased.
    fn forwards(&mut self, array: &Array) -> bool {
        let token = token().unwrap();
        self.say(&Packet::Forward { token, array: describe(array, Origin::Yours, token) });
        self.opens(token, None)
    }
}

#[test]
fn only_what_was_leased_can_be_named() {
    let arena = Arena::new(Budget::bytes(1 << 20)).unwrap();
    let meta = ArrayMeta::contiguous("|u1".parse().unwrap(), &[8], Order::C).unwrap();
    let array = arena.share(meta, &[7; 8]).unwrap();
    let (mut liar, mut other) = (Liar::new(), Liar::new());
    assert!(!liar.forwards(&array), "it guessed the array's place");

    let handle = ArrayPart { seal: array.handle().seal, ..describe(&array, Origin::Yours, NO_TOKEN) };
    assert!(liar.opens(NO_TOKEN, Some(handle)));
    assert!(liar.forwards(&array), "it has a lease now");
    assert!(!other.forwards(&array), "and somebody else has not");
}

#[test]
fn one_who_takes_back_what_it_wrote_keeps_nobody_reading() {
    let side = OtherSide::new();
    let written = side.lane.outgoing().written;
    let before = written.load(Ordering::Relaxed);
    let inbox = side.peer.inbox.lock().unwrap();
    written.store(before + 100, Ordering::Relaxed);
    let (done, told) = mpsc::channel();
    let reader = thread::spawn({
        let peer = side.peer.clone();
        move || {
            peer.catch_up(here().unwrap());
            done.send(()).unwrap();
        }
    });
    // By now it has seen how much there is to read, and waits for its turn.
    thread::sleep(Duration::from_millis(100));
    written.store(before, Ordering::Relaxed);
    drop(inbox);
    told.recv_timeout(Duration::from_secs(10)).expect("an end of reading");
    reader.join().unwrap();
}
