//! The live channels of this process, and its ends of channels elsewhere. A channel enters when it is made and leaves when its last end
//! is dropped.
//!
//! A forked child has a registry of its own: what it inherited is of no use to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::endpoint::Channel;
use super::queue::Core;
use super::remote::RemoteEnd;
use crate::Arena;
use crate::per_process::PerProcess;
use crate::sync::Ordering;
use crate::sync::of_process::AtomicU64;

/// It is never modelled, so its lock is the standard one under loom as well.
static REGISTRY: PerProcess<Mutex<Live>> = PerProcess::new();

/// The number of the next channel or end. A forked child counts on, so that what it makes has other numbers than what it inherited.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Trees give memory back as their entries leave.
#[derive(Debug, Default)]
struct Live {
    channels: BTreeMap<u64, Weak<Channel>>,
    remote_ends: BTreeMap<u64, Weak<dyn RemoteEnd>>,
}

fn registry() -> MutexGuard<'static, Live> {
    REGISTRY.get_or_make(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

fn number() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A new channel without ends.
pub(super) fn register(capacity: Option<usize>, arena: Option<Arena>) -> Arc<Channel> {
    let id = number();
    let channel = Arc::new(Channel::new(id, capacity, arena));
    registry().channels.insert(id, Arc::downgrade(&channel));
    channel
}

/// The live channels.
pub(super) fn channels() -> Vec<Arc<Channel>> {
    registry().channels.values().filter_map(Weak::upgrade).collect()
}

/// The live channel of that number.
pub(super) fn channel(id: u64) -> Option<Arc<Channel>> {
    registry().channels.get(&id).and_then(Weak::upgrade)
}

/// Called by the channel as it goes.
pub(super) fn forget(id: u64) {
    registry().channels.remove(&id);
}

/// Gives the number under which the end is to be forgotten.
pub(super) fn register_remote(end: &Arc<dyn RemoteEnd>) -> u64 {
    let entry = number();
    registry().remote_ends.insert(entry, Arc::downgrade(end));
    entry
}

/// Called when the end is not used any more.
pub(super) fn forget_remote(entry: u64) {
    registry().remote_ends.remove(&entry);
}

/// Has every thread that waits in a channel, here or elsewhere, look again whether its wait was cancelled.
pub fn wake_everyone() {
    // The lock is given back first: a channel whose last end is dropped meanwhile is dropped here and takes it.
    let channels = channels();
    let remote_ends: Vec<Arc<dyn RemoteEnd>> = registry().remote_ends.values().filter_map(Weak::upgrade).collect();
    channels.iter().filter_map(|channel| channel.core()).for_each(Core::wake_everyone);
    remote_ends.iter().for_each(|end| end.wake_everyone());
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn forgets_what_is_gone() {
        let (sender, receiver) = super::super::channel(None);
        let id = sender.channel_id();
        assert!(registry().channels.contains_key(&id));
        drop(sender);
        assert!(registry().channels.contains_key(&id));
        drop(receiver);
        assert!(!registry().channels.contains_key(&id));
    }
}
