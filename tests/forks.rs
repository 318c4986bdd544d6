//! A program in Rust that forks: its child sends what it inherited.

use std::cell::Cell;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbuf::array::Order;
use crossbuf::channel::{Message, Value};
use crossbuf::{Arena, ArrayMeta, Receiver, channel, process};

const PATIENCE: Duration = Duration::from_secs(60);

/// Runs it in a forked child; whether it held, and the child did not hang.
fn in_a_child(work: impl FnOnce() -> bool, meanwhile: impl FnOnce()) -> bool {
    // SAFETY: the child only uses this crate, which is to bear that, and ends by `_exit`.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: the default action of the signal ends the child.
        unsafe { libc::alarm(20) };
        let held = work();
        // SAFETY: ends the process at once.
        unsafe { libc::_exit(i32::from(!held)) };
    }
    meanwhile();
    let mut status = -1;
    // SAFETY: `status` is this function's.
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
    status == 0
}

/// A server for this process. One test at a time has it: each child would keep what the others have.
fn service() -> (process::Service, MutexGuard<'static, ()>) {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    (process::publish(&format!("crossbuf test: forks {}", std::process::id()), None).unwrap(), turn)
}

fn received(receiver: &Receiver) -> Value {
    receiver.recv_timeout(PATIENCE).unwrap().value().unwrap()
}

#[test]
fn a_child_sends_an_end_home_that_it_never_used() {
    let _service = service();
    let (sender, receiver) = channel(None);
    let (inherited, answers) = channel(None);
    let held = in_a_child(
        || sender.send(inherited).is_ok(),
        || {
            let Value::Sender(back) = received(&receiver) else { panic!("not an end") };
            back.send(7).unwrap();
            assert_eq!(received(&answers).as_i64(), Some(7));
        },
    );
    assert!(held);
}

#[test]
fn a_child_sends_a_message_home_that_was_made_before() {
    let _service = service();
    let (sender, receiver) = channel(None);
    let (inherited, _answers) = channel(None);
    let message = Message::from(inherited);
    assert!(in_a_child(|| sender.send(message).is_ok(), || assert!(matches!(received(&receiver), Value::Sender(_)))));
}

#[test]
fn a_child_sends_an_end_home_that_is_lost() {
    let _service = service();
    let (sender, receiver) = channel(None);
    let (go, told) = channel(None);
    let ends = Cell::new(Some(channel(None)));
    let meta = ArrayMeta::contiguous("|u1".parse().unwrap(), &[3], Order::C).unwrap();
    let array = Arena::shared().unwrap().share(meta, &[7; 3]).unwrap();
    let held = in_a_child(
        || {
            let (used, lost) = ends.take().unwrap();
            received(&told);
            // What is kept for a child of a channel goes when it asks for an end of it, and the channel with the last end.
            let _ = used.send(1);
            drop(used);
            let with_array = Value::List(vec![array.clone().into(), lost.clone().into()]);
            lost.try_recv().is_err_and(|why| why.is_inherited())
                && sender.send(with_array).is_ok()
                && sender.send(lost).is_ok()
                && (1..100).all(|number| sender.send(number).is_ok())
        },
        || {
            drop(ends.take());
            go.send(()).unwrap();
            let Value::List(items) = received(&receiver) else { panic!("not a list") };
            assert!(matches!(&items[..], [Value::Array(_), Value::Receiver(lost)] if lost.recv().is_err()));
            // Its end is told to the child.
            drop(items);
            assert!(matches!(received(&receiver), Value::Receiver(_)));
            assert!((1..100).all(|number| received(&receiver).as_i64() == Some(number)));
        },
    );
    assert!(held);
}

#[test]
fn a_message_made_in_a_child_keeps_its_channel_open() {
    let _service = service();
    let (sender, receiver) = channel(None);
    let (go, told) = channel(None);
    let ends = Cell::new(Some(channel(None)));
    let held = in_a_child(
        || {
            let (kept, used) = ends.take().unwrap();
            received(&told);
            let message = Message::from(kept);
            let is_open = used.try_recv().is_err_and(|why| why.is_empty());
            drop(used);
            is_open && sender.send(message).is_ok()
        },
        || {
            drop(ends.take());
            go.send(()).unwrap();
            assert!(matches!(received(&receiver), Value::Sender(back) if !back.is_closed()));
        },
    );
    assert!(held);
}
