//! Dropping messages that nobody can receive any more, without recursion.
//!
//! Such a message may hold the last receiver of another channel, whose messages must go too, and so on.

use std::cell::RefCell;
use std::collections::VecDeque;

use super::message::Message;
use super::pile::{self, Pile, work_off};

thread_local! {
    static PILE: Pile<Message> = const { RefCell::new(None) };
}

/// Does work that leaves nothing to dispose of, whatever this thread is doing.
pub(super) fn apart<R>(work: impl FnOnce() -> R) -> R {
    pile::apart(&PILE, work)
}

pub(super) fn dispose(messages: VecDeque<Message>) {
    work_off(&PILE, Vec::from(messages), drop);
}
