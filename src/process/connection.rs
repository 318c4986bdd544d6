//! The side of a service that looks for it, see `service`.
//!
//! ```text
//! connect("camera")    dial the name; the answer is the address of its process; hang up
//! receiver("frames")   ask that process, in the one conversation that both have about everything
//! ```
//! So connections cost nothing that lasts, and there is nothing to close.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::call::Reply;
use super::here::here;
use super::published::check_name;
use super::request::{Asked, CANCELLED_AFTER, PATIENCE, Request};
use super::service::socket_name;
use super::socket::{self, Credentials, LONGEST, Received};
pub(crate) use super::wire::Thing;
use super::wire::{Packet, Verdict};
use crate::channel::{Attachment, Outcome, Patience};
use crate::error::{Error, Result};
use crate::offset::Address;
use crate::sync::Ordering;
use crate::{Array, Receiver, Sender};

/// A way to a [`Service`](super::Service), usually of another program.
#[derive(Clone, Debug)]
pub struct Connection {
    name: Arc<str>,
    address: Address,
    pid: u32,
}

/// Connects to the service of that name.
///
/// # Errors
/// [`Error::BadName`] when nobody has published it, [`Error::OtherUser`], [`Error::System`].
pub fn connect(name: &str) -> Result<Connection> {
    let mut dialling = dial(name)?;
    loop {
        if let Ok(connection) = dialling.wait(&Patience::ENDLESS) {
            return connection;
        }
    }
}

/// A service that was dialled and has not answered yet.
pub(crate) struct Dialling<'n> {
    name: &'n str,
    socket: OwnedFd,
    credentials: Credentials,
    deadline: Instant,
    buffer: Vec<u8>,
}

/// As `connect`, up to the waiting.
pub(crate) fn dial(name: &str) -> Result<Dialling<'_>> {
    let socket = socket::dial(&socket_name(name)?).map_err(|errno| match errno {
        Errno::CONNREFUSED => nobody(name),
        errno => refused("connect")(errno),
    })?;
    let credentials = Credentials::of(&socket).map_err(refused("getsockopt(SO_PEERCRED)"))?;
    if !credentials.is_same_user() {
        return Err(Error::OtherUser { pid: credentials.pid, theirs: credentials.uid, ours: rustix::process::geteuid().as_raw() });
    }
    Ok(Dialling { name, socket, credentials, deadline: Instant::now() + PATIENCE, buffer: vec![0; LONGEST + 1] })
}

impl Dialling<'_> {
    /// Waits for the answer. Errors with what ended this wait; the next one goes on.
    pub(crate) fn wait(&mut self, patience: &Patience<'_>) -> Result<Result<Connection>, Outcome> {
        let bad = |reason: String| Err(Error::BadName { name: self.name.to_owned(), reason });
        let slice = patience.slice.unwrap_or(PATIENCE);
        let start = Instant::now();
        loop {
            match socket::receive(&self.socket, &mut self.buffer) {
                Received::Nothing => {}
                // It was closed before it came to us.
                Received::End => return Ok(Err(nobody(self.name))),
                Received::Malformed => return Ok(bad("who has published it is no crossbuf".to_owned())),
                Received::Packet(len, _) => {
                    return Ok(match Packet::read(&self.buffer[..len]) {
                        Ok(Packet::Hello { address }) => Ok(Connection { name: self.name.into(), address, pid: self.credentials.pid }),
                        Ok(Packet::Farewell { why }) => bad(why.to_owned()),
                        Ok(_) => bad("who has published it answered something else".to_owned()),
                        Err(flaw) => bad(flaw.to_string()),
                    });
                }
            }
            if patience.cancelled.is_some_and(|cancelled| cancelled.load(Ordering::Relaxed)) {
                return Err(Outcome::Cancelled);
            }
            if start.elapsed() >= slice {
                return Err(Outcome::Interrupted);
            }
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(bad(format!("the process with pid {} has not answered for {PATIENCE:?}", self.credentials.pid)));
            }
            // Whoever cancels does not know of this socket: it is looked at now and then.
            let left = left.min(slice.min(CANCELLED_AFTER)).try_into().map_err(|_| Outcome::Interrupted)?;
            match poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&left)) {
                Ok(_) => {}
                Err(Errno::INTR) => return Err(Outcome::Interrupted),
                Err(errno) => return Ok(Err(refused("poll")(errno))),
            }
        }
    }
}

fn refused(call: &'static str) -> impl Fn(Errno) -> Error {
    move |errno| Error::System { call, errno, purpose: "to reach a service" }
}

fn nobody(name: &str) -> Error {
    let reason = "no program of this user has published it; start that one first, or check the name".to_owned();
    Error::BadName { name: name.to_owned(), reason }
}

impl Connection {
    /// The name of the service.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of the process that has published it; 0 when that is in a namespace out of sight.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// A sending end of the published channel of that name.
    ///
    /// # Errors
    /// [`Error::BadName`] when there is none, which says what there is; [`Error::ServiceGone`].
    pub fn sender(&self, name: &str) -> Result<Sender> {
        match self.begin_find(Thing::Sender, name)?.finish()? {
            Attachment::Sender(sender) => Ok(sender),
            _ => Err(self.strange(name)),
        }
    }

    /// A receiving end of the published channel of that name.
    ///
    /// # Errors
    /// As [`Connection::sender`].
    pub fn receiver(&self, name: &str) -> Result<Receiver> {
        match self.begin_find(Thing::Receiver, name)?.finish()? {
            Attachment::Receiver(receiver) => Ok(receiver),
            _ => Err(self.strange(name)),
        }
    }

    /// The published array of that name.
    ///
    /// # Errors
    /// As [`Connection::sender`].
    pub fn array(&self, name: &str) -> Result<Array> {
        match self.begin_find(Thing::Array, name)?.finish()? {
            Attachment::Array(array) => Ok(array),
            _ => Err(self.strange(name)),
        }
    }

    /// What is published under that name, up to the waiting.
    pub(crate) fn begin_find<'s>(&'s self, thing: Thing, name: &'s str) -> Result<Asked<'s>> {
        check_name(name)?;
        let here = here()?;
        let refused = |verdict, reason| match verdict {
            Verdict::Unknown | Verdict::Bad => Error::BadName { name: name.to_owned(), reason },
            _ => self.gone(reason),
        };
        if self.address == here.address {
            let found = here.services().find(&self.name, thing, name);
            return found.map(Asked::Found).map_err(|(verdict, reason)| refused(verdict, reason));
        }
        let peer = match here.reach(self.address) {
            Ok(peer) => peer,
            Err(error) if error.is_stale() => return Err(self.gone(format!("its process, pid {}, has ended", self.pid))),
            Err(error) => return Err(error),
        };
        let packet = |request| Packet::Find { request, thing, service: &self.name, name };
        Ok(Request::begin(&peer, packet, move |reply| match reply {
            Some(Reply::Part(part)) => Ok(part),
            Some(Reply::Verdict(verdict, reason)) => Err(refused(verdict, reason)),
            Some(Reply::Gone(why)) => Err(self.gone(why.to_string())),
            Some(_) => Err(self.strange(name)),
            None => Err(self.gone(format!("its process, pid {}, has not answered for {PATIENCE:?}", self.pid))),
        }))
    }

    fn gone(&self, reason: String) -> Error {
        Error::ServiceGone { name: self.name.to_string(), reason }
    }

    fn strange(&self, name: &str) -> Error {
        Error::BadName { name: name.to_owned(), reason: format!("the service {:?} answered something else", self.name) }
    }
}
