//! The side of a service that looks for it, see `service`.
//!
//! ```text
//! connect("camera")    dial the name; the answer is the address of its process; hang up
//! receiver("frames")   ask that process, in the one conversation that both have about everything
//! ```
//! So connections cost nothing that lasts, and there is nothing to close.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::call::Reply;
use super::here::here;
use super::published::check_name;
use super::service::socket_name;
use super::socket::{self, Credentials, LONGEST, Received};
use super::wire::{Packet, Thing, Verdict};
use crate::channel::{Attachment, Patience};
use crate::error::{Error, Result};
use crate::offset::Address;
use crate::{Array, Receiver, Sender};

/// How long a service may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

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
    let system = |call| move |errno| Error::System { call, errno, purpose: "to reach a service" };
    let socket = socket::dial(&socket_name(name)?).map_err(|errno| match errno {
        Errno::CONNREFUSED => nobody(name),
        errno => system("connect")(errno),
    })?;
    let credentials = Credentials::of(&socket).map_err(system("getsockopt(SO_PEERCRED)"))?;
    if !credentials.is_same_user() {
        return Err(Error::OtherUser { pid: credentials.pid, theirs: credentials.uid, ours: rustix::process::geteuid().as_raw() });
    }
    let mut buffer = vec![0; LONGEST + 1];
    let bad = |reason: String| Error::BadName { name: name.to_owned(), reason };
    let deadline = Instant::now() + PATIENCE;
    loop {
        match socket::receive(&socket, &mut buffer) {
            Received::Nothing => {}
            // It was closed before it came to us.
            Received::End => return Err(nobody(name)),
            Received::Malformed => return Err(bad("who has published it is no crossbuf".to_owned())),
            Received::Packet(len, _) => match Packet::read(&buffer[..len]) {
                Ok(Packet::Hello { address }) => return Ok(Connection { name: name.into(), address, pid: credentials.pid }),
                Ok(Packet::Farewell { why }) => return Err(bad(why.to_owned())),
                Ok(_) => return Err(bad("who has published it answered something else".to_owned())),
                Err(flaw) => return Err(bad(flaw.to_string())),
            },
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(bad(format!("the process with pid {} has not answered for {PATIENCE:?}", credentials.pid)));
        }
        let left = left.try_into().map_err(|_| system("poll")(Errno::INVAL))?;
        match poll(&mut [PollFd::new(&socket, PollFlags::IN)], Some(&left)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(system("poll")(errno)),
        }
    }
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
        match self.find(Thing::Sender, name)? {
            Attachment::Sender(sender) => Ok(sender),
            _ => Err(self.strange(name)),
        }
    }

    /// A receiving end of the published channel of that name.
    ///
    /// # Errors
    /// As [`Connection::sender`].
    pub fn receiver(&self, name: &str) -> Result<Receiver> {
        match self.find(Thing::Receiver, name)? {
            Attachment::Receiver(receiver) => Ok(receiver),
            _ => Err(self.strange(name)),
        }
    }

    /// The published array of that name.
    ///
    /// # Errors
    /// As [`Connection::sender`].
    pub fn array(&self, name: &str) -> Result<Array> {
        match self.find(Thing::Array, name)? {
            Attachment::Array(array) => Ok(array),
            _ => Err(self.strange(name)),
        }
    }

    fn find(&self, thing: Thing, name: &str) -> Result<Attachment> {
        check_name(name)?;
        let here = here()?;
        let refused = |verdict, reason| match verdict {
            Verdict::Unknown | Verdict::Bad => Error::BadName { name: name.to_owned(), reason },
            _ => self.gone(reason),
        };
        if self.address == here.address {
            return here.services().find(&self.name, thing, name).map_err(|(verdict, reason)| refused(verdict, reason));
        }
        let peer = match here.reach(self.address) {
            Ok(peer) => peer,
            Err(error) if error.is_stale() => return Err(self.gone(format!("its process, pid {}, has ended", self.pid))),
            Err(error) => return Err(error),
        };
        match peer.call(&Patience::of(PATIENCE), |request| Packet::Find { request, thing, service: &self.name, name }) {
            Ok(Reply::Part(part)) => Ok(part),
            Ok(Reply::Verdict(verdict, reason)) => Err(refused(verdict, reason)),
            Ok(Reply::Gone(why)) => Err(self.gone(why.to_string())),
            Ok(_) => Err(self.strange(name)),
            Err(_) => Err(self.gone(format!("its process, pid {}, has not answered for {PATIENCE:?}", self.pid))),
        }
    }

    fn gone(&self, reason: String) -> Error {
        Error::ServiceGone { name: self.name.to_string(), reason }
    }

    fn strange(&self, name: &str) -> Error {
        Error::BadName { name: name.to_owned(), reason: format!("the service {:?} answered something else", self.name) }
    }
}
