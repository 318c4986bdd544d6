//! A request that waits for its answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use super::fate::Fate;
use super::lane::ShelfNumber;
use super::wire::Verdict;
use crate::channel::{ALL, Attachment, Event, Message, Outcome, Patience};
use crate::sync::{AtomicBool, Ordering};

/// What a request came to.
#[derive(Debug)]
pub(super) enum Reply {
    /// A message, which is ours once we say so.
    Delivered {
        delivery: u64,
        /// Where more may lie ready.
        shelf: Option<ShelfNumber>,
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
    answer: Mutex<Answer>,
    filled: AtomicBool,
    event: Event,
}

#[derive(Debug, Default)]
struct Answer {
    reply: Option<Reply>,
    /// Who waits for it.
    waiter: Option<ThreadId>,
}

impl Call {
    pub(super) fn new() -> Arc<Call> {
        Arc::new(Call { answer: Mutex::default(), filled: AtomicBool::new(false), event: Event::without_looking() })
    }

    pub(super) fn is_filled(&self) -> bool {
        self.filled.load(Ordering::Relaxed) // a hint: who relies on it takes the lock
    }

    fn answer(&self) -> MutexGuard<'_, Answer> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called once.
    pub(super) fn fill(&self, reply: Reply) {
        let mut answer = self.answer();
        answer.reply = Some(reply);
        // Whoever waits reads what comes meanwhile, and is awake when it finds its own answer.
        let sleeps = answer.waiter != Some(thread::current().id());
        drop(answer);
        self.filled.store(true, Ordering::Relaxed);
        self.event.notify(u32::from(sleeps), ALL);
    }

    /// Has whoever waits look at its flag again.
    pub(super) fn stir(&self) {
        // Whoever takes the lock after this sees what was set before.
        drop(self.answer());
        self.event.notify(1, ALL);
    }

    /// Waits for the reply. Errors with what ended the wait.
    pub(super) fn wait(&self, patience: &Patience<'_>) -> Result<Reply, Outcome> {
        let mut wait = patience.begin();
        let mut outcome = Outcome::Ready;
        loop {
            let mut answer = self.answer();
            if let Some(reply) = answer.reply.take() {
                return Ok(reply);
            }
            answer.waiter = Some(thread::current().id());
            if outcome != Outcome::Ready {
                return Err(outcome);
            }
            let key = self.event.key();
            drop(answer);
            outcome = self.event.sleep(key, ALL, &mut wait);
        }
    }

    /// As `wait`, whatever signals come.
    pub(super) fn wait_on(&self, patience: &Patience<'_>) -> Result<Reply, Outcome> {
        loop {
            match self.wait(patience) {
                Err(Outcome::Interrupted) => {}
                ended => return ended,
            }
        }
    }
}

/// Who gets the reply to a request.
pub(super) enum Pending {
    Caller(Arc<Call>),
    /// Nobody: what is delivered goes back.
    CalledOff(Arc<Fate>),
    /// It is called on the server's thread and must not block.
    Then(Box<dyn FnOnce(Reply) + Send>),
}

impl Pending {
    pub(super) fn fill(self, reply: Reply) {
        match self {
            Pending::Caller(call) => call.fill(reply),
            Pending::CalledOff(fate) => fate.tell(),
            Pending::Then(then) => then(reply),
        }
    }
}
