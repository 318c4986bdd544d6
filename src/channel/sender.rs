//! The end that sends.

use std::sync::Arc;
use std::time::Duration;

use super::endpoint::{Channel, End, common_to_ends};
use super::error::SendError;
use super::gate::Side;
use super::message::Message;
use super::receiver::Receiver;
use super::refusal::{Refusal, Refused};
use super::wait::Patience;
use crate::Arena;

/// Sends messages. Clones are further ends of the same channel; when all of them are closed or dropped, the channel has ended.
///
/// ```
/// let (sender, receiver) = crossbuf::channel(Some(1));
/// sender.send("first")?;
/// let refused = sender.try_send("second").unwrap_err();
/// assert!(refused.is_full());
/// assert_eq!(receiver.recv()?.value()?.as_str(), Some("first"));
/// sender.send(refused.into_message())?;
/// drop(sender);
/// assert_eq!(receiver.recv()?.value()?.as_str(), Some("second"));
/// assert!(receiver.recv().unwrap_err().is_ended());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Sender(pub(super) Arc<End>);

common_to_ends!(Sender, Side::Sending);

impl Sender {
    pub(super) fn new(channel: &Arc<Channel>) -> Sender {
        Sender(End::new(channel, Side::Sending))
    }

    /// Sends, waiting for a place; in a rendezvous, until a receiver takes the message or waits for it. Messages of one thread
    /// arrive in order. Errors: `Closed`, `Broken`, and for an end from another process `HostGone`, `Inherited`, `Unsure`. What is sent to
    /// another process may cross the news that the last receiver is gone there; it is dropped then, and the next one is refused.
    pub fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        self.persist(message.into(), &Patience::ENDLESS)
    }

    /// Sends if there is a place now; in a rendezvous, if a receiver waits. Errors: `Full`, `Closed`, `Broken`.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        self.post(message).map(drop)
    }

    /// As `try_send`; gives the message's number in this channel, which its receiver finds in [`Message::serial`]. It is 0 when the channel
    /// lives in another process: there, nothing can be withdrawn.
    ///
    /// ```
    /// let (sender, receiver) = crossbuf::channel(None);
    /// let (first, second) = (sender.post("first")?, sender.post("second")?);
    /// assert!(sender.withdraw(first).is_some());
    /// assert_eq!(receiver.recv()?.serial(), second);
    /// assert!(sender.withdraw(second).is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn post(&self, message: impl Into<Message>) -> Result<u64, SendError> {
        self.0.send(message.into(), None).map_err(|refused| self.error(refused))
    }

    /// Takes back the message of that number, which then was never sent; `None` when somebody has received it.
    pub fn withdraw(&self, serial: u64) -> Option<Message> {
        self.0.hosted()?.1.withdraw(serial)
    }

    /// Whether the message of that number waits for a receiver.
    pub fn holds(&self, serial: u64) -> bool {
        self.0.hosted().is_some_and(|(_, core)| core.holds(serial))
    }

    /// The arena that the channel was made with, if it lives in this process.
    pub fn arena(&self) -> Option<&Arena> {
        self.0.hosted()?.0.channel.arena.as_ref()
    }

    /// Sends, waiting at most so long. The message that comes back with an error was not sent. Errors: `TimedOut`, `Closed`,
    /// `Broken`.
    pub fn send_timeout(&self, message: impl Into<Message>, timeout: Duration) -> Result<(), SendError> {
        self.persist(message.into(), &Patience::of(timeout))
    }

    /// Sends, also seeing signals and cancellation. Every error but those of `send` can be answered by sending again; the
    /// deadline is a point in time and stays the same.
    pub(crate) fn send_patient(&self, message: Message, patience: &Patience<'_>) -> Result<(), SendError> {
        self.0.send(message, Some(patience)).map(drop).map_err(|refused| self.error(refused))
    }

    /// Whether `receiver` gets what this end sends.
    pub fn same_channel(&self, receiver: &Receiver) -> bool {
        self.0.is_same_channel(&receiver.0)
    }

    fn persist(&self, mut message: Message, patience: &Patience<'_>) -> Result<(), SendError> {
        loop {
            match self.send_patient(message, patience) {
                Err(SendError::Interrupted { message: back }) => message = *back,
                done => return done,
            }
        }
    }

    fn error(&self, refused: Refused<Message>) -> SendError {
        let message = Box::new(refused.item);
        let capacity = self.capacity();
        match refused.why {
            Refusal::Full => SendError::Full { message, capacity },
            Refusal::TimedOut => SendError::TimedOut { message, capacity },
            Refusal::Closed => SendError::Closed { message },
            Refusal::Broken => SendError::Broken { message },
            Refusal::Interrupted => SendError::Interrupted { message },
            Refusal::Cancelled => SendError::Cancelled { message },
            Refusal::Inherited => SendError::Inherited { message },
            Refusal::HostGone { host } => SendError::HostGone { message, host },
            Refusal::Unsure { host } => SendError::Unsure { message, host },
            Refusal::NotPacked(error) => SendError::NotPacked { message, error },
        }
    }
}
