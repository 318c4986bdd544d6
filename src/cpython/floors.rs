//! Floors for the benchmark (feature `floors`): what the machine and CPython take at least, measured through this very extension.

use crate::sync::{AtomicU32, Ordering};
use std::time::Instant;

use pyo3_ffi as ffi;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::thread::futex;

use super::safe::{Arguments, Attached, Borrowed, Owned, PyResult, Raised, Signature, detach, methods};
use super::state::State;
use crate::Budget;

/// Words to sleep on: each counts how often it was posted.
static WORDS: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];

methods! {
    static FUNCTIONS for &State {
        fast "floor_post" => post, "floor_post($module, word, /)\n--\n\nRaises a word by one and wakes who sleeps on it: one system call.";
        fast "floor_wait" => wait, "floor_wait($module, word, seen, /)\n--\n\nSleeps, without spinning, until a word differs from `seen`; returns its value.";
        fast "floor_packets" => packets, "floor_packets($module, rounds, /)\n--\n\nSeconds that so many round trips of a packet of 64 bytes take to a forked process.";
        fast "floor_allocate" => allocate, "floor_allocate($module, rounds, size, /)\n--\n\nSeconds that so many allocations and releases of a block take.";
    }
}

/// Adds the functions to the module.
pub(super) fn publish(py: Attached<'_>, module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: attached; the table is static and ends with an empty entry.
    match unsafe { ffi::PyModule_AddFunctions(module.as_ptr(), FUNCTIONS.0.as_ptr().cast_mut()) } {
        0 => Ok(()),
        _ => Err(Raised::runtime_error(py, "cannot add the floors")),
    }
}

/// The small numbers that a floor is called with.
fn numbers<const N: usize>(py: Attached<'_>, arguments: Arguments<'_>, names: [&'static str; N]) -> PyResult<[u32; N]> {
    let signature = Signature { function: "floor", names, required: N, positional: N };
    let mut numbers = [0; N];
    for (number, given) in numbers.iter_mut().zip(arguments.bind(py, &signature)?) {
        *number = given.expect("bind checks what is required").as_u64(py)? as u32;
    }
    Ok(numbers)
}

fn post(_: &State, py: Attached<'_>, arguments: Arguments<'_>) -> PyResult<Owned> {
    let [word] = numbers(py, arguments, ["word"])?;
    let word = &WORDS[word as usize % WORDS.len()];
    word.fetch_add(1, Ordering::Release); // pairs with the Acquire in `wait`
    let _ = futex::wake(word, futex::Flags::PRIVATE, 1);
    Ok(Owned::none(py))
}

fn wait(_: &State, py: Attached<'_>, arguments: Arguments<'_>) -> PyResult<Owned> {
    let [word, seen] = numbers(py, arguments, ["word", "seen"])?;
    let word = &WORDS[word as usize % WORDS.len()];
    let now = detach(py, || {
        loop {
            let now = word.load(Ordering::Acquire);
            if now != seen {
                return now;
            }
            let _ = futex::wait(word, futex::Flags::PRIVATE, seen, None);
        }
    });
    Owned::unsigned(py, now.into())
}

fn packets(_: &State, py: Attached<'_>, arguments: Arguments<'_>) -> PyResult<Owned> {
    let [rounds] = numbers(py, arguments, ["rounds"])?;
    let seconds = detach(py, || ping_pong(rounds));
    Owned::float(py, seconds.map_err(|errno| Raised::os_error(py, errno.raw_os_error(), "socketpair"))?)
}

fn ping_pong(rounds: u32) -> rustix::io::Result<f64> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let mut packet = [0; 64];
    // SAFETY: the child makes system calls on its own stack only, and ends by `_exit`.
    if unsafe { libc::fork() } == 0 {
        drop(ours);
        while rustix::io::read(&theirs, &mut packet).is_ok_and(|read| read > 0) && rustix::io::write(&theirs, &packet).is_ok() {}
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(0) };
    }
    drop(theirs);
    let mut trip = || rustix::io::write(&ours, &packet.clone()).and_then(|_| rustix::io::read(&ours, &mut packet));
    trip()?;
    let start = Instant::now();
    for _ in 0..rounds {
        trip()?;
    }
    let seconds = start.elapsed().as_secs_f64();
    drop(ours);
    // SAFETY: any child that has ended will do: it is the one above, or somebody's whom nobody waits for.
    unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) };
    Ok(seconds)
}

fn allocate(state: &State, py: Attached<'_>, arguments: Arguments<'_>) -> PyResult<Owned> {
    let [rounds, size] = numbers(py, arguments, ["rounds", "size"])?;
    let measured = crate::Arena::new(Budget::bytes(64 << 20)).and_then(|arena| {
        let start = Instant::now();
        for _ in 0..rounds {
            drop(arena.allocate(size as usize)?);
        }
        Ok(start.elapsed().as_secs_f64())
    });
    Owned::float(py, measured.map_err(|error| state.errors.raise(py, &error))?)
}
