//! A request that waits for its answer.

use std::sync::{Arc, Mutex, PoisonError};

use super::wire::Verdict;
use crate::channel::{ALL, Attachment, Event, Message, Outcome, Patience};
use crate::sync::{AtomicBool, Ordering};

/// What a request came to.
#[derive(Debug)]
pub(super) enum Reply {
    /// A message, which is ours once we say so.
    Delivered {
        delivery: u64,
        message: Message,
    },
    /// What was asked for.
    Part(Attachment),
    Figures([u64; 8]),
    Verdict(Verdict, String),
    /// The other process is gone, and why.
    Gone(Arc<str>),
}

/// One request. Whoever made it waits here, the server's thread fills it.
#[derive(Debug)]
pub(super) struct Call {
    reply: Mutex<Option<Reply>>,
    filled: AtomicBool,
    event: Event,
}

impl Call {
    pub(super) fn new() -> Arc<Call> {
        Arc::new(Call { reply: Mutex::new(None), filled: AtomicBool::new(false), event: Event::without_looking() })
    }

    pub(super) fn is_filled(&self) -> bool {
        self.filled.load(Ordering::Relaxed) // a hint: who relies on it takes the lock
    }

    /// Called once.
    pub(super) fn fill(&self, reply: Reply) {
        *self.reply.lock().unwrap_or_else(PoisonError::into_inner) = Some(reply);
        self.filled.store(true, Ordering::Relaxed);
        self.event.notify(1, ALL);
    }

    /// Has whoever waits look at its flag again.
    pub(super) fn stir(&self) {
        self.event.notify(1, ALL);
    }

    /// Waits for the reply. Errors with what ended the wait.
    pub(super) fn wait(&self, patience: &Patience<'_>) -> Result<Reply, Outcome> {
        let mut wait = patience.begin();
        let mut outcome = Outcome::Ready;
        loop {
            let mut reply = self.reply.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(reply) = reply.take() {
                return Ok(reply);
            }
            if outcome != Outcome::Ready {
                return Err(outcome);
            }
            let key = self.event.key();
            drop(reply);
            outcome = self.event.sleep(key, ALL, &mut wait);
        }
    }
}

/// Who gets the reply to a request.
pub(super) enum Pending {
    Caller(Arc<Call>),
    /// It is called on the server's thread and must not block.
    Then(Box<dyn FnOnce(Reply) + Send>),
}

impl Pending {
    pub(super) fn fill(self, reply: Reply) {
        match self {
            Pending::Caller(call) => call.fill(reply),
            Pending::Then(then) => then(reply),
        }
    }
}
