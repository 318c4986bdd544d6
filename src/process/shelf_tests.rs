//! What lies ready for a receiver in another process is its own or anybody else's, and never both or nobody's.

use std::thread;
use std::time::{Duration, Instant};

use super::lane::ShelfNumber;
use super::other_side::{OtherSide, until};
use super::ring::Next;
use super::server::TICK;
use super::wire::{Body, Packet, Part};
use crate::array::Order;
use crate::channel::{Attachment, Message};
use crate::{Arena, ArrayMeta, Budget, Receiver, Sender, channel};

/// A process that has a receiver of a channel of ours, and sees what lies ready for it.
struct Picker {
    side: OtherSide,
    end: u64,
    shelf: Option<ShelfNumber>,
}

impl Picker {
    fn new(receiver: &Receiver) -> Picker {
        let side = OtherSide::new();
        side.peer.grant(super::here::here().unwrap(), 1, &Attachment::Receiver(receiver.clone()));
        let end = side.hears(|packet| match packet {
            Packet::Granted { part: Part::End(end), .. } => Some(end.end),
            _ => None,
        });
        Picker { side, end, shelf: None }
    }

    /// Receives one, and has up to so many more lie ready.
    fn receive(&mut self, more: u32) -> i64 {
        self.side.says(&Packet::Want { request: 1, end: self.end, waits: true, more });
        let (delivery, shelf, number) = self.side.hears(|packet| match packet {
            Packet::Deliver { delivery, shelf, body, .. } => Some((delivery, shelf, number(&body))),
            _ => None,
        });
        self.side.says(&Packet::Taken { delivery });
        until(|| self.side.peer.talk().lent.is_empty());
        self.shelf = shelf;
        number
    }

    /// Takes what lies ready.
    fn pick(&self) -> Option<i64> {
        let mut buffer = Vec::new();
        loop {
            match self.side.lane.picking(self.shelf?).next(&mut buffer) {
                Next::Packet(_) => match Packet::read(&buffer).unwrap() {
                    Packet::Deliver { body, .. } => return Some(number(&body)),
                    other => panic!("{other:?}"),
                },
                Next::Revoked(_) => {}
                _ => return None,
            }
        }
    }
}

/// The number that it is, -1 for another message.
fn number(body: &Body<'_>) -> i64 {
    let Body::Inline(bytes) = body else { panic!("{body:?}") };
    let (_, head) = super::wire::read_message(bytes).unwrap();
    Message::from_parts(head, Vec::new()).value().ok().and_then(|value| value.as_i64()).unwrap_or(-1)
}

/// What has lain there for a while is taken back, which a test must be quicker than.
fn promptly(test: fn()) {
    for _ in 0..50 {
        let begun = Instant::now();
        let failed = std::panic::catch_unwind(test).err();
        match failed {
            None => return,
            Some(failed) if begun.elapsed() < TICK => std::panic::resume_unwind(failed),
            Some(_) => {}
        }
    }
    panic!("this machine is too busy for it");
}

/// A channel with so many numbers in it, and a process with a receiver of it.
fn filled(capacity: Option<usize>, count: i64) -> (Sender, Receiver, Picker) {
    let (sender, receiver) = channel(capacity);
    (0..count).for_each(|number| sender.send(number).unwrap());
    let picker = Picker::new(&receiver);
    (sender, receiver, picker)
}

fn received(receiver: &Receiver) -> Vec<i64> {
    std::iter::from_fn(|| receiver.try_recv().ok()).map(|message| message.value().unwrap().as_i64().unwrap()).collect()
}

#[test]
fn it_is_taken_without_a_word_and_counted() {
    promptly(|| {
        let (sender, _receiver, mut picker) = filled(None, 10);
        assert_eq!(picker.receive(3), 0);
        assert_eq!([picker.pick(), picker.pick()], [Some(1), Some(2)]);
        let seen = sender.statistics();
        assert_eq!((seen.queued, seen.received, seen.sent), (7, 3, 10));
        assert_eq!([picker.pick(), picker.pick()], [Some(3), None]);
        assert_eq!((picker.receive(3), picker.pick()), (4, Some(5)));
    });
}

#[test]
fn others_get_it_when_nothing_else_is_left() {
    promptly(|| {
        let (sender, receiver, mut picker) = filled(None, 10);
        picker.receive(3);
        assert_eq!(picker.pick(), Some(1));
        drop(sender);
        assert_eq!(received(&receiver), [4, 5, 6, 7, 8, 9, 2, 3]);
        assert!(receiver.try_recv().unwrap_err().is_ended());
        assert_eq!(picker.pick(), None);
    });
}

#[test]
fn an_end_receives_in_order() {
    promptly(|| {
        let (_sender, _receiver, mut picker) = filled(None, 10);
        picker.receive(3);
        assert_eq!(picker.receive(3), 1, "what it has not picked comes first");
        assert_eq!((picker.pick(), picker.receive(0)), (Some(2), 3));
    });
}

#[test]
fn an_end_s_share_is_what_is_there_by_the_number_of_receivers() {
    promptly(|| {
        let (_sender, receiver, mut picker) = filled(None, 9);
        let _third = receiver.clone();
        picker.receive(30);
        assert_eq!([picker.pick(), picker.pick(), picker.pick()], [Some(1), Some(2), None]);
    });
}

#[test]
fn it_counts_as_in_the_channel() {
    promptly(|| {
        let (sender, _receiver, mut picker) = filled(Some(4), 4);
        picker.receive(2);
        sender.try_send(4).unwrap();
        assert!(sender.try_send(5).unwrap_err().is_full(), "one lies ready");
        assert_eq!(picker.pick(), Some(1));
        sender.try_send(5).unwrap();
        assert!(sender.try_send(6).unwrap_err().is_full());
    });
}

#[test]
fn one_who_waits_for_room_gets_it_though_nobody_says_that_it_is_there() {
    promptly(|| {
        let (sender, _receiver, mut picker) = filled(Some(4), 4);
        picker.receive(2);
        sender.try_send(4).unwrap();
        thread::scope(|scope| {
            let sending = scope.spawn(|| sender.send_timeout(5, Duration::from_secs(10)));
            until(|| sender.statistics().waiting_senders == 1);
            assert_eq!(picker.pick(), Some(1));
            sending.join().unwrap().unwrap();
        });
    });
}

#[test]
fn it_does_not_lie_there_for_long() {
    let (_sender, _receiver, mut picker) = filled(None, 10);
    picker.receive(3);
    let shelf = picker.shelf.unwrap();
    until(|| picker.side.peer.shelves()[0].is_empty());
    assert!(matches!(picker.side.lane.picking(shelf).next(&mut Vec::new()), Next::Revoked(_)));
    assert_eq!(picker.receive(3), 1);
}

#[test]
fn nothing_is_put_there_while_somebody_waits() {
    let (sender, receiver) = channel(None);
    let mut picker = Picker::new(&receiver);
    thread::scope(|scope| {
        let receiving = scope.spawn(|| receiver.recv().unwrap());
        until(|| receiver.statistics().waiting_receivers == 1);
        picker.side.says(&Packet::Want { request: 1, end: picker.end, waits: true, more: 8 });
        until(|| receiver.statistics().waiting_receivers == 2);
        sender.send(0).unwrap();
        sender.send(1).unwrap();
        receiving.join().unwrap();
    });
    picker.shelf = picker.side.hears(|packet| if let Packet::Deliver { shelf, .. } = packet { Some(shelf) } else { None });
    assert_eq!(picker.pick(), None);
}

/// The server's thread sleeps without a limit when the message is delivered, by the thread that sends it.
#[test]
fn that_a_message_was_taken_is_seen_though_nobody_says_so() {
    let (sender, receiver) = channel(None);
    let Picker { side, end, .. } = Picker::new(&receiver);
    side.says(&Packet::Want { request: 1, end, waits: true, more: 0 });
    until(|| receiver.statistics().waiting_receivers == 1);
    thread::sleep(2 * TICK);
    sender.send(0).unwrap();
    let delivery = side.hears(|packet| if let Packet::Deliver { delivery, .. } = packet { Some(delivery) } else { None });
    assert!(side.lane.outgoing().write(Some(&Packet::Taken { delivery }.write())));
    until(|| side.peer.talk().lent.is_empty());
}

#[test]
fn it_comes_back_when_the_end_is_closed_or_the_process_is_gone() {
    promptly(|| {
        type Leave = fn(&Picker);
        let ways: [Leave; 2] = [|picker| picker.side.says(&Packet::Close { end: picker.end }), |picker| picker.side.peer.hang_up()];
        for leave in ways {
            let (_sender, receiver, mut picker) = filled(None, 10);
            picker.receive(4);
            assert_eq!(picker.pick(), Some(1));
            leave(&picker);
            until(|| receiver.statistics().receivers == 1);
            until(|| picker.side.peer.shelves().is_empty());
            let mut rest = received(&receiver);
            // It may have begun before all of it was back.
            rest.sort_unstable();
            assert_eq!(rest, (2..10).collect::<Vec<_>>());
            assert_eq!(picker.pick(), None);
        }
    });
}

#[test]
fn a_message_that_is_withdrawn_was_not_taken() {
    promptly(|| {
        let (sender, _receiver, mut picker) = filled(None, 2);
        let serials: Vec<_> = (2..10).map(|number| sender.post(number).unwrap()).collect();
        picker.receive(4);
        assert_eq!([picker.pick(), picker.pick()], [Some(1), Some(2)]);
        assert!(!sender.holds(serials[0]) && sender.withdraw(serials[0]).is_none());
        assert!(sender.holds(serials[1]) && sender.withdraw(serials[1]).is_some());
        assert_eq!(picker.pick(), None);
        assert_eq!(picker.receive(0), 4);
    });
}

#[test]
fn arrays_are_leased_to_whoever_takes_them() {
    promptly(|| {
        let arena = Arena::new(Budget::bytes(1 << 20)).unwrap();
        let (sender, receiver) = channel(None);
        for _ in 0..8 {
            let array = arena.share(ArrayMeta::contiguous("|u1".parse().unwrap(), &[3], Order::C).unwrap(), b"abc").unwrap();
            sender.send(array).unwrap();
        }
        let mut picker = Picker::new(&receiver);
        picker.receive(3);
        let leases = || picker.side.peer.talk().ledger.len();
        assert_eq!(leases(), 4);
        assert!(picker.pick().is_some());
        let rest: Vec<_> = std::iter::from_fn(|| receiver.try_recv().ok()).collect();
        assert_eq!((rest.len(), leases()), (6, 2), "what comes back is not leased any more");
        drop(rest);
        assert_eq!(arena.statistics().blocks, 2);
        picker.side.peer.hang_up();
        until(|| arena.statistics().blocks == 0);
    });
}

#[test]
fn a_reader_that_lies_harms_itself() {
    let (sender, receiver, mut picker) = filled(None, 20);
    picker.receive(4);
    let shelf = picker.shelf.unwrap();
    picker.side.lane.picking(shelf).read.store(u64::MAX / 2, crate::sync::Ordering::Relaxed);
    assert!(sender.statistics().queued >= 15);
    picker.receive(u32::MAX);
    picker.side.lane.picking(shelf).words.iter().for_each(|word| word.store(u64::MAX, crate::sync::Ordering::Relaxed));
    let rest = received(&receiver);
    assert!(rest.len() >= 14, "{rest:?}");
    assert_eq!(sender.statistics().queued, 0);
}
