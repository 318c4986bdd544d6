//! The live channels of this process. A channel enters when it is made and leaves when its last end is dropped.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::endpoint::Channel;
use super::queue::Core;
use crate::Arena;

/// A tree gives memory back as channels leave. It is never modelled, so its lock is the standard one under loom as well.
static REGISTRY: Mutex<Registry> = Mutex::new(Registry { next: 1, live: BTreeMap::new() });

#[derive(Debug)]
struct Registry {
    /// The number of the next channel.
    next: u64,
    live: BTreeMap<u64, Weak<Channel>>,
}

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A new channel without ends.
pub(super) fn register(capacity: Option<usize>, arena: Option<Arena>) -> Arc<Channel> {
    let core = Core::new(capacity);
    let mut registry = registry();
    let id = registry.next;
    registry.next += 1;
    let channel = Arc::new(Channel { id, core, arena });
    registry.live.insert(id, Arc::downgrade(&channel));
    channel
}

/// Called by the channel as it goes.
pub(super) fn forget(id: u64) {
    registry().live.remove(&id);
}

/// Has every thread that waits in a channel of this process look again whether its wait was cancelled.
pub fn wake_everyone() {
    // The lock is given back first: a channel whose last end is dropped meanwhile is dropped here and takes it.
    let live: Vec<Arc<Channel>> = registry().live.values().filter_map(Weak::upgrade).collect();
    for channel in live {
        channel.core.wake_everyone();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn forgets_what_is_gone() {
        let (sender, receiver) = super::super::channel(None);
        let id = sender.channel_id();
        assert!(registry().live.contains_key(&id));
        drop(sender);
        assert!(registry().live.contains_key(&id));
        drop(receiver);
        assert!(!registry().live.contains_key(&id));
    }
}
