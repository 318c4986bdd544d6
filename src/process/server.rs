//! The server: one thread for each process, which reads what others say and never waits for anybody.
//!
//! It holds no GIL and calls no Python. Sockets are watched edge by edge: each is read until it is empty, in turns of a few packets so that one
//! who floods us delays nobody. Whoever does not read our answers is not read either until it does.

use std::collections::VecDeque;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::io::Errno;

use super::alarm::Alarm;
use super::here::{Here, name_of};
use super::inbox::Reading;
use super::ledger::Ledger;
use super::peer::{Peer, Role};
use super::socket::{self, Credentials};
use super::wire::{Packet, Verdict};
use crate::error::{Error, Result};
use crate::offset::Address;

/// So many packets of one conversation in a turn.
const TURN: usize = 64;
/// How often to look at what has a time limit, while there is any.
pub(super) const TICK: Duration = Duration::from_millis(50);

/// Kinds of watched descriptors, in the low bits of their numbers.
const LISTENER: u64 = 0;
const SOCKET: u64 = 1;
const PIDFD: u64 = 2;
const LIFELINE: u64 = 3;
const STOP: u64 = 4;
const ALARM: u64 = 5;
const KINDS: u64 = 8;

/// What other threads need of it.
pub(super) struct Server {
    epoll: Arc<OwnedFd>,
    listener: Arc<OwnedFd>,
    /// Tells the thread to stop.
    stop: Arc<OwnedFd>,
    alarm: Arc<Alarm>,
    rest: Mutex<Rest>,
}

/// The thread, while nobody forks.
#[derive(Default)]
struct Rest {
    running: Option<JoinHandle<Thread>>,
    /// What it has to go on with, while somebody forks.
    resting: Option<Thread>,
    /// So many threads fork now.
    forks: usize,
}

impl Server {
    /// Listens, so that whoever dials waits for the thread.
    pub(super) fn new(address: Address) -> Result<Server> {
        let refused = |call, purpose| move |errno| Error::System { call, errno, purpose };
        let epoll = epoll::create(CreateFlags::CLOEXEC).map_err(refused("epoll_create", "to serve other processes"))?;
        let listener = socket::listen_at(&name_of(address)).map_err(refused("bind", "to be reached by other processes"))?;
        epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)
            .map_err(refused("epoll_ctl", "to serve other processes"))?;
        let stop = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(refused("eventfd", "to serve other processes"))?;
        let alarm = Alarm::new().map_err(refused("eventfd", "to serve other processes"))?;
        for (descriptor, kind) in [(&stop, STOP), (&alarm.descriptor, ALARM)] {
            epoll::add(&epoll, descriptor, EventData::new_u64(kind), EventFlags::IN)
                .map_err(refused("epoll_ctl", "to serve other processes"))?;
        }
        let (epoll, listener, stop, alarm) = (Arc::new(epoll), Arc::new(listener), Arc::new(stop), Arc::new(alarm));
        Ok(Server { epoll, listener, stop, alarm, rest: Mutex::default() })
    }

    /// Starts the thread.
    pub(super) fn start(&self, here: &'static Here) -> Result<()> {
        let (epoll, listener, stop, alarm) = (self.epoll.clone(), self.listener.clone(), self.stop.clone(), self.alarm.clone());
        let thread = Thread {
            id: 0,
            here,
            epoll,
            listener,
            stop,
            alarm,
            pidfds: Vec::new(),
            outlived: Vec::new(),
            ready: VecDeque::new(),
            deaf: Vec::new(),
            alarmed: false,
        };
        self.rest().running = Some(spawn(thread)?);
        Ok(())
    }

    fn rest(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the thread until `resume` is called as often. A process with one thread forks without a warning.
    pub(super) fn pause(&self) {
        let mut rest = self.rest();
        rest.forks += 1;
        if let Some(running) = rest.running.take() {
            // It can only be too full of such numbers to take one more.
            let _ = rustix::io::write(&self.stop, &1u64.to_ne_bytes());
            rest.resting = running.join().ok();
            rest.resting.iter().for_each(Thread::await_end);
        }
    }

    /// Goes on where `pause` has stopped it.
    pub(super) fn resume(&self) {
        let mut rest = self.rest();
        rest.forks = rest.forks.saturating_sub(1);
        if rest.forks == 0
            && let Some(thread) = rest.resting.take()
        {
            // Without a thread nobody is served; those who ask see that the answer does not come.
            rest.running = spawn(thread).ok();
        }
    }

    pub(super) fn watch(&self, peer: &Peer) -> Result<(), Errno> {
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
        epoll::add(&*self.epoll, &peer.socket, EventData::new_u64(peer.id * KINDS + SOCKET), flags)
    }

    pub(super) fn forget(&self, peer: &Peer) {
        // It is gone from the list when the socket is closed, too; whoever has a copy of it keeps it there.
        let _ = epoll::delete(&*self.epoll, &peer.socket);
    }

    /// Has the thread see when that pipe ends.
    pub(super) fn watch_lifeline(&self, reading: &OwnedFd, number: u64) -> Result<(), Errno> {
        epoll::add(&*self.epoll, reading, EventData::new_u64(number * KINDS + LIFELINE), EventFlags::IN)
    }

    pub(super) fn descriptors(&self) -> [RawFd; 4] {
        [self.epoll.as_raw_fd(), self.listener.as_raw_fd(), self.stop.as_raw_fd(), self.alarm.descriptor.as_raw_fd()]
    }

    /// There is something now of which the thread is not told: it looks within a tick, and again until it is gone.
    pub(super) fn look_soon(&self) {
        self.alarm.set();
    }

    /// Has the thread listen at one more name.
    pub(super) fn listen(&self, listener: &OwnedFd, service: u64) -> Result<(), Errno> {
        epoll::add(&*self.epoll, listener, EventData::new_u64(service * KINDS + LISTENER), EventFlags::IN)
    }
}

/// Signals are for threads that know what to do with them.
fn spawn(mut thread: Thread) -> Result<JoinHandle<Thread>> {
    // SAFETY: a set of signals is plain bits, of which all may be zero.
    let (mut all, mut old): (libc::sigset_t, libc::sigset_t) = unsafe { std::mem::zeroed() };
    // SAFETY: it is our own set.
    unsafe { libc::sigfillset(&raw mut all) };
    // SAFETY: both sets are our own. The new thread inherits this thread's mask, which gets its old one back below.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut old) };
    let spawned = std::thread::Builder::new().name("crossbuf-server".to_owned()).spawn(move || {
        thread.run();
        thread
    });
    // SAFETY: what was filled in above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const old, std::ptr::null_mut()) };
    let refused = |error: std::io::Error| Error::System {
        call: "pthread_create",
        errno: Errno::from_io_error(&error).unwrap_or(Errno::AGAIN),
        purpose: "to serve other processes",
    };
    spawned.map_err(refused)
}

/// Whether the process of that descriptor is gone.
fn has_ended(pidfd: &OwnedFd) -> bool {
    let mut polled = [PollFd::new(pidfd, PollFlags::IN)];
    !matches!(poll(&mut polled, Some(&rustix::event::Timespec::default())), Ok(0))
}

struct Thread {
    /// By which the system knows it.
    id: i32,
    here: &'static Here,
    epoll: Arc<OwnedFd>,
    listener: Arc<OwnedFd>,
    stop: Arc<OwnedFd>,
    alarm: Arc<Alarm>,
    /// By conversation.
    pidfds: Vec<(u64, OwnedFd)>,
    /// What is leased to processes whose conversation is over and which live on: they may still read it.
    outlived: Vec<(u64, Ledger)>,
    /// Conversations whose sockets may have more to read.
    ready: VecDeque<Arc<Peer>>,
    /// Services, or 0, at which nobody could be accepted, since when.
    deaf: Vec<(u64, Instant)>,
    /// It was woken for something that may be gone already, and come again: it stays awake for a tick.
    alarmed: bool,
}

impl Thread {
    /// A thread that was joined is counted by the system for another moment, and longer where it gets no CPU for its last steps.
    fn await_end(&self) {
        let counted = format!("/proc/self/task/{}", self.id);
        let deadline = Instant::now() + Duration::from_secs(1);
        while std::fs::exists(&counted).unwrap_or(false) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_micros(20));
        }
    }

    fn run(&mut self) {
        self.id = rustix::thread::gettid().as_raw_nonzero().get();
        let mut events = Vec::with_capacity(64);
        loop {
            let timeout = self.timeout();
            let mut stopped = false;
            events.clear();
            match epoll::wait(&*self.epoll, rustix::buffer::spare_capacity(&mut events), timeout.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                // Without it nobody is served; those who ask see that the answer does not come.
                Err(_) => return,
            }
            self.alarm.wakes();
            if events.is_empty() {
                self.alarmed = false;
            }
            for event in &events {
                let (kind, id) = (event.data.u64() % KINDS, event.data.u64() / KINDS);
                match kind {
                    LISTENER => self.accept(id),
                    STOP => {
                        // The next events come up again.
                        let _ = rustix::io::read(&*self.stop, &mut [0u8; 8]);
                        stopped = true;
                    }
                    ALARM => {
                        self.alarm.clear();
                        self.alarmed = true;
                    }
                    PIDFD => self.died(id),
                    LIFELINE => self.let_go(id),
                    _ => self.stir(id),
                }
            }
            self.read_in_turns();
            self.keep_time();
            if stopped {
                return;
            }
        }
    }

    fn timeout(&self) -> Option<rustix::event::Timespec> {
        let readable = self.ready.iter().any(|peer| !peer.outbox.is_stalled());
        let time = match readable {
            true => Duration::ZERO,
            // At most one alarm in a tick.
            false if self.alarm.may_sleep(|| self.alarmed || self.has_to_look()) => return None,
            false => TICK,
        };
        time.try_into().ok()
    }

    /// Whether there is something of which nobody tells this thread.
    fn has_to_look(&self) -> bool {
        !self.ready.is_empty()
            || !self.deaf.is_empty()
            || !self.here.late().is_empty()
            || self.here.tickets().any_orphaned()
            || self.here.all().iter().any(|peer| peer.outbox.len() > 0 || peer.has_lent())
    }

    /// Something happened on that socket.
    fn stir(&mut self, id: u64) {
        if let Some(peer) = self.here.peer(id) {
            peer.flush();
            if !self.ready.iter().any(|other| other.id == id) {
                self.ready.push_back(peer);
            }
        }
    }

    fn accept(&mut self, service: u64) {
        let here = self.here;
        let Some(listener) = self.listener(service) else { return };
        // One at a time: the listener is watched by its level, so the others come up again.
        let socket = match socket::accept(&listener) {
            Ok(Some(socket)) => socket,
            Ok(None) => return,
            Err(_) => return self.turn_away(service, &listener),
        };
        let Ok(credentials) = Credentials::of(&socket) else { return };
        if !credentials.is_same_user() {
            let ours = rustix::process::geteuid().as_raw();
            let why = format!("this process belongs to user {ours}, and you are user {}: only the same user is served", credentials.uid);
            // Who does not read it learns less.
            let _ = socket::send(&socket, &Packet::Farewell { why: &why }.write(), None);
            return;
        }
        if service != 0 {
            // Who dials a service asks only whose it is.
            let _ = socket::send(&socket, &Packet::Hello { address: here.address }.write(), None);
            return;
        }
        if let Ok(peer) = here.begin(socket, credentials, Role::Accepted) {
            self.watch_life(&peer);
        }
    }

    /// Where that service, or with 0 this process, is dialled.
    fn listener(&self, service: u64) -> Option<Arc<OwnedFd>> {
        if service == 0 { Some(self.listener.clone()) } else { self.here.services().listener(service) }
    }

    /// There is no descriptor or memory for one more, and who dialled stays: without this the listener would wake this thread for ever.
    fn turn_away(&mut self, service: u64, listener: &OwnedFd) {
        if epoll::delete(&*self.epoll, listener).is_ok() {
            self.deaf.push((service, Instant::now()));
        }
    }

    /// Turns to those again who have waited for a while.
    fn turn_back(&mut self) {
        for index in (0..self.deaf.len()).rev() {
            let (service, since) = self.deaf[index];
            if since.elapsed() < TICK {
                continue;
            }
            let watched = self
                .listener(service)
                .map(|listener| epoll::add(&*self.epoll, &listener, EventData::new_u64(service * KINDS + LISTENER), EventFlags::IN));
            match watched {
                Some(Err(_)) => self.deaf[index].1 = Instant::now(),
                // Once it is closed nobody dials it.
                Some(Ok(())) | None => drop(self.deaf.swap_remove(index)),
            }
        }
    }

    /// A process may leave its socket to a child; its own end is what counts.
    fn watch_life(&mut self, peer: &Arc<Peer>) {
        if self.pidfds.iter().any(|(id, _)| *id == peer.id) {
            return;
        }
        if let Some(pidfd) = peer.credentials.pidfd()
            && epoll::add(&*self.epoll, &pidfd, EventData::new_u64(peer.id * KINDS + PIDFD), EventFlags::IN).is_ok()
        {
            self.pidfds.push((peer.id, pidfd));
        }
    }

    /// A forked child has copies of our descriptors. What is closed here without a word stays watched as long as the child has it, and
    /// would wake this thread for ever.
    fn unwatch_life(&mut self, id: u64) {
        for (_, pidfd) in self.pidfds.extract_if(.., |(known, _)| *known == id) {
            let _ = epoll::delete(&*self.epoll, &pidfd);
        }
    }

    /// As above.
    fn let_go(&self, lifeline: u64) {
        if let Some(kept) = self.here.let_go(lifeline) {
            let _ = epoll::delete(&*self.epoll, &kept.reading);
            drop(kept);
        }
    }

    fn died(&mut self, id: u64) {
        self.unwatch_life(id);
        if let Some(peer) = self.here.peer(id) {
            // What it said before counts, and it cannot say more than it had room for.
            self.read(&peer, usize::MAX);
            self.end(&peer, "it has ended");
        }
        let over: Vec<_> = self.outlived.extract_if(.., |(conversation, _)| *conversation == id).collect();
        drop(over);
    }

    fn end(&mut self, peer: &Arc<Peer>, why: &str) {
        self.ready.retain(|other| other.id != peer.id);
        let leases = self.here.end(peer, why);
        if leases.len() > 0 && self.pidfds.iter().any(|(id, pidfd)| *id == peer.id && !has_ended(pidfd)) {
            self.outlived.push((peer.id, leases));
        } else {
            self.unwatch_life(peer.id);
        }
    }

    fn read_in_turns(&mut self) {
        for _ in 0..self.ready.len() {
            let Some(peer) = self.ready.pop_front() else { return };
            if peer.outbox.is_stalled() || self.read(&peer, TURN) {
                self.ready.push_back(peer);
            }
        }
    }

    /// Reads so many packets at most; whether there may be more.
    fn read(&mut self, peer: &Arc<Peer>, most: usize) -> bool {
        self.watch_life(peer);
        match peer.read(self.here, most) {
            Reading::More => true,
            Reading::Nothing => false,
            Reading::Over(why) => {
                self.end(peer, &why);
                false
            }
        }
    }

    fn keep_time(&mut self) {
        self.turn_back();
        let now = Instant::now();
        let mut late = self.here.late();
        let over: Vec<_> = late.extract_if(.., |late| late.until <= now).collect();
        drop(late);
        for late in over {
            late.peer.post(&Packet::Answer { request: late.request, verdict: Verdict::Stale, text: super::dispatch::UNKNOWN_TICKET });
        }
        let expired = self.here.tickets().expire();
        drop(expired);
        for peer in self.here.all() {
            peer.flush();
            peer.shelves().iter().for_each(|shelf| shelf.keep_time());
            // That a message was taken is written without ringing.
            if peer.has_news() && !self.ready.iter().any(|other| other.id == peer.id) {
                self.ready.push_back(peer);
            }
        }
    }
}
