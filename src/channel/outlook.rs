//! What a thread that waits may attend to besides: what comes from other processes, so that no other thread has to be woken for it.
//!
//! The layer that knows other processes says how, once; until then there is nothing to attend to.

use std::sync::OnceLock;
use std::time::Duration;

use super::futex::Sleep;
use crate::sync::AtomicU32;

/// A look out, for as long as a thread looks for its own news. It ends when it is dropped.
pub(crate) trait Look {
    /// Takes in what has come, and does what it says. It is short, never blocks, and may use channels.
    fn look(&mut self);
}

/// Sleeping with an ear to other processes. It ends when it is dropped.
pub(crate) trait Listen {
    /// Sleeps while the word is `seen`, at most for `time`, and does what comes meanwhile.
    fn sleep(&mut self, word: &AtomicU32, seen: u32, time: Option<Duration>) -> Sleep;

    /// The processor from which another process may have woken it, as far as it knows: a hint.
    fn woken_from(&self) -> Option<u32>;
}

/// How both begin, if there is anything to attend to and nobody else does.
pub(crate) struct Outlook {
    pub(crate) look: fn() -> Option<Box<dyn Look>>,
    pub(crate) listen: fn() -> Option<Box<dyn Listen>>,
    /// Takes in all that was said before the call.
    pub(crate) catch_up: fn(),
}

static OUTLOOK: OnceLock<Outlook> = OnceLock::new();

/// From now on threads that wait attend to that.
pub(crate) fn attend_to(outlook: Outlook) {
    let _ = OUTLOOK.set(outlook); // a second time says the same
}

pub(super) fn look_out() -> Option<Box<dyn Look>> {
    OUTLOOK.get().and_then(|outlook| (outlook.look)())
}

pub(super) fn listen() -> Option<Box<dyn Listen>> {
    OUTLOOK.get().and_then(|outlook| (outlook.listen)())
}

pub(super) fn catch_up() {
    if let Some(outlook) = OUTLOOK.get() {
        (outlook.catch_up)();
    }
}
