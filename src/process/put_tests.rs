//! What another process asks to send is sent or called off, and never both; and it hears which.

use std::sync::{Arc, Mutex};
use std::thread;

use super::here::here;
use super::other_side::{OtherSide, until};
use super::put::Put;
use super::wire::{Body, Packet, Part, Verdict};
use crate::channel::{Attachment, Message, Unreceived, Waker};
use crate::{Sender, channel};

/// A process that has a sender of a channel of ours.
struct Putter {
    side: OtherSide,
    end: u64,
}

impl Putter {
    fn new(sender: &Sender) -> Putter {
        let side = OtherSide::new();
        side.peer.grant(here().unwrap(), 1, &Attachment::Sender(sender.clone()));
        let end = side.hears(|packet| if let Packet::Granted { part: Part::End(end), .. } = packet { Some(end.end) } else { None });
        Putter { side, end }
    }

    fn puts(&self, request: u64, value: i64) {
        let message = Message::from(value);
        let body = super::wire::write_message(&[], message.parts().0);
        self.side.says(&Packet::Put { request, end: self.end, waits: true, credit: None, body: Body::Inline(&body) });
    }

    fn calls_off(&self, request: u64) {
        self.side.says(&Packet::Cancel { request });
    }

    /// What has become of the request.
    fn hears(&self, expected: u64) -> Verdict {
        self.side.hears(|packet| match packet {
            Packet::Answer { request, verdict, .. } if request == expected => Some(verdict),
            _ => None,
        })
    }
}

/// What is done when it is woken.
struct Does<F>(F);

impl<F> std::fmt::Debug for Does<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Does")
    }
}

impl<F: Fn() + Send + Sync> Waker for Does<F> {
    fn wake(&self) {
        (self.0)();
    }
}

#[test]
fn what_was_taken_when_it_is_called_off_was_sent() {
    let (sender, receiver) = channel(Some(0));
    let putter = Putter::new(&sender);
    let heard = Arc::new(Mutex::new(None));
    let (bell, rung) = channel(None);
    let waker = Does({
        let heard = heard.clone();
        move || {
            putter.puts(1, 7);
            until(|| receiver.statistics().waiting_senders == 1);
            // Wakers that are called meanwhile wait until this one is done, as those of other threads may.
            receiver.try_recv().unwrap();
            putter.calls_off(1);
            *heard.lock().unwrap() = Some(putter.hears(1));
        }
    });
    assert!(matches!(rung.lend_or_call(Arc::new(waker)), Err(Unreceived::Pending(_))));
    bell.send(0).unwrap();
    assert_eq!(*heard.lock().unwrap(), Some(Verdict::Done));
}

#[test]
fn who_is_woken_before_it_rests_tries_again() {
    let (sender, receiver) = channel(Some(0));
    let side = OtherSide::new();
    let put = Put::new(&side.peer, 1, Arc::new(sender.clone()), 7.into());
    let waiting = put.attempt(put.begin().unwrap()).expect("nobody receives");
    receiver.try_recv().expect("it is offered");
    let again = put.rest(waiting).expect("it was taken meanwhile");
    assert!(put.attempt(again).is_none(), "it is done");
    assert!(receiver.try_recv().unwrap_err().is_empty());
}

#[test]
fn who_calls_it_off_before_it_rests_leaves_nothing() {
    for capacity in [0, 1] {
        let (sender, receiver) = channel(Some(capacity));
        (0..capacity).for_each(|number| sender.send(number as i64).unwrap());
        let side = OtherSide::new();
        let put = Put::new(&side.peer, 1, Arc::new(sender.clone()), 7.into());
        let waiting = put.attempt(put.begin().unwrap()).expect("it has to wait");
        assert_eq!(put.call_off(), None, "who tries says what has become of it");
        assert!(put.rest(waiting).is_none());
        assert_eq!(receiver.statistics().waiting_senders, 0);
        assert_eq!(receiver.statistics().queued, capacity);
        assert!(put.begin().is_none(), "it is over");
    }
}

#[test]
fn each_is_sent_or_called_off_and_never_both() {
    const ROUNDS: u64 = 500;
    for capacity in [0, 1] {
        let (sender, receiver) = channel(Some(capacity));
        let putter = Putter::new(&sender);
        let receiving = thread::spawn(move || receiver.iter().count());
        let mut sent = 0;
        for request in 1..=ROUNDS {
            putter.puts(request, 7);
            (0..request % 64).for_each(|_| std::hint::spin_loop());
            putter.calls_off(request);
            match putter.hears(request) {
                Verdict::Done => sent += 1,
                verdict => assert_eq!(verdict, Verdict::Full),
            }
        }
        drop(sender);
        putter.side.says(&Packet::Close { end: putter.end });
        assert_eq!(receiving.join().unwrap(), sent);
    }
}
