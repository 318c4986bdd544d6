//! Asking another process for an array or end: a question, and an answer that may be waited for in pieces.
//!
//! ```text
//! Request ── wait ──▶ Ok: what came of it
//!    ▲         │
//!    └─────────┘ Err: a signal came, or the time to look for one; the question stands, and the next wait goes on
//! ```
//! Dropped before its answer came it is called off: what comes later is given back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::call::{Call, Pending, Reply};
use super::peer::Peer;
use super::wire::Packet;
use crate::channel::{Attachment, Outcome, Patience};
use crate::error::Result;

/// How long another process may take to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How long it may go unnoticed that nobody may wait any more: whoever says so wakes those who wait in channels.
pub(super) const CANCELLED_AFTER: Duration = Duration::from_millis(200);

/// What the answer means; `None` when none came in time.
type Read<'r> = Box<dyn FnMut(Option<Reply>) -> Result<Attachment> + Send + 'r>;

/// A question that was asked.
pub(crate) struct Request<'r> {
    peer: Arc<Peer>,
    call: Arc<Call>,
    number: u64,
    deadline: Option<Instant>,
    read: Read<'r>,
}

/// What was asked for, or the question.
pub(crate) enum Asked<'r> {
    /// Nobody had to be asked.
    Found(Attachment),
    /// To be waited for.
    Waiting(Request<'r>),
}

impl<'r> Request<'r> {
    pub(super) fn begin<'p>(
        peer: &Arc<Peer>,
        packet: impl FnOnce(u64) -> Packet<'p>,
        read: impl FnMut(Option<Reply>) -> Result<Attachment> + Send + 'r,
    ) -> Asked<'r> {
        let call = Call::new();
        let number = peer.ask_quietly(Pending::Caller(call.clone()), packet);
        let deadline = Instant::now().checked_add(PATIENCE);
        Asked::Waiting(Request { peer: peer.clone(), call, number, deadline, read: Box::new(read) })
    }

    /// Waits for the answer. Errors with what ended this wait: a signal, or that nobody may wait any more.
    pub(crate) fn wait(&mut self, patience: &Patience<'_>) -> Result<Result<Attachment>, Outcome> {
        let slice = patience.slice.or(patience.cancelled.map(|_| CANCELLED_AFTER));
        let sliced = Patience { deadline: self.deadline, slice, ..*patience };
        loop {
            let start = Instant::now();
            match self.peer.look_and_wait(&self.call, &sliced) {
                Ok(reply) => return Ok((self.read)(Some(reply))),
                Err(Outcome::TimedOut) => return Ok((self.read)(None)),
                // Nobody has asked for this pause but us.
                Err(Outcome::Interrupted) if patience.slice.is_none() && start.elapsed() >= CANCELLED_AFTER => {}
                Err(outcome) => return Err(outcome),
            }
        }
    }
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        self.peer.call_off(self.number);
    }
}

impl Asked<'_> {
    /// Waits, whatever signals come.
    pub(super) fn finish(self) -> Result<Attachment> {
        let mut request = match self {
            Asked::Found(found) => return Ok(found),
            Asked::Waiting(request) => request,
        };
        loop {
            if let Ok(answer) = request.wait(&Patience::ENDLESS) {
                return answer;
            }
        }
    }
}
