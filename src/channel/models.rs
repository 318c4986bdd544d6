//! Loom models: every interleaving of a few threads, up to a bound on preemptions.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --lib --release models`
//!
//! A lost wake-up shows as a deadlock, a lost or doubled message as a failed count.

use loom::sync::{Arc, Condvar};
use loom::thread;

use super::calls::{Unreceived, Unsent};
use super::futex::ALL;
use super::gate::{Cargo, Gate, Side};
use super::lock::Mutex;
use super::queue::Core;
use super::refusal::{Absence, Refusal};
use super::wait::{Event, Outcome, Patience};
use super::waiters::Waker;
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
        let outcome = match event.budget(&wait) {
            Some(budget) => event.watch(key, budget, &mut wait),
            None => event.sleep(key, ALL, &mut wait),
        };
        assert_eq!(outcome, Outcome::Ready);
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

/// Receivers that are woken one at a time: each wakes the next one, also when it does not receive again.
#[test]
fn who_receives_passes_the_wake_up_on() {
    explore(2, || {
        let (core, sending, receiving) = core(None);
        let receiving = Arc::new(receiving);
        let receivers = [1, 2].map(|_| {
            let (core, receiving) = (Arc::clone(&core), Arc::clone(&receiving));
            thread::spawn(move || core.recv(&receiving, &Patience::ENDLESS).unwrap())
        });
        for item in [1, 2] {
            core.try_send(&sending, item).unwrap();
        }
        let received = receivers.map(|receiver| receiver.join().unwrap());
        assert_eq!(received.iter().sum::<u32>(), 3);
    });
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
            Ok(_) => assert_eq!(received, Ok(7)),
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

/// Somebody who waits without a thread in the channel: here, one that sleeps elsewhere.
#[derive(Debug, Default)]
struct Bell(Mutex<bool>, Condvar);

impl Waker for Bell {
    fn wake(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_one();
    }
}

impl Bell {
    fn waker(self: &std::sync::Arc<Bell>) -> std::sync::Arc<dyn Waker> {
        std::sync::Arc::<Bell>::clone(self)
    }

    fn listen(&self) {
        let mut rung = self.0.lock().unwrap();
        while !std::mem::take(&mut *rung) {
            rung = self.1.wait(rung).unwrap();
        }
    }
}

/// Receives by calls. The message stays lent.
fn lend(core: &Core<u32>, gate: &Gate) -> Result<u32, Absence> {
    let bell = std::sync::Arc::new(Bell::default());
    loop {
        match core.lend_or_call(gate, bell.waker()) {
            Ok(item) => return Ok(item),
            Err(Unreceived::Absent(why)) => return Err(why),
            Err(Unreceived::Pending(_)) => bell.listen(),
        }
    }
}

fn lend_and_deliver(core: &Core<u32>, gate: &Gate) -> Result<u32, Absence> {
    let item = lend(core, gate)?;
    core.delivered();
    Ok(item)
}

/// Sends by calls.
fn send_by_calls(core: &Core<u32>, gate: &Gate, mut item: u32) -> Result<(), Refusal> {
    let bell = std::sync::Arc::new(Bell::default());
    loop {
        match core.send_or_call(gate, item, bell.waker()) {
            Ok(_) => return Ok(()),
            Err(Unsent::NoRoom(_, back)) => {
                item = back;
                bell.listen();
            }
            Err(Unsent::Offered(serial)) => {
                bell.listen();
                return core.withdraw_offer(serial).map_or(Ok(()), |_| Err(Refusal::Broken));
            }
            Err(Unsent::Refused(refused)) => return Err(refused.why),
        }
    }
}

/// One message, a thread and a call that want it: one gets it, the other learns that no more will come.
#[test]
fn a_thread_and_a_call_share_one_message() {
    explore(2, || {
        let (core, sending, receiving) = core(None);
        let remote = core.open(Side::Receiving);
        let called = {
            let core = Arc::clone(&core);
            thread::spawn(move || lend_and_deliver(&core, &remote))
        };
        let sender = {
            let core = Arc::clone(&core);
            thread::spawn(move || {
                core.try_send(&sending, 7).unwrap();
                assert_eq!(drained(&core, Side::Sending, &sending), 0);
            })
        };
        let mut got = [core.recv(&receiving, &Patience::ENDLESS), called.join().unwrap()];
        sender.join().unwrap();
        got.sort_by_key(Result::is_err);
        assert_eq!(got, [Ok(7), Err(Absence::Ended)]);
    });
}

/// Two messages by one place, then the end, all by calls.
fn in_order_by_calls(capacity: Option<usize>) {
    explore(3, move || {
        let (core, sending, receiving) = core(capacity);
        let other = Arc::clone(&core);
        let sender = thread::spawn(move || {
            for item in [1, 2] {
                send_by_calls(&other, &sending, item).unwrap();
            }
            assert_eq!(drained(&other, Side::Sending, &sending), 0);
        });
        for item in [1, 2] {
            assert_eq!(lend_and_deliver(&core, &receiving), Ok(item));
        }
        assert_eq!(lend_and_deliver(&core, &receiving), Err(Absence::Ended));
        sender.join().unwrap();
    });
}

#[test]
fn in_order_by_calls_without_limit() {
    in_order_by_calls(None);
}

#[test]
fn in_order_by_calls_through_one_place() {
    in_order_by_calls(Some(1));
}

#[test]
fn in_order_by_calls_by_rendezvous() {
    in_order_by_calls(Some(0));
}

/// A call that may have been woken is given up: its turn reaches the one behind it.
#[test]
fn a_call_given_up_passes_its_turn_on() {
    for by_closing in [false, true] {
        explore(3, move || {
            let (core, sending, receiving) = core(None);
            let remote = core.open(Side::Receiving);
            let bell = std::sync::Arc::new(Bell::default());
            let Err(Unreceived::Pending(key)) = core.lend_or_call(&remote, bell.waker()) else { panic!("nothing was sent") };
            let receiver = {
                let core = Arc::clone(&core);
                thread::spawn(move || lend_and_deliver(&core, &receiving))
            };
            let sender = {
                let core = Arc::clone(&core);
                thread::spawn(move || {
                    core.try_send(&sending, 7).unwrap();
                    sending
                })
            };
            if by_closing {
                assert_eq!(drained(&core, Side::Receiving, &remote), 0);
            } else {
                core.forget_call(Side::Receiving, &remote, key);
            }
            assert_eq!(receiver.join().unwrap(), Ok(7));
            sender.join().unwrap();
        });
    }
}

/// All senders are gone and the last message is lent: a receiver waits until it is known whether that comes back.
#[test]
fn a_lent_message_puts_the_end_off() {
    for comes_back in [false, true] {
        explore(4, move || {
            let (core, sending, receiving) = core(None);
            let remote = core.open(Side::Receiving);
            core.try_send(&sending, 7).unwrap();
            assert_eq!(lend(&core, &remote), Ok(7));
            let other = Arc::clone(&core);
            let closer = thread::spawn(move || assert_eq!(drained(&other, Side::Sending, &sending), 0));
            let other = Arc::clone(&core);
            let server = thread::spawn(move || {
                if comes_back {
                    assert!(other.take_back(0, 7).is_empty());
                } else {
                    other.delivered();
                }
                assert_eq!(drained(&other, Side::Receiving, &remote), 0);
            });
            let received = core.recv(&receiving, &Patience::ENDLESS);
            assert_eq!(received, if comes_back { Ok(7) } else { Err(Absence::Ended) });
            closer.join().unwrap();
            server.join().unwrap();
        });
    }
}

/// An offer is lent and comes back, before its sender has looked or after it: the sender goes on, and the message waits for the next receiver.
#[test]
fn an_offer_that_comes_back_is_sent() {
    explore(4, || {
        let (core, sending, receiving) = core(Some(0));
        let other = Arc::clone(&core);
        let sender = thread::spawn(move || other.send(&sending, 7, &Patience::ENDLESS).unwrap());
        assert_eq!(lend(&core, &receiving), Ok(7));
        assert!(core.take_back(0, 7).is_empty());
        sender.join().unwrap();
        assert_eq!(core.try_recv(&receiving), Ok(7));
    });
}

/// The last receiver goes while a call waits to send.
#[test]
fn the_last_receiver_frees_calls() {
    for capacity in [0, 1] {
        explore(3, move || {
            let (core, sending, receiving) = core(Some(capacity));
            if capacity == 1 {
                core.try_send(&sending, 1).unwrap();
            }
            let other = Arc::clone(&core);
            let sender = thread::spawn(move || send_by_calls(&other, &sending, 2));
            assert_eq!(drained(&core, Side::Receiving, &receiving), capacity);
            assert_eq!(sender.join().unwrap(), Err(Refusal::Broken));
        });
    }
}
