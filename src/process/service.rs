//! Names at which unrelated programs of one user meet: the side that publishes. The other one is in `connection`.
//!
//! ```text
//! publish("camera") ──▶ Service ── channel("frames", 8) ──▶ PublishedChannel: the first two ends
//!                          '────── share("background", array)
//! ```
//! The name is that of an abstract socket with the user's number in it. It is free again as soon as its process has ended, however that
//! happens, or the service is closed.
//!
//! | who ends | what the others find |
//! |---|---|
//! | the publisher's process | what was taken stays readable; `recv` and `send` give `HostGone`; a connection finds nothing any more: `ServiceGone` |
//! | the service, by `close` | the same of connections. Its channels are like any other now, see [`Service::close`] |
//! | a client's process | nothing; what it had received and not taken is received by another |

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::io::Errno;

use super::here::{here, known};
use super::packing::check_dtype;
use super::published::{Published, check_name};
use super::socket;
use super::ticket::adopt;
use crate::channel::{Message, RecvError, SendError, channel, channel_in};
use crate::error::{Error, Result};
use crate::{Arena, Array, Receiver, Sender};

/// A published name, for as long as this lives.
///
/// ```
/// use crossbuf::{Arena, Budget, process};
///
/// let arena = Arena::new(Budget::bytes(1 << 20))?;
/// let service = process::publish("crossbuf example", &arena)?; // or `None`, for the arena that this process has anyway
/// let frames = service.channel("frames", 8)?;                  // or `None`, for no bound
/// frames.send("first")?;
///
/// let connection = process::connect("crossbuf example")?;      // in another program, usually
/// assert_eq!(connection.receiver("frames")?.recv()?.value()?.as_str(), Some("first"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Service {
    id: u64,
    name: Arc<str>,
    arena: Option<Arena>,
}

/// A channel that a [`Service`] has published. Both first ends are here, and are ends like any other.
#[derive(Clone, Debug)]
pub struct PublishedChannel {
    /// Sends to whoever receives first, here or elsewhere.
    pub sender: Sender,
    /// Receives what anybody sends.
    pub receiver: Receiver,
}

impl PublishedChannel {
    /// As [`Sender::send`].
    pub fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        self.sender.send(message)
    }

    /// As [`Receiver::recv`].
    pub fn recv(&self) -> Result<Message, RecvError> {
        self.receiver.recv()
    }
}

/// The socket's name of a service. Errors with BadName.
pub(super) fn socket_name(name: &str) -> Result<Vec<u8>> {
    check_name(name)?;
    Ok(format!("crossbuf/{}/{name}", rustix::process::geteuid().as_raw()).into_bytes())
}

/// Publishes a name, for other programs of the same user on this machine to [`connect`](super::connect) to.
///
/// What has to be copied to be sent through the service's channels is copied into `arena`: messages too long for a packet, and in Python
/// ndarrays that lie in no arena yet. Without one it is [`Arena::shared`].
///
/// # Errors
/// [`Error::BadName`] when it is empty or too long, or when another service of this user has it; [`Error::System`].
pub fn publish<'a>(name: &str, arena: impl Into<Option<&'a Arena>>) -> Result<Service> {
    let here = here()?;
    let listener = socket::listen_at(&socket_name(name)?).map_err(|errno| match errno {
        Errno::ADDRINUSE => {
            let reason = "another service of this user has it; end that one, or choose another name".to_owned();
            Error::BadName { name: name.to_owned(), reason }
        }
        errno => Error::System { call: "bind", errno, purpose: "to publish a service" },
    })?;
    let (listener, name): (Arc<OwnedFd>, Arc<str>) = (Arc::new(listener), name.into());
    let id = here.services().begin(name.clone(), listener.clone());
    let service = Service { id, name, arena: arena.into().cloned() };
    here.server().listen(&listener, id).map_err(|errno| Error::System { call: "epoll_ctl", errno, purpose: "to publish a service" })?;
    Ok(service)
}

impl Service {
    /// The published name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The arena that it was published with, or else the process's own one.
    ///
    /// # Errors
    /// As [`Arena::shared`].
    pub fn arena(&self) -> Result<Arena> {
        self.arena.clone().map_or_else(Arena::shared, Ok)
    }

    /// Publishes a new channel: `capacity` is that of [`channel`](crate::channel()), a number or `None`.
    ///
    /// # Errors
    /// [`Error::BadName`] when the name is empty or too long, when the service has something of that name, or is closed.
    pub fn channel(&self, name: &str, capacity: impl Into<Option<usize>>) -> Result<PublishedChannel> {
        let (sender, receiver) = match &self.arena {
            Some(arena) => channel_in(capacity.into(), arena.clone()),
            None => channel(capacity.into()),
        };
        self.add(name, Published::Channel(sender.clone(), receiver.clone()))?;
        Ok(PublishedChannel { sender, receiver })
    }

    /// Publishes an array, which lives at least as long as the service.
    ///
    /// # Errors
    /// As [`Service::channel`]; [`Error::NotShareable`] when its dtype is a record of thousands of fields.
    pub fn share(&self, name: &str, array: &Array) -> Result<()> {
        check_dtype(array.meta())?;
        self.add(name, Published::Array(adopt(array)?))
    }

    fn add(&self, name: &str, thing: Published) -> Result<()> {
        let added = here()?.services().add(self.id, &self.name, name, thing);
        added.map_err(|(error, _thing)| error)
    }

    /// What it has published, for texts: `channel "frames"`, `array "background"`.
    pub fn contents(&self) -> Vec<String> {
        if self.is_closed() { Vec::new() } else { known().map(|here| here.services().contents(self.id)).unwrap_or_default() }
    }

    /// Whether it was closed; also when it belongs to the process from which this one was forked.
    pub fn is_closed(&self) -> bool {
        known().is_none_or(|here| !here.services().holds(self.id, &self.name))
    }

    /// Ends the service. Its name is free at once, and nothing in it is found any more, by nobody.
    ///
    /// Ends that anybody has stay open, and so do their channels: the service closes only those that it kept itself. So once the publisher's
    /// senders are closed, too, clients get what is left and then [`RecvError::Ended`]; and who sends gets [`SendError::Broken`] when no
    /// receiver is left. Closing twice is fine; it also happens when the service is dropped.
    pub fn close(&self) {
        let remains = known().and_then(|here| here.services().end(self.id, &self.name));
        drop(remains);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.close();
    }
}
