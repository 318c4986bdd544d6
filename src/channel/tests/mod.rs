//! Tests of what only this crate can reach: supervised waits, calls, remote ends, forks, and the bytes of messages.

mod bytes;
mod calls;
mod credit;
mod forked;
mod remote;
mod shelf;
mod supervised;

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
