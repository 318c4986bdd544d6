//! Floors for the benchmark: what the machine and CPython take at least, measured through this very extension.

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
        fast "_floor_post" => post, "_floor_post($module, word, by, /)\n--\n\nRaises a word and wakes who sleeps on it: one system call.";
        fast "_floor_wait" => wait, "_floor_wait($module, word, seen, /)\n--\n\nSleeps, without spinning, until a word differs from `seen`; returns its value.";
        fast "_floor_futex" => threads, "_floor_futex($module, trips, /)\n--\n\nSeconds of each of so many round trips by futex to another thread, without Python.";
        fast "_floor_packets" => packets, "_floor_packets($module, trips, /)\n--\n\nSeconds of each of so many round trips of a packet of 64 bytes to a forked process.";
        fast "_floor_blocks" => blocks, "_floor_blocks($module, rounds, size, /)\n--\n\nSeconds that so many allocations and releases of a block take.";
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
    let [word, by] = numbers(py, arguments, ["word", "by"])?;
    raise_word(&WORDS[word as usize % WORDS.len()], by);
    Ok(Owned::none(py))
}

fn wait(_: &State, py: Attached<'_>, arguments: Arguments<'_>) -> PyResult<Owned> {
    let [word, seen] = numbers(py, arguments, ["word", "seen"])?;
    let now = detach(py, || await_word(&WORDS[word as usize % WORDS.len()], seen));
    Owned::unsigned(py, now.into())
}

fn raise_word(word: &AtomicU32, by: u32) {
    word.fetch_add(by, Ordering::Release); // pairs with the Acquire in `await_word`
    let _ = futex::wake(word, futex::Flags::PRIVATE, 1);
}

fn await_word(word: &AtomicU32, seen: u32) -> u32 {
    loop {
        let now = word.load(Ordering::Acquire);
        if now != seen {
            return now;
        }
        let _ = futex::wait(word, futex::Flags::PRIVATE, seen, None);
    }
}

fn threads(_: &State, py: Attached<'_>, arguments: Arguments<'_>) -> PyResult<Owned> {
    let [trips] = numbers(py, arguments, ["trips"])?;
    let (there, back) = (AtomicU32::new(0), AtomicU32::new(0));
    let seconds = detach(py, || {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for seen in 0..=trips {
                    await_word(&there, seen);
                    raise_word(&back, 1);
                }
            });
            let trip = |seen| {
                raise_word(&there, 1);
                await_word(&back, seen)
            };
            trip(0);
            (1..=trips).map(|seen| timed(|| trip(seen)).1).collect()
        })
    });
    list(py, seconds)
}

fn packets(_: &State, py: Attached<'_>, arguments: Arguments<'_>) -> PyResult<Owned> {
    let [trips] = numbers(py, arguments, ["trips"])?;
    let seconds = detach(py, || ping_pong(trips));
    list(py, seconds.map_err(|errno| Raised::os_error(py, errno.raw_os_error(), "socketpair"))?)
}

fn ping_pong(trips: u32) -> rustix::io::Result<Vec<f64>> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let mut packet = [0; 64];
    // SAFETY: the child makes system calls on its own stack only, and ends by `_exit`.
    let child = unsafe { libc::fork() };
    if child < 0 {
        return Err(rustix::io::Errno::AGAIN);
    }
    if child == 0 {
        drop(ours);
        while rustix::io::read(&theirs, &mut packet).is_ok_and(|read| read > 0) && rustix::io::write(&theirs, &packet).is_ok() {}
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(0) };
    }
    drop(theirs);
    let mut trip = || rustix::io::write(&ours, &packet.clone()).and_then(|_| rustix::io::read(&ours, &mut packet));
    let seconds = trip().and_then(|_| {
        (0..trips)
            .map(|_| {
                let (done, seconds) = timed(&mut trip);
                done.map(|_| seconds)
            })
            .collect()
    });
    drop(ours);
    // SAFETY: waits for the child above, which ends as its socket has.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    seconds
}

fn blocks(state: &State, py: Attached<'_>, arguments: Arguments<'_>) -> PyResult<Owned> {
    let [rounds, size] = numbers(py, arguments, ["rounds", "size"])?;
    let measured = crate::Arena::new(Budget::bytes(64 << 20)).and_then(|arena| {
        let (done, seconds) = timed(|| (0..rounds).try_for_each(|_| arena.allocate(size as usize).map(drop)));
        done.map(|()| seconds)
    });
    Owned::float(py, measured.map_err(|error| state.errors.raise(py, &error))?)
}

/// What the work returns, and the seconds that it takes.
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let done = work();
    (done, start.elapsed().as_secs_f64())
}

fn list(py: Attached<'_>, seconds: Vec<f64>) -> PyResult<Owned> {
    let seconds: PyResult<Vec<Owned>> = seconds.into_iter().map(|seconds| Owned::float(py, seconds)).collect();
    Owned::list(py, seconds?)
}
