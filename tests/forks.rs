//! A program in Rust that forks: its child sends what it inherited.

use std::time::Duration;

use crossbuf::channel::Value;
use crossbuf::{channel, process};

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

#[test]
fn a_child_sends_an_end_home_that_it_never_used() {
    let service = process::publish(&format!("crossbuf test: forks {}", std::process::id()), None).unwrap();
    let (sender, receiver) = channel(None);
    let (inherited, answers) = channel(None);
    let work = || sender.send(inherited).is_ok();
    let held = in_a_child(work, || {
        let Value::Sender(back) = receiver.recv_timeout(PATIENCE).unwrap().value().unwrap() else { panic!("not an end") };
        back.send(7).unwrap();
        assert_eq!(answers.recv_timeout(PATIENCE).unwrap().value().unwrap().as_i64(), Some(7));
    });
    assert!(held);
    drop(service);
}
