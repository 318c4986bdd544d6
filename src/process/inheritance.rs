//! What a forked child finds: everything that its parent had mapped, and it may go on reading it.
//!
//! ```text
//! before   each live block gets one more reference, each channel one more end of each open side; a pipe is made
//! parent   the server's thread waits for the pipe's end, and lets all of that go then
//! child    keeps the writing end until it ends, as do its own children; closes its parent's sockets
//! ```
//! So the parent may free and reuse whatever it likes, and the child reads what was there. It costs a walk over all live blocks for each fork.
//! A child that executes another program closes the pipe by that.
//!
//! The child has other sockets, another address and another server than its parent: see [`PerProcess`](crate::per_process::PerProcess).
//! It closes its copies of the parent's sockets, so that nobody who dials the parent after its death waits for an answer. Its copies of
//! channel ends are asked for from the parent when they are first used. Until the child has asked for an end of a channel, or
//! said that it needs no more, the parent counts all sides of it as open.

use std::cell::RefCell;
use std::os::fd::{OwnedFd, RawFd};
use std::ptr;

use rustix::pipe::{PipeFlags, pipe_with};

use super::call::Reply;
use super::here::{Here, here, known};
use super::packing;
use super::request::PATIENCE;
use super::wire::{Packet, Token};
use crate::arena::{self, Block};
use crate::channel::{Attachment, Kept as KeptEnds, Patience, Side, adopt_by, keep_ends};
use crate::offset::Address;
use crate::sync::Ordering;
use crate::sync::of_process::{AtomicBool, AtomicPtr};
use crate::{handle, identity};

/// What one fork has kept for its child.
pub(super) struct Kept {
    /// By which the child shows that it is one.
    pub(super) token: Token,
    pub(super) ends: Vec<KeptEnds>,
    pub(super) reading: OwnedFd,
    _blocks: Vec<Block>,
}

/// Between the handlers of one fork, which run on one thread.
#[derive(Default)]
struct Fork {
    kept: Option<(Kept, OwnedFd, Address)>,
    /// The parent's sockets.
    sockets: Vec<RawFd>,
}

thread_local! {
    static FORK: RefCell<Fork> = RefCell::default();
}

/// A fork that led to this process.
struct Ancestor {
    address: Address,
    token: Token,
    /// The one before that; never freed.
    above: *const Ancestor,
}

/// The last fork. What it points to is never freed, and changes only in a new child, which has one thread.
static PARENT: AtomicPtr<Ancestor> = AtomicPtr::new(ptr::null_mut());

/// Sees to forks from now on.
pub(crate) fn watch_forks() {
    static WATCHED: AtomicBool = AtomicBool::new(false);
    if WATCHED.load(Ordering::Acquire) {
        return;
    }
    adopt_by(adopt);
    // SAFETY: the handlers are functions of this library, which is never unloaded while a process may fork; what they may do in a child is
    // argued there.
    let status = unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
    // It fails only for want of memory; the next call tries again. Threads that come here at once install the handlers twice: the second
    // pair finds nothing to do.
    if status == 0 {
        WATCHED.store(true, Ordering::Release); // pairs with the Acquire above
    }
}

extern "C" fn before() {
    handle::prepare_for_fork();
    let kept = keep();
    let sockets = known().map(Here::descriptors).unwrap_or_default();
    FORK.with_borrow_mut(|fork| {
        if fork.kept.is_none() {
            *fork = Fork { kept, sockets };
        }
    });
}

/// What the child may read and use.
fn keep() -> Option<(Kept, OwnedFd, Address)> {
    let (blocks, ends) = (arena::pin_all(), keep_ends());
    if blocks.is_empty() && ends.is_empty() {
        return None;
    }
    let (Ok(address), Ok(token), Ok((reading, writing))) = (identity::address(), packing::token(), pipe_with(PipeFlags::CLOEXEC)) else {
        // The child may read, and nobody would tell when it has ended: these blocks stay for ever.
        std::mem::forget(blocks);
        return None;
    };
    Some((Kept { token, ends, reading, _blocks: blocks }, writing, address))
}

extern "C" fn in_parent() {
    let Fork { kept, .. } = FORK.take();
    let Some((kept, writing, _)) = kept else { return };
    drop(writing);
    match here() {
        Ok(here) => here.keep(kept),
        // As above.
        Err(_) => std::mem::forget(kept),
    }
}

extern "C" fn in_child() {
    let Fork { kept, sockets } = FORK.take();
    for descriptor in sockets {
        // SAFETY: a descriptor that the parent's structures own, which nobody in this process looks at again.
        unsafe { libc::close(descriptor) };
    }
    let Some((Kept { token, ends, reading, _blocks: blocks }, writing, address)) = kept else { return };
    drop(reading);
    // As long as this process lives.
    std::mem::forget(writing);
    // They belong to the parent, as do their locks.
    std::mem::forget((blocks, ends));
    let above = PARENT.load(Ordering::Relaxed).cast_const(); // this process has one thread
    PARENT.store(Box::into_raw(Box::new(Ancestor { address, token, above })), Ordering::Relaxed);
}

/// The token of the fork by which this process comes from that one.
fn token_from(host: Address) -> Option<Token> {
    let mut at = PARENT.load(Ordering::Relaxed).cast_const(); // written before this process had other threads
    // SAFETY: null or never freed, as the static and the field say; nobody changes what is there.
    while let Some(ancestor) = unsafe { at.as_ref() } {
        if ancestor.address == host {
            return Some(ancestor.token);
        }
        at = ancestor.above;
    }
    None
}

/// The end that the host keeps for this process.
fn adopt(host: Address, channel: u64, side: Side) -> Option<Attachment> {
    let fork = token_from(host)?;
    let peer = here().ok()?.reach(host).ok()?;
    match peer.call(&Patience::of(PATIENCE), |request| Packet::Inherit { request, fork, channel, side }) {
        Ok(Reply::Part(end)) => Some(end),
        _ => None,
    }
}

/// Stops the server for the time of a fork: what forks with one thread has no reason to be warned, as CPython would.
pub(crate) fn pause() {
    // What the parent keeps needs the server. Begun only after the fork, it would be the second thread that is warned of.
    if known().and_then(Here::running).is_none() && !(arena::pin_all().is_empty() && keep_ends().is_empty()) {
        // Where it cannot be begun, nothing is let go of.
        let _ = here();
    }
    if let Some(server) = known().and_then(Here::running) {
        server.pause();
    }
}

/// Lets the server go on, in the parent.
pub(crate) fn resume() {
    if let Some(server) = known().and_then(Here::running) {
        server.resume();
    }
}

/// Tells the parent that this process has asked for all inherited ends that it needs.
pub(crate) fn settle() {
    // SAFETY: null or never freed, as the static says; nobody changes what is there.
    let Some(parent) = (unsafe { PARENT.load(Ordering::Relaxed).as_ref() }) else { return };
    if let Ok(here) = here()
        && let Ok(peer) = here.reach(parent.address)
    {
        peer.post(&Packet::Settled { fork: parent.token });
    }
}
