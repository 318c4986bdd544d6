//! Tests of what only this crate can reach: supervised waits, calls, remote ends, forks, and the bytes of messages.

mod bytes;
mod calls;
mod credit;
mod forked;
mod remote;
mod shelf;
mod supervised;

use std::time::{Duration, Instant};

use super::Message;

fn number(message: Message) -> i64 {
    message.value().unwrap().as_i64().unwrap()
}

/// Until so many threads wait in the channel.
fn await_waiters(end: &crate::Receiver, senders: usize, receivers: usize) {
    loop {
        let now = end.statistics();
        if (now.waiting_senders, now.waiting_receivers) == (senders, receivers) {
            return;
        }
        std::thread::yield_now();
    }
}

/// Until that has come about, which nothing stands in the way of.
fn until(condition: impl Fn() -> bool) {
    let watchdog = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < watchdog, "it does not come to that");
        std::thread::yield_now();
    }
}
