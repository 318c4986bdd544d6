//! What a forked child does with the channels of its parent: nothing, and that at once.

use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::number;
use crate::channel::calls::Unreceived;
use crate::channel::refusal::Absence;
use crate::channel::{RecvError, Value, WeakEnd, channel, wake_everyone};
use crate::sync::{AtomicBool, Ordering};
use crate::{Receiver, Sender};

/// Runs an ignored test alone in a process.
fn in_a_process(test: &str) -> std::process::ExitStatus {
    let program = std::env::current_exe().expect("this test's program");
    let name = format!("channel::tests::forked::{test}");
    Command::new(program).args([&name, "--exact", "--ignored", "--test-threads=1"]).status().expect("a process")
}

/// Whether `child` held in a forked child, which is ended if it hangs.
fn forked(child: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child only uses this crate, which is to bear that, and ends by `_exit`.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: the default action of the signal ends the child.
        unsafe { libc::alarm(20) };
        let held = child();
        // SAFETY: ends the process at once.
        unsafe { libc::_exit(if held { 0 } else { 1 }) };
    }
    let mut status = -1;
    // SAFETY: `status` is this function's.
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
    status == 0
}

/// All that can be asked of inherited ends.
fn all_fails(sender: &Sender, receiver: &Receiver) -> bool {
    let refused = [sender.send(1), sender.try_send(1), sender.send_timeout(1, Duration::ZERO), sender.post(1).map(drop)];
    let absent = [receiver.recv(), receiver.try_recv(), receiver.recv_timeout(Duration::ZERO)];
    let lent = receiver.lend_or_call(Arc::new(Deaf));
    sender.close();
    refused.into_iter().all(|sent| sent.is_err_and(|why| why.is_inherited() && why.to_string().contains("inherited by fork")))
        && absent.into_iter().all(|received| received.is_err_and(|why| why.is_inherited()))
        && matches!(lent, Err(Unreceived::Absent(Absence::Inherited)))
        && sender.is_closed()
        && sender.clone().try_send(1).is_err_and(|why| why.is_inherited())
        && receiver.clone().try_recv().is_err_and(|why| why == RecvError::Inherited)
        && sender.same_channel(receiver)
        && sender.withdraw(0).is_none()
        && !sender.holds(0)
        && (sender.len(), sender.statistics().senders, sender.capacity()) == (0, 0, Some(4))
}

#[derive(Debug)]
struct Deaf;

impl crate::channel::Waker for Deaf {
    fn wake(&self) {}
}

/// Channels that a child makes for itself.
fn own_channels_work(inherited: u64) -> bool {
    let (sender, receiver) = channel(Some(0));
    let sending = thread::spawn(move || sender.send(Value::from(3)));
    wake_everyone();
    number(receiver.recv().unwrap()) == 3 && sending.join().unwrap().is_ok() && receiver.channel_id() != inherited
}

#[test]
#[ignore = "alone in a process: it forks"]
fn process_forks() {
    let (sender, receiver) = channel(Some(4));
    let (token, witness) = channel(None);
    sender.send(token).unwrap();
    let weak: WeakEnd = receiver.downgrade();
    let id = sender.channel_id();
    let ends = (sender, receiver);
    let held = forked(|| {
        let failed = all_fails(&ends.0, &ends.1) && weak.is_closed();
        drop(ends);
        failed && own_channels_work(id) && witness.statistics().senders == 0
    });
    assert!(held);
}

/// Other threads hold each lock there is at the moment of the fork.
#[test]
#[ignore = "alone in a process: it forks"]
fn process_forks_while_its_threads_are_busy() {
    let over = Arc::new(AtomicBool::new(false));
    let (sender, receiver) = channel(Some(4));
    let busy = [0, 1].map(|_| {
        let (sender, receiver, over) = (sender.clone(), receiver.clone(), Arc::clone(&over));
        thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let _ = sender.try_send(channel(None).0);
                let _ = receiver.try_recv();
                wake_everyone();
            }
        })
    });
    for _ in 0..300 {
        let (sender, receiver) = (sender.clone(), receiver.clone());
        let id = sender.channel_id();
        assert!(forked(move || {
            let failed = all_fails(&sender, &receiver);
            drop((sender, receiver));
            failed && own_channels_work(id)
        }));
    }
    over.store(true, Ordering::Relaxed);
    for thread in busy {
        thread.join().unwrap();
    }
}

#[test]
fn a_forked_child_leaves_channels_alone() {
    assert!(in_a_process("process_forks").success());
}

#[test]
fn a_forked_child_finds_no_lock_held() {
    assert!(in_a_process("process_forks_while_its_threads_are_busy").success());
}
