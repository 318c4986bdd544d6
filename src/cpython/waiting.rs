//! Sending and receiving for Python: first without letting go of the interpreter, then detached from it.
//!
//! | thread | a signal comes |
//! |---|---|
//! | main thread, main interpreter | its handler runs; if that does not raise, the wait goes on |
//! | main thread, in a sub-interpreter | `InterruptedError`: handlers run only once control is back in the main interpreter |
//! | any other | the wait goes on |
//!
//! A signal may come just before the thread falls asleep, or be delivered to another thread; the main thread of the main interpreter
//! therefore wakes up now and then to look.

use std::time::{Duration, Instant};

use super::safe::{Attached, Borrowed, PyResult, Raised, detach, run_signal_handlers};
use super::state::State;
use crate::channel::{Attachment, Message, Outcome, Patience, RecvError, SendError};
use crate::process::Asked;

/// How long a signal may go unnoticed at worst.
const SLICE: Duration = Duration::from_millis(200);

/// What the end of the interpreter does to a call that waits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum AtExit {
    /// It raises SystemExit: what it waits for may never come.
    GivesUp,
    /// It waits on, for what threads will do that Python joins at exit.
    GoesOn,
}

/// How long a call may wait.
#[derive(Clone, Copy)]
pub(super) enum Timeout {
    /// Not at all.
    Now,
    Until(Instant),
    Forever,
}

impl Timeout {
    /// From seconds, `None` for ever. Errors with TypeError on what is no number, ValueError on NaN and negative numbers.
    pub(super) fn from_python(py: Attached<'_>, timeout: Option<Borrowed<'_>>) -> PyResult<Timeout> {
        let Some(timeout) = timeout.filter(|timeout| !timeout.is_none()) else { return Ok(Timeout::Forever) };
        let refuse = |what: &str| format!("timeout={} is {what}; give seconds, or None to wait for ever", timeout.describe(py));
        if timeout.is_bool() {
            return Err(Raised::type_error(py, &refuse("a bool")));
        }
        let seconds = timeout.as_f64(py).map_err(|raised| {
            let is_number = raised.is_overflow_error(py);
            drop(raised.take(py));
            if is_number { Raised::value_error(py, &refuse("too large")) } else { Raised::type_error(py, &refuse("not a number")) }
        })?;
        if seconds.is_nan() || seconds < 0.0 {
            return Err(Raised::value_error(py, &refuse(if seconds.is_nan() { "not a time" } else { "negative" })));
        }
        if seconds == 0.0 {
            return Ok(Timeout::Now);
        }
        // What neither a Duration nor the clock can hold is longer than anyone waits.
        let end = Duration::try_from_secs_f64(seconds).ok().and_then(|duration| Instant::now().checked_add(duration));
        Ok(end.map_or(Timeout::Forever, Timeout::Until))
    }

    /// From the arguments `block` and `timeout` of queues. As there, `timeout` does not matter when the call shall not block.
    pub(super) fn of_queue(py: Attached<'_>, block: Option<Borrowed<'_>>, timeout: Option<Borrowed<'_>>) -> PyResult<Timeout> {
        match block {
            Some(block) if !block.is_truthy(py)? => Ok(Timeout::Now),
            _ => Timeout::from_python(py, timeout),
        }
    }
}

/// Errors with Full when a message that may not wait would find no place. To be asked before a message is made that takes work.
pub(super) fn check_place(py: Attached<'_>, state: &State, sender: &crate::Sender, timeout: Timeout) -> PyResult<()> {
    match (timeout, sender.capacity()) {
        // Whether a receiver waits for a rendezvous, only sending can tell; and asking another process takes as long as sending there.
        (Timeout::Now, Some(capacity @ 1..)) if sender.remote().is_none() && sender.len() >= capacity => {
            Err(state.errors.not_sent(py, &SendError::Full { message: Box::default(), capacity: Some(capacity) }))
        }
        _ => Ok(()),
    }
}

/// Sends. Errors with Full, Closed, Broken; then the message was not sent.
pub(super) fn send(py: Attached<'_>, state: &State, sender: &crate::Sender, message: Message, timeout: Timeout) -> PyResult<()> {
    let mut message = match (try_send(py, sender, message, timeout), timeout) {
        (Ok(()), _) => return Ok(()),
        (Err(SendError::Full { message, .. }), Timeout::Until(_) | Timeout::Forever) => *message,
        (Err(refused), _) => return Err(state.errors.not_sent(py, &refused)),
    };
    let supervision = Supervision::begin(py, state, AtExit::GivesUp)?;
    let patience = supervision.patience(state, timeout, AtExit::GivesUp);
    loop {
        match detach(py, || sender.send_patient(message, &patience)) {
            Ok(()) => return Ok(()),
            Err(SendError::Interrupted { message: back }) => message = *back,
            Err(refused) => return Err(state.errors.not_sent(py, &refused)),
        }
        supervision.interrupted(py)?;
    }
}

/// Receives. Errors with Empty, Closed, Ended.
pub(super) fn receive(py: Attached<'_>, state: &State, receiver: &crate::Receiver, timeout: Timeout, at_exit: AtExit) -> PyResult<Message> {
    receive_or_end(py, state, receiver, timeout, at_exit)?.ok_or_else(|| state.errors.not_received(py, &RecvError::Ended))
}

/// Receives; `None` when no message will come. Errors with Empty, Closed.
pub(super) fn receive_or_end(
    py: Attached<'_>,
    state: &State,
    receiver: &crate::Receiver,
    timeout: Timeout,
    at_exit: AtExit,
) -> PyResult<Option<Message>> {
    match try_receive(py, receiver, timeout) {
        None => {}
        Some(Ok(message)) => return Ok(Some(message)),
        Some(Err(RecvError::Ended)) => return Ok(None),
        Some(Err(absence)) => return Err(state.errors.not_received(py, &absence)),
    }
    let supervision = Supervision::begin(py, state, at_exit)?;
    let patience = supervision.patience(state, timeout, at_exit);
    loop {
        // A message that has come counts more than a signal: the handler runs when the call is over.
        match detach(py, || receiver.recv_patient(&patience)) {
            Ok(message) => return Ok(Some(message)),
            Err(RecvError::Ended) => return Ok(None),
            Err(RecvError::Interrupted) => supervision.interrupted(py)?,
            Err(absence) => return Err(state.errors.not_received(py, &absence)),
        }
    }
}

/// Waits for what another process has been asked for, or has it already.
pub(super) fn answer(py: Attached<'_>, state: &State, asked: Asked<'_>) -> PyResult<Attachment> {
    match asked {
        Asked::Found(found) => Ok(found),
        // Called off when the wait is given up.
        Asked::Waiting(mut request) => attend(py, state, |patience| request.wait(patience)),
    }
}

/// Waits by `wait`, which goes on where it was interrupted.
pub(super) fn attend<T: Send>(
    py: Attached<'_>,
    state: &State,
    mut wait: impl FnMut(&Patience<'_>) -> Result<crate::Result<T>, Outcome> + Send,
) -> PyResult<T> {
    let supervision = Supervision::begin(py, state, AtExit::GivesUp)?;
    let patience = supervision.patience(state, Timeout::Forever, AtExit::GivesUp);
    loop {
        match detach(py, || wait(&patience)) {
            Ok(done) => return done.map_err(|error| state.errors.raise(py, &error)),
            Err(Outcome::Cancelled) => return Err(state.errors.not_received(py, &RecvError::Cancelled)),
            Err(_) => supervision.interrupted(py)?,
        }
    }
}

/// The first try, without letting go of the interpreter. Ends of other processes cannot try without waiting for an answer: a call that may wait
/// does not try first, one that may not is detached.
fn try_send(py: Attached<'_>, sender: &crate::Sender, message: Message, timeout: Timeout) -> Result<(), SendError> {
    match (sender.remote(), timeout) {
        (None, _) => sender.try_send(message),
        (Some(_), Timeout::Now) => detach(py, || sender.try_send(message)),
        (Some(_), Timeout::Until(_) | Timeout::Forever) => Err(SendError::Full { message: Box::new(message), capacity: None }),
    }
}

/// As `try_send`; `None` when the call is to wait.
fn try_receive(py: Attached<'_>, receiver: &crate::Receiver, timeout: Timeout) -> Option<Result<Message, RecvError>> {
    match (receiver.remote(), timeout) {
        (None, Timeout::Now) => Some(receiver.try_recv()),
        (None, Timeout::Until(_) | Timeout::Forever) => receiver.recv_at_once(),
        (Some(_), Timeout::Now) => Some(detach(py, || receiver.try_recv())),
        (Some(_), Timeout::Until(_) | Timeout::Forever) => None,
    }
}

/// What a signal means for the call that waits.
enum Supervision {
    /// Handlers can run here.
    Handlers,
    /// Handlers can run once the call is over.
    HandlersAbove,
    /// Signals are for another thread.
    Elsewhere,
}

impl Supervision {
    /// Errors with SystemExit when nobody may wait any more.
    fn begin(py: Attached<'_>, state: &State, at_exit: AtExit) -> PyResult<Supervision> {
        state.exit_hook.stay_first(py, &state.lifetime);
        if state.lifetime.is_ending() && at_exit == AtExit::GivesUp {
            return Err(state.errors.not_received(py, &RecvError::Cancelled));
        }
        Ok(match (is_main_thread(), state.lifetime.is_main()) {
            (true, true) => Supervision::Handlers,
            (true, false) => Supervision::HandlersAbove,
            (false, _) => Supervision::Elsewhere,
        })
    }

    fn patience<'a>(&self, state: &'a State, timeout: Timeout, at_exit: AtExit) -> Patience<'a> {
        Patience {
            deadline: if let Timeout::Until(end) = timeout { Some(end) } else { None },
            slice: matches!(self, Supervision::Handlers).then_some(SLICE),
            cancelled: (at_exit == AtExit::GivesUp).then(|| state.lifetime.ending()),
        }
    }

    fn interrupted(&self, py: Attached<'_>) -> PyResult<()> {
        match self {
            Supervision::Handlers => run_signal_handlers(py),
            Supervision::HandlersAbove => Err(Raised::os_error(
                py,
                rustix::io::Errno::INTR.raw_os_error(),
                "a signal came; its handler runs in the main interpreter, so let this call end or wait again",
            )),
            Supervision::Elsewhere => Ok(()),
        }
    }
}

/// Whether signals are this thread's business: it is the process's first one.
pub(super) fn is_main_thread() -> bool {
    thread_local! {
        // After a fork the only thread is the main one, but may remember that it was not. It then looks at signals only as they come.
        static ANSWER: bool = rustix::thread::gettid() == rustix::process::getpid();
    }
    ANSWER.with(|&answer| answer)
}
