//! Waits that an interpreter supervises: signals, slices and cancellation.

use crate::sync::{AtomicBool, Ordering};
use std::os::unix::thread::JoinHandleExt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::await_waiters;
use crate::channel::error::{RecvError, SendError};
use crate::channel::wait::Patience;
use crate::channel::{Message, Value, channel, wake_everyone};

/// A handler that does nothing, and that has blocking calls return.
fn install_handler() {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: an action of zeros is valid: no flags (so no SA_RESTART), an empty mask; the handler is set below.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as libc::sighandler_t;
    // SAFETY: the action is valid, its handler is async-signal-safe as it does nothing, and no old action is asked for.
    let installed = unsafe { libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()) };
    assert_eq!(installed, 0);
}

/// Signals the thread until it has ended: a signal that falls before its sleep interrupts nothing.
fn interrupt<T>(thread: thread::JoinHandle<T>) -> T {
    while !thread.is_finished() {
        // SAFETY: the thread was not joined yet, so its identifier is valid.
        let sent = unsafe { libc::pthread_kill(thread.as_pthread_t(), libc::SIGUSR1) };
        assert_eq!(sent, 0);
        thread::sleep(Duration::from_millis(1));
    }
    thread.join().unwrap()
}

#[test]
fn a_signal_interrupts_a_receive() {
    install_handler();
    let (sender, receiver) = channel(Some(1));
    let blocked = thread::spawn(move || {
        let interrupted = receiver.recv_patient(&Patience::ENDLESS).map(drop);
        (interrupted, receiver)
    });
    let (interrupted, receiver) = interrupt(blocked);
    assert_eq!(interrupted.unwrap_err(), RecvError::Interrupted);
    sender.send(1).unwrap();
    assert_eq!(receiver.recv().unwrap().value().unwrap().as_i64(), Some(1), "the receiver still works");
}

#[test]
fn a_signal_interrupts_a_send_which_gives_its_message_back() {
    install_handler();
    for capacity in [0, 1] {
        let (sender, receiver) = channel(Some(capacity));
        for n in 0..capacity {
            sender.send(n as i64).unwrap();
        }
        let blocked = thread::spawn(move || {
            let interrupted = sender.send_patient(Message::from("again"), &Patience::ENDLESS);
            (interrupted, sender)
        });
        let (interrupted, sender) = interrupt(blocked);
        let message = interrupted.unwrap_err();
        assert!(message.is_interrupted());
        assert_eq!(receiver.len(), capacity, "nothing of it stays behind");
        let again = thread::spawn(move || sender.send(message.into_message()));
        let texts: Vec<_> = receiver.iter().filter_map(|message| Some(message.value().unwrap().as_str()?.to_owned())).collect();
        assert_eq!(texts, ["again"]);
        again.join().unwrap().unwrap();
    }
}

#[test]
fn an_unsupervised_wait_outlasts_signals() {
    install_handler();
    let (sender, receiver) = channel(Some(1));
    let probe = receiver.clone();
    let blocked = thread::spawn(move || receiver.recv().unwrap().value().unwrap().as_i64());
    await_waiters(&probe, 0, 1);
    for _ in 0..20 {
        // SAFETY: the thread was not joined yet, so its identifier is valid.
        let sent = unsafe { libc::pthread_kill(blocked.as_pthread_t(), libc::SIGUSR1) };
        assert_eq!(sent, 0);
        thread::sleep(Duration::from_millis(1));
    }
    assert!(!blocked.is_finished());
    sender.send(5).unwrap();
    assert_eq!(blocked.join().unwrap(), Some(5));
}

#[test]
fn a_slice_pauses_and_a_deadline_ends() {
    let (sender, receiver) = channel(Some(0));
    let slice = Some(Duration::from_millis(1));
    let endless = Patience { deadline: None, slice, cancelled: None };
    assert_eq!(receiver.recv_patient(&endless).map(drop), Err(RecvError::Interrupted));
    let soon = Some(Instant::now() + Duration::from_millis(30));
    let patience = Patience { deadline: soon, slice, cancelled: None };
    while let Err(RecvError::Interrupted) = receiver.recv_patient(&patience).map(drop) {}
    assert_eq!(receiver.recv_patient(&patience).map(drop), Err(RecvError::TimedOut { senders: 1 }));
    let back = sender.send_patient(Message::from(3), &patience).unwrap_err();
    assert!(back.is_timed_out());
    assert_eq!(back.into_message().value().unwrap().as_i64(), Some(3));
    assert!(sender.send_patient(Message::from(3), &endless).unwrap_err().is_interrupted());
}

#[test]
fn cancelled_waits_end_and_others_go_on() {
    let (sender, receiver) = channel(Some(0));
    let probe = receiver.clone();
    let cancelled = Arc::new(AtomicBool::new(false));
    let doomed = [1, 2, 3].map(|_| {
        let (receiver, cancelled) = (receiver.clone(), Arc::clone(&cancelled));
        thread::spawn(move || receiver.recv_patient(&Patience { cancelled: Some(&cancelled), ..Patience::ENDLESS }).map(drop))
    });
    let staying = thread::spawn(move || receiver.recv().unwrap().value().unwrap().as_i64());
    await_waiters(&probe, 0, 4);
    cancelled.store(true, Ordering::Relaxed);
    wake_everyone();
    for thread in doomed {
        assert_eq!(thread.join().unwrap(), Err(RecvError::Cancelled));
    }
    await_waiters(&probe, 0, 1);
    sender.send(9).unwrap();
    assert_eq!(staying.join().unwrap(), Some(9));
}

#[test]
fn a_cancelled_send_gives_its_message_back() {
    let cancelled = AtomicBool::new(true);
    let patience = Patience { cancelled: Some(&cancelled), ..Patience::ENDLESS };
    for capacity in [0, 1] {
        let (sender, receiver) = channel(Some(capacity));
        for _ in 0..capacity {
            sender.send_patient(Message::from(1), &patience).expect("a send that need not wait is not cancelled");
        }
        let Err(SendError::Cancelled { message }) = sender.send_patient(Message::from(2), &patience) else {
            panic!("it should have been cancelled");
        };
        assert_eq!(message.value().unwrap().as_i64(), Some(2));
        assert_eq!(receiver.len(), capacity);
    }
}

#[test]
fn values_of_ends_name_their_channel() {
    let (sender, receiver) = channel(Some(3));
    let text = format!("{:?}", Value::from(sender));
    assert_eq!(text, format!("Sender(Sender {{ channel: {}, capacity: Some(3), closed: false }})", receiver.channel_id()));
}
