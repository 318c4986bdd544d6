//! The end that receives.

use std::sync::Arc;
use std::time::Duration;

use super::endpoint::{Channel, End, common_to_ends};
use super::error::RecvError;
use super::gate::{Gate, Side};
use super::message::Message;
use super::queue::Core;
use super::refusal::Absence;
use super::sender::Sender;
use super::wait::Patience;

/// Receives messages. Clones are further ends of the same channel: each message goes to exactly one of them. When all of them are
/// closed or dropped, senders are refused and what was not received is dropped. Each gets the messages of one sender in order; where several
/// receive, one may get what another process had at hand and did not take, after newer messages.
///
/// ```
/// let (sender, receiver) = crossbuf::channel(None);
/// let worker = std::thread::spawn(move || {
///     for n in 1..=3 {
///         sender.send(n).unwrap();
///     }
/// });
/// let mut sum = 0;
/// for message in &receiver {
///     sum += message.value()?.as_i64().unwrap();
/// }
/// assert_eq!(sum, 6);
/// # worker.join().unwrap();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Receiver(pub(super) Arc<End>);

common_to_ends!(Receiver, Side::Receiving);

impl Receiver {
    pub(super) fn new(channel: &Arc<Channel>) -> Receiver {
        Receiver(End::new(channel, Side::Receiving))
    }

    /// Receives, waiting for a message. Errors: `Ended`, `Closed`, and for an end from another process `HostGone`, `Inherited`.
    pub fn recv(&self) -> Result<Message, RecvError> {
        self.persist(&Patience::ENDLESS)
    }

    /// Receives what is there now. Errors: `Empty`, `Ended`, `Closed`.
    pub fn try_recv(&self) -> Result<Message, RecvError> {
        self.0.recv(None).map_err(|absence| self.error(absence))
    }

    /// As `try_recv`, for those who wait where there is nothing: then it is `None`, and nobody has counted the senders.
    pub(crate) fn recv_at_once(&self) -> Option<Result<Message, RecvError>> {
        match self.0.recv(None) {
            Err(Absence::Empty) => None,
            done => Some(done.map_err(|absence| self.error(absence))),
        }
    }

    /// Receives, waiting at most so long. Errors: `TimedOut`, `Ended`, `Closed`.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Message, RecvError> {
        self.persist(&Patience::of(timeout))
    }

    /// Receives, also seeing signals and cancellation. Every error but those of `recv` can be answered by receiving again; the
    /// deadline is a point in time and stays the same.
    pub(crate) fn recv_patient(&self, patience: &Patience<'_>) -> Result<Message, RecvError> {
        self.0.recv(Some(patience)).map_err(|absence| self.error(absence))
    }

    /// Whether this end gets what `sender` sends.
    pub fn same_channel(&self, sender: &Sender) -> bool {
        sender.same_channel(self)
    }

    /// Messages until the channel has ended or this end is closed.
    pub fn iter(&self) -> Iter<'_> {
        Iter(self)
    }

    /// This end's state, if it belongs to `core`.
    pub(super) fn gate_in(&self, core: &Core<Message>) -> Option<&Gate> {
        self.0.hosted().filter(|(_, own)| std::ptr::eq(*own, core)).map(|(local, _)| &local.gate)
    }

    fn persist(&self, patience: &Patience<'_>) -> Result<Message, RecvError> {
        loop {
            match self.recv_patient(patience) {
                Err(RecvError::Interrupted) => {}
                done => return done,
            }
        }
    }

    fn error(&self, absence: Absence) -> RecvError {
        match absence {
            Absence::Empty => RecvError::Empty { senders: self.statistics().senders },
            Absence::TimedOut => RecvError::TimedOut { senders: self.statistics().senders },
            Absence::Closed => RecvError::Closed,
            Absence::Ended => RecvError::Ended,
            Absence::Interrupted => RecvError::Interrupted,
            Absence::Cancelled => RecvError::Cancelled,
            Absence::Inherited => RecvError::Inherited,
            Absence::HostGone { host } => RecvError::HostGone { host },
            Absence::NotPacked(error) => RecvError::NotPacked(error),
        }
    }
}

/// Messages of a borrowed [`Receiver`], until there are no more.
#[derive(Debug)]
pub struct Iter<'r>(&'r Receiver);

impl Iterator for Iter<'_> {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        self.0.recv().ok()
    }
}

impl<'r> IntoIterator for &'r Receiver {
    type Item = Message;
    type IntoIter = Iter<'r>;

    fn into_iter(self) -> Iter<'r> {
        self.iter()
    }
}

/// Messages of a [`Receiver`], until there are no more.
#[derive(Debug)]
pub struct IntoIter(Receiver);

impl Iterator for IntoIter {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        self.0.recv().ok()
    }
}

impl IntoIterator for Receiver {
    type Item = Message;
    type IntoIter = IntoIter;

    fn into_iter(self) -> IntoIter {
        IntoIter(self)
    }
}
