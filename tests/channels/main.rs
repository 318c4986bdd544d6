//! Channels from outside, for each kind of capacity: smoke, capacity, one to one, many to many, drops, order.
//!
//! Nothing here asserts a time. A test that hangs is ended by its watchdog.

mod drops;
mod ends;
mod traffic;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crossbuf::channel::Message;
use crossbuf::{Receiver, Sender, channel};

const CAPACITIES: [Option<usize>; 4] = [None, Some(0), Some(1), Some(16)];
const ROUNDS: i64 = if cfg!(miri) { 40 } else { 5_000 };

/// Ends the process if the test does not end; a blocked thread cannot be ended otherwise.
fn watched(test: impl FnOnce()) {
    let (done, finished) = mpsc::channel::<()>();
    let name = thread::current().name().unwrap_or("a test").to_owned();
    thread::spawn(move || {
        if finished.recv_timeout(Duration::from_secs(240)) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprintln!("{name} hangs");
            std::process::abort();
        }
    });
    test();
    drop(done);
}

fn for_each_capacity(test: impl Fn(Option<usize>)) {
    watched(|| CAPACITIES.into_iter().for_each(test));
}

fn number(message: Message) -> i64 {
    message.value().unwrap().as_i64().unwrap()
}

/// Until as many threads wait as the test needs.
fn await_waiters(end: &Receiver, senders: usize, receivers: usize) {
    loop {
        let now = end.statistics();
        if (now.waiting_senders, now.waiting_receivers) == (senders, receivers) {
            return;
        }
        thread::yield_now();
    }
}

/// A channel whose open senders show how many copies of a message exist.
struct Witness(Receiver);

impl Witness {
    fn new() -> (Witness, Sender) {
        let (sender, receiver) = channel(None);
        (Witness(receiver), sender)
    }

    fn alive(&self) -> usize {
        self.0.statistics().senders
    }
}
