//! Tests of the whole room, below the public API.

mod allocation;
mod foreign;
mod forks;
mod lifetime;
mod memory;
mod model;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitStatus};

use super::{Arena, Budget};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

fn arena(budget: usize) -> Arena {
    Arena::new(Budget::bytes(budget as u64)).expect("an arena")
}

/// Runs one ignored test alone in a child process, where it may do what would disturb others.
fn in_a_child(test: &str) -> ExitStatus {
    let program = std::env::current_exe().expect("this test's program");
    let name = format!("arena::tests::{test}");
    Command::new(program).args([&name, "--exact", "--ignored", "--test-threads=1"]).status().expect("a child")
}

/// Forks, has the child run `body`, and returns its status: 0 unless it panicked, or was killed since it did not come to an end.
fn forked(body: impl FnOnce()) -> i32 {
    // SAFETY: the child only uses what it is made to be used in children, and ends by `_exit`.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: a watchdog for this process alone.
        unsafe { libc::alarm(30) };
        let done = catch_unwind(AssertUnwindSafe(body)).is_ok();
        // SAFETY: ends the process at once.
        unsafe { libc::_exit(if done { 0 } else { 1 }) };
    }
    let mut status = -1;
    // SAFETY: `status` is this function's.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    status
}
