//! Ends whose channel lives in another process, its *host*.
//!
//! ```text
//! Sender ---> RemoteEnd ~~ socket ~~> server ---> Sender ---> Core<Message>
//!   here                              in the host: a local end for each remote one
//! ```
//!
//! What stands behind a remote end is written a layer above, which knows processes. Here is what the two kinds of ends have in common, so that
//! whoever holds one need not know which it is.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use super::gate::Side;
use super::message::Message;
use super::queue::ChannelStatistics;
use super::refusal::{Absence, Refused};
use super::wait::Patience;

/// An end whose channel lives in another process.
///
/// In a forked child each operation fails with `Inherited`, and `close` does nothing.
pub(crate) trait RemoteEnd: Send + Sync + Debug {
    fn side(&self) -> Side;

    /// Another end of the same side on the same channel; closed if this one is.
    fn another(&self) -> Arc<dyn RemoteEnd>;

    /// Closes this end, not those that `another` made. Those blocked in it get `Closed`. Closing twice is fine; it is also called when the end
    /// is dropped.
    fn close(&self);

    /// Also when it is inherited.
    fn is_closed(&self) -> bool;

    /// Whether it is the end of the process that this one was forked from.
    fn is_inherited(&self) -> bool;

    fn capacity(&self) -> Option<usize>;

    /// Asks the host. When that is gone: [`ChannelStatistics::unknown`].
    fn statistics(&self) -> ChannelStatistics;

    /// The channel's number in its host.
    fn channel_id(&self) -> u64;

    /// Whether both are ends of one channel of one process.
    fn is_same_channel(&self, other: &dyn RemoteEnd) -> bool;

    /// Without patience it does not wait for a place.
    #[allow(clippy::result_large_err, reason = "what was not sent is about as large as the message")]
    fn send(&self, message: Message, patience: Option<&Patience<'_>>) -> Result<(), Refused<Message>>;

    /// Without patience it does not wait for a message.
    fn recv(&self, patience: Option<&Patience<'_>>) -> Result<Message, Absence>;

    /// Has those who wait in it look at their `cancelled` flag.
    fn wake_everyone(&self);

    /// To be recognised by its maker.
    fn as_any(&self) -> &dyn Any;
}
