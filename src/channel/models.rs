//! Loom models: every interleaving of a few threads, up to a bound on preemptions.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --lib --release models`
//!
//! A lost wake-up shows as a deadlock, a lost or doubled message as a failed count.

use loom::sync::Arc;
use loom::thread;

use super::futex::ALL;
use super::gate::{Cargo, Gate, Side};
use super::lock::Mutex;
use super::queue::{Absence, Core, Refusal};
use super::wait::{Event, Outcome, Patience};
use crate::sync::{AtomicBool, Ordering};

impl Cargo for u32 {
    fn stamp(&mut self, _serial: u64) {}

    fn receivers_of<'a>(&'a self, _: &'a Core<u32>) -> impl Iterator<Item = &'a Gate> {
        std::iter::empty()
    }
}

fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

/// Waits until the guarded condition holds, as the core does.
fn wait_until(event: &Event, guarded: &Mutex<u32>, ready: impl Fn(u32) -> bool) {
    let patience = Patience::ENDLESS;
    let mut wait = patience.begin();
    loop {
        let guard = guarded.lock().unwrap();
        if ready(*guard) {
            return;
        }
        let key = event.key();
        drop(guard);
        assert_eq!(event.wait(key, ALL, &mut wait), Outcome::Ready);
    }
}

#[test]
fn event_loses_no_wake_up() {
    explore(5, || {
        let shared = Arc::new((Event::default(), Mutex::new(0)));
        let other = Arc::clone(&shared);
        let notifier = thread::spawn(move || {
            *other.1.lock().unwrap() = 1;
            other.0.notify(1, ALL);
        });
        wait_until(&shared.0, &shared.1, |value| value == 1);
        notifier.join().unwrap();
    });
}

#[test]
fn event_wakes_two_of_two() {
    explore(3, || {
        let shared = Arc::new((Event::default(), Mutex::new(0)));
        let waiters = [1, 2].map(|_| {
            let other = Arc::clone(&shared);
            thread::spawn(move || wait_until(&other.0, &other.1, |value| value == 1))
        });
        *shared.1.lock().unwrap() = 1;
        shared.0.notify(2, ALL);
        for waiter in waiters {
            waiter.join().unwrap();
        }
    });
}

fn core(capacity: Option<usize>) -> (Arc<Core<u32>>, Gate, Gate) {
    let core = Arc::new(Core::new(capacity));
    let (sending, receiving) = (core.open(Side::Sending), core.open(Side::Receiving));
    (core, sending, receiving)
}

fn drained(core: &Core<u32>, side: Side, gate: &Gate) -> usize {
    core.close(side, gate).len()
}

/// Two messages through one channel, then its end.
fn in_order(capacity: Option<usize>) {
    explore(3, move || {
        let (core, sending, receiving) = core(capacity);
        let other = Arc::clone(&core);
        let sender = thread::spawn(move || {
            for item in [1, 2] {
                other.send(&sending, item, &Patience::ENDLESS).unwrap();
            }
            assert_eq!(drained(&other, Side::Sending, &sending), 0);
        });
        for item in [1, 2] {
            assert_eq!(core.recv(&receiving, &Patience::ENDLESS), Ok(item));
        }
        assert_eq!(core.recv(&receiving, &Patience::ENDLESS), Err(Absence::Ended));
        sender.join().unwrap();
    });
}

#[test]
fn in_order_without_limit() {
    in_order(None);
}

#[test]
fn in_order_through_one_place() {
    in_order(Some(1));
}

#[test]
fn in_order_by_rendezvous() {
    in_order(Some(0));
}

/// Two senders, two receivers: each of the promised wake-ups reaches somebody who needs it.
fn two_to_two(capacity: Option<usize>) {
    explore(2, move || {
        let (core, sending, receiving) = core(capacity);
        let gates = Arc::new((sending, receiving));
        let receiver = {
            let (core, gates) = (Arc::clone(&core), Arc::clone(&gates));
            thread::spawn(move || core.recv(&gates.1, &Patience::ENDLESS).unwrap())
        };
        let sender = {
            let (core, gates) = (Arc::clone(&core), Arc::clone(&gates));
            thread::spawn(move || core.send(&gates.0, 1, &Patience::ENDLESS).unwrap())
        };
        let late = {
            let (core, gates) = (Arc::clone(&core), Arc::clone(&gates));
            thread::spawn(move || core.send(&gates.0, 2, &Patience::ENDLESS).unwrap())
        };
        let here = core.recv(&gates.1, &Patience::ENDLESS).unwrap();
        sender.join().unwrap();
        late.join().unwrap();
        assert_eq!(here + receiver.join().unwrap(), 3);
    });
}

#[test]
fn two_to_two_without_limit() {
    two_to_two(None);
}

#[test]
fn two_to_two_through_one_place() {
    two_to_two(Some(1));
}

#[test]
fn two_to_two_by_rendezvous() {
    two_to_two(Some(0));
}

/// One of two waiting receivers has its end closed; the message still reaches the other.
#[test]
fn a_closed_receiver_passes_its_wake_up_on() {
    explore(2, || {
        let (core, sending, receiving) = core(None);
        let doomed = Arc::new(core.open(Side::Receiving));
        let closed = {
            let (core, doomed) = (Arc::clone(&core), Arc::clone(&doomed));
            thread::spawn(move || core.recv(&doomed, &Patience::ENDLESS))
        };
        let staying = {
            let core = Arc::clone(&core);
            thread::spawn(move || core.recv(&receiving, &Patience::ENDLESS))
        };
        core.try_send(&sending, 7).unwrap();
        assert_eq!(drained(&core, Side::Receiving, &doomed), 0);
        match closed.join().unwrap() {
            // It had it before the close. The other learns of the end.
            Ok(item) => {
                assert_eq!(item, 7);
                assert_eq!(drained(&core, Side::Sending, &sending), 0);
                assert_eq!(staying.join().unwrap(), Err(Absence::Ended));
            }
            Err(absence) => {
                assert_eq!(absence, Absence::Closed);
                assert_eq!(staying.join().unwrap(), Ok(7));
            }
        }
    });
}

/// A send that gives up gives its message back, or it was received: never both, never neither.
#[test]
fn an_offer_is_taken_or_withdrawn() {
    explore(4, || {
        let (core, sending, receiving) = core(Some(0));
        let other = Arc::clone(&core);
        let sender = thread::spawn(move || {
            let impatience = Patience { slice: Some(std::time::Duration::ZERO), ..Patience::ENDLESS };
            let sent = other.send(&sending, 7, &impatience);
            assert_eq!(drained(&other, Side::Sending, &sending), 0);
            sent
        });
        let received = core.recv(&receiving, &Patience::ENDLESS);
        match sender.join().unwrap() {
            Ok(()) => assert_eq!(received, Ok(7)),
            Err(refused) => {
                assert_eq!((refused.item, refused.why), (7, Refusal::Interrupted));
                assert_eq!(received, Err(Absence::Ended));
            }
        }
    });
}

/// The last receiver goes while a sender waits for a place: its message comes back, the queued one goes with the receiver.
#[test]
fn the_last_receiver_frees_senders() {
    for capacity in [0, 1] {
        explore(3, move || {
            let (core, sending, receiving) = core(Some(capacity));
            if capacity == 1 {
                core.try_send(&sending, 1).unwrap();
            }
            let other = Arc::clone(&core);
            let sender = thread::spawn(move || other.send(&sending, 2, &Patience::ENDLESS));
            assert_eq!(drained(&core, Side::Receiving, &receiving), capacity);
            let refused = sender.join().unwrap().unwrap_err();
            assert_eq!((refused.item, refused.why), (2, Refusal::Broken));
        });
    }
}

#[test]
fn a_cancelled_wait_ends() {
    explore(4, || {
        let (core, _sending, receiving) = core(Some(1));
        let cancelled = Arc::new(AtomicBool::new(false));
        let (other, flag) = (Arc::clone(&core), Arc::clone(&cancelled));
        let receiver = thread::spawn(move || other.recv(&receiving, &Patience { cancelled: Some(&flag), ..Patience::ENDLESS }));
        cancelled.store(true, Ordering::Relaxed);
        core.wake_everyone();
        assert_eq!(receiver.join().unwrap(), Err(Absence::Cancelled));
    });
}
