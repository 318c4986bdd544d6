//! Dropping messages that nobody can receive any more, without recursion.
//!
//! Such a message may hold the last receiver of another channel, whose messages must go too, and so on. Only the outermost call
//! on a thread drops; calls from within it leave their messages on a pile.

use std::cell::RefCell;
use std::collections::VecDeque;

use super::message::Message;

thread_local! {
    /// What waits to be dropped; `None` while no call is under way.
    static PILE: RefCell<Option<Vec<Message>>> = const { RefCell::new(None) };
}

pub(super) fn dispose(messages: VecDeque<Message>) {
    if messages.is_empty() {
        return;
    }
    let mut messages = Vec::from(messages);
    let outermost = PILE.try_with(|pile| match &mut *pile.borrow_mut() {
        Some(pile) => {
            pile.append(&mut messages);
            false
        }
        idle => {
            *idle = Some(Vec::new());
            true
        }
    });
    // A thread so near its end that it has no pile drops directly, recursion or not.
    if outermost != Ok(true) {
        return;
    }
    while !messages.is_empty() {
        drop(messages);
        messages = PILE.with_borrow_mut(|pile| pile.as_mut().map(std::mem::take).unwrap_or_default());
    }
    PILE.set(None);
}
