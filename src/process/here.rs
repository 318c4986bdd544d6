//! This process among others: its conversations, the memory of others that it has mapped, its tickets.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use rustix::io::Errno;

use super::inheritance::Kept;
use super::ledger::Ledger;
use super::peer::{Peer, Role};
use super::published::Services;
use super::server::Server;
use super::socket::{self, Credentials};
use super::tickets::Tickets;
use super::wire::Token;
use crate::arena::ForeignArena;
use crate::channel::{Attachment, Kept as KeptEnds, Side, end_of};
use crate::error::{Error, Result};
use crate::identity;
use crate::offset::{Address, ArenaId};
use crate::per_process::PerProcess;
use crate::sync::{AtomicBool, AtomicU64, Ordering};

static HERE: PerProcess<Here> = PerProcess::new();

/// What this process knows of others.
pub(super) struct Here {
    pub(super) address: Address,
    server: OnceLock<Server>,
    /// Whether its thread runs.
    served: AtomicBool,
    starting: Mutex<()>,
    next_peer: AtomicU64,
    peers: Mutex<Peers>,
    memory: Mutex<HashMap<ArenaId, Weak<ForeignArena>>>,
    tickets: Mutex<Tickets>,
    /// Requests for tickets of which we have not heard yet.
    late: Mutex<Vec<Late>>,
    services: Mutex<Services>,
    lifelines: Mutex<Lifelines>,
    /// Whether a thread sleeps on the bells of conversations.
    pub(super) listening: AtomicBool,
}

/// What is kept for forked children, by number, until the pipe that they have inherited ends.
#[derive(Default)]
struct Lifelines {
    last: u64,
    all: HashMap<u64, Kept>,
}

#[derive(Default)]
struct Peers {
    all: HashMap<u64, Arc<Peer>>,
    /// The same, for those who look; made anew when somebody comes or goes.
    lookable: Option<Arc<[Arc<Peer>]>>,
    /// A conversation with each process whose name is known.
    by_address: HashMap<Address, Arc<Peer>>,
}

/// A request that came before what it is about.
pub(super) struct Late {
    pub(super) peer: Arc<Peer>,
    pub(super) request: u64,
    pub(super) token: Token,
    pub(super) until: std::time::Instant,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic under the lock could only be ours, between two complete states.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// This process, with its server running. Errors where the system has no socket or thread for it.
pub(super) fn here() -> Result<&'static Here> {
    let here = match HERE.get() {
        Some(here) => here,
        None => {
            let address = identity::address()?;
            HERE.get_or_make(|| Here {
                address,
                server: OnceLock::new(),
                served: AtomicBool::new(false),
                starting: Mutex::default(),
                next_peer: AtomicU64::new(1),
                peers: Mutex::default(),
                memory: Mutex::default(),
                tickets: Mutex::default(),
                late: Mutex::default(),
                services: Mutex::default(),
                lifelines: Mutex::default(),
                listening: AtomicBool::new(false),
            })
        }
    };
    super::inheritance::watch_forks();
    super::lookout::begin_with_channels();
    here.serve()?;
    Ok(here)
}

/// This process, if it ever had to do with others.
pub(super) fn known() -> Option<&'static Here> {
    HERE.get()
}

/// The name at which a process is dialled.
pub(super) fn name_of(address: Address) -> Vec<u8> {
    format!("crossbuf-{address}").into_bytes()
}

impl Here {
    fn serve(&'static self) -> Result<()> {
        if self.served.load(Ordering::Acquire) {
            return Ok(()); // pairs with the Release below: the server is there
        }
        let _turn = lock(&self.starting);
        let server = match self.server.get() {
            Some(server) => server,
            None => {
                let server = Server::new(self.address)?;
                self.server.get_or_init(|| server)
            }
        };
        if !self.served.load(Ordering::Relaxed) {
            server.start(self)?;
            self.served.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// The server, if it was ever needed.
    pub(super) fn running(&self) -> Option<&Server> {
        self.server.get()
    }

    pub(super) fn server(&self) -> &Server {
        self.server.get().expect("`here` has started it")
    }

    /// There is something now that the server's thread has to look at, and of which nobody tells it.
    pub(super) fn look_soon(&self) {
        if let Some(server) = self.running() {
            server.look_soon();
        }
    }

    pub(super) fn tickets(&self) -> MutexGuard<'_, Tickets> {
        lock(&self.tickets)
    }

    pub(super) fn services(&self) -> MutexGuard<'_, Services> {
        lock(&self.services)
    }

    pub(super) fn late(&self) -> MutexGuard<'_, Vec<Late>> {
        lock(&self.late)
    }

    /// A conversation begins on that socket.
    pub(super) fn begin(&self, socket: OwnedFd, credentials: Credentials, role: Role) -> Result<Arc<Peer>> {
        let id = self.next_peer.fetch_add(1, Ordering::Relaxed);
        let dialled = matches!(role, Role::Dialled(_));
        let peer = Arc::new(Peer::new(id, socket, credentials, role));
        let mut peers = lock(&self.peers);
        peers.all.insert(id, peer.clone());
        peers.lookable = None;
        drop(peers);
        peer.greet(self.address, dialled);
        if let Err(errno) = self.server().watch(&peer) {
            drop(self.end(&peer, "it could not be watched"));
            return Err(Error::System { call: "epoll_ctl", errno, purpose: "to listen to another process" });
        }
        Ok(peer)
    }

    /// The conversation is over. Gives what was leased in it, which the other process may still read if it lives on.
    #[must_use = "where it lives on, the leases do as well"]
    pub(super) fn end(&self, peer: &Arc<Peer>, why: &str) -> Ledger {
        let mut peers = lock(&self.peers);
        peers.all.remove(&peer.id);
        peers.lookable = None;
        peers.by_address.retain(|_, known| !Arc::ptr_eq(known, peer));
        drop(peers);
        let text = format!("the process with {} is gone: {why}", peer.host());
        let leases = peer.bury(&text);
        if leases.is_some() {
            self.server().forget(peer);
            self.tickets().orphan(peer.id);
            self.look_soon();
        }
        self.fade();
        leases.unwrap_or_default()
    }

    pub(super) fn peer(&self, id: u64) -> Option<Arc<Peer>> {
        lock(&self.peers).all.get(&id).cloned()
    }

    pub(super) fn all(&self) -> Vec<Arc<Peer>> {
        lock(&self.peers).all.values().cloned().collect()
    }

    /// All conversations, for a look at what they say.
    pub(super) fn lookable(&self) -> Arc<[Arc<Peer>]> {
        let mut peers = lock(&self.peers);
        let Peers { all, lookable, .. } = &mut *peers;
        lookable.get_or_insert_with(|| all.values().cloned().collect()).clone()
    }

    /// The other side has said its name, or is known by it. A conversation that is over by now is not kept.
    pub(super) fn introduce(&self, peer: &Arc<Peer>, address: Address) {
        let mut peers = lock(&self.peers);
        if peers.all.contains_key(&peer.id) {
            peers.by_address.entry(address).or_insert_with(|| peer.clone());
        }
    }

    fn introduced(&self, address: Address) -> Option<Arc<Peer>> {
        let peer = lock(&self.peers).by_address.get(&address).cloned()?;
        (!peer.is_gone()).then_some(peer)
    }

    /// A conversation with that process. Errors with StaleHandle when it is gone, and with System where the kernel refuses.
    pub(super) fn reach(&'static self, address: Address) -> Result<Arc<Peer>> {
        if let Some(peer) = self.introduced(address) {
            return Ok(peer);
        }
        let socket = socket::dial(&name_of(address)).map_err(|errno| match errno {
            Errno::CONNREFUSED => gone(address),
            errno => Error::System { call: "connect", errno, purpose: "to reach the process that owns an array" },
        })?;
        let peer = self.meet(socket, address)?;
        self.introduce(&peer, address);
        Ok(peer)
    }

    /// Begins a conversation with whoever listens at the other end. Errors when that is another user.
    pub(super) fn meet(&self, socket: OwnedFd, address: Address) -> Result<Arc<Peer>> {
        let credentials = Credentials::of(&socket).map_err(|errno| Error::System {
            call: "getsockopt(SO_PEERCRED)",
            errno,
            purpose: "to see who is at the other end",
        })?;
        if !credentials.is_same_user() {
            return Err(Error::OtherUser { pid: credentials.pid, theirs: credentials.uid, ours: rustix::process::geteuid().as_raw() });
        }
        self.begin(socket, credentials, Role::Dialled(address))
    }

    /// A conversation with that process, unless it is gone.
    pub(super) fn living(&'static self, address: Address) -> Option<Arc<Peer>> {
        self.reach(address).ok()
    }

    /// Keeps what a child has inherited until its pipe ends.
    pub(super) fn keep(&self, kept: Kept) {
        let mut lifelines = lock(&self.lifelines);
        lifelines.last += 1;
        let number = lifelines.last;
        let watched = self.server().watch_lifeline(&kept.reading, number);
        match watched {
            Ok(()) => drop(lifelines.all.insert(number, kept)),
            // Nobody would tell when the child has ended.
            Err(_) => std::mem::forget(kept),
        }
    }

    /// What was kept for that pipe, to be dropped without the lock.
    pub(super) fn let_go(&self, number: u64) -> Option<Kept> {
        lock(&self.lifelines).all.remove(&number)
    }

    /// An end for a child of that fork. Whatever else was kept of the channel for it goes: it has said what it needs.
    pub(super) fn inherit(&self, fork: &Token, channel: u64, side: Side) -> Option<Attachment> {
        let mut lifelines = lock(&self.lifelines);
        let kept = lifelines.all.values_mut().find(|kept| kept.token == *fork)?;
        let unneeded: Vec<_> = kept.ends.extract_if(.., |kept| kept.channel == channel).collect();
        drop(lifelines);
        // Made before the others go, so that the channel does not end in between.
        let end = end_of(channel, side);
        drop(unneeded);
        end
    }

    /// Takes out all ends that are kept for a child of that fork, to be dropped without the lock.
    pub(super) fn settle(&self, fork: &Token) -> Vec<KeptEnds> {
        let mut lifelines = lock(&self.lifelines);
        let kept = lifelines.all.values_mut().find(|kept| kept.token == *fork);
        kept.map(|kept| std::mem::take(&mut kept.ends)).unwrap_or_default()
    }

    /// The sockets of this process, as numbers.
    pub(super) fn descriptors(&self) -> Vec<RawFd> {
        let mut all: Vec<RawFd> = lock(&self.peers).all.values().map(|peer| peer.socket.as_raw_fd()).collect();
        all.extend(lock(&self.services).descriptors());
        all.extend(self.server.get().into_iter().flat_map(Server::descriptors));
        all
    }

    /// The mapped memory of another process; all conversations share it.
    pub(super) fn map(&self, arena: ArenaId, descriptor: OwnedFd) -> Result<Arc<ForeignArena>> {
        let mut memory = lock(&self.memory);
        if let Some(mapped) = memory.get(&arena).and_then(Weak::upgrade) {
            return Ok(mapped);
        }
        let mapped = ForeignArena::map(arena, descriptor)?;
        memory.retain(|_, mapped| mapped.strong_count() > 0);
        memory.insert(arena, Arc::downgrade(&mapped));
        Ok(mapped)
    }
}

/// What was asked of a process that is dead.
pub(super) fn gone(address: Address) -> Error {
    Error::StaleHandle { reason: format!("the process that made it, pid {}, has ended", address.pid()) }
}
