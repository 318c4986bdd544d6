//! What this process has published: services, and under each of them channels and arrays with names of their own.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use super::wire::{Thing, Verdict};
use crate::Array;
use crate::channel::{Attachment, Receiver, Sender};
use crate::error::{Error, Result};

/// The longest name of a service, and of a thing in it, in bytes: what a socket's name has room for.
pub const LONGEST_NAME: usize = 64;

/// So many names are told to who asks for one that is not there.
const TOLD: usize = 20;

/// All services of this process.
#[derive(Default)]
pub(super) struct Services {
    last: u64,
    all: HashMap<u64, Entry>,
}

struct Entry {
    name: Arc<str>,
    listener: Arc<OwnedFd>,
    /// By their names.
    things: HashMap<String, Published>,
}

/// One thing of a service.
pub(super) enum Published {
    /// Both ends are kept, so that the channel outlives all clients.
    Channel(Sender, Receiver),
    Array(Array),
}

impl Published {
    fn describe(&self, name: &str) -> String {
        match self {
            Published::Channel(..) => format!("channel {name:?}"),
            Published::Array(_) => format!("array {name:?}"),
        }
    }
}

/// What is left of a service that was closed, to be dropped without the lock: it may be the last of much.
pub(super) struct Remains {
    _entry: Entry,
}

/// Errors with BadName.
pub(super) fn check_name(name: &str) -> Result<()> {
    match name.len() {
        1..=LONGEST_NAME => Ok(()),
        len => Err(Error::BadName { name: shortened(name), reason: format!("it has {len} bytes; give 1 to {LONGEST_NAME}") }),
    }
}

/// So much of a name as fits into a text.
fn shortened(name: &str) -> String {
    match name.char_indices().find(|(at, _)| *at >= LONGEST_NAME) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name.to_owned(),
    }
}

impl Services {
    /// The number of a new service.
    pub(super) fn begin(&mut self, name: Arc<str>, listener: Arc<OwnedFd>) -> u64 {
        self.last += 1;
        self.all.insert(self.last, Entry { name, listener, things: HashMap::new() });
        self.last
    }

    /// Ends a service. In a forked child there may be another one of that number, which is told by the text's place in memory.
    pub(super) fn end(&mut self, id: u64, name: &Arc<str>) -> Option<Remains> {
        if !self.holds(id, name) {
            return None;
        }
        self.all.remove(&id).map(|entry| Remains { _entry: entry })
    }

    /// Whether the service is there still.
    pub(super) fn holds(&self, id: u64, name: &Arc<str>) -> bool {
        self.all.get(&id).is_some_and(|entry| Arc::ptr_eq(&entry.name, name))
    }

    /// Puts a thing into a service. Errors with BadName, and with the thing: it may be the last of much.
    pub(super) fn add(&mut self, id: u64, service: &Arc<str>, name: &str, thing: Published) -> Result<(), (Error, Published)> {
        let refused = |reason: String| Error::BadName { name: shortened(name), reason };
        if !self.holds(id, service) {
            let reason = format!("the service {service:?} is closed, or belongs to the process from which this one was forked");
            return Err((refused(reason), thing));
        }
        if let Err(error) = check_name(name) {
            return Err((error, thing));
        }
        let things = &mut self.all.get_mut(&id).expect("looked up above").things;
        if let Some(there) = things.get(name) {
            let reason = format!("the service {service:?} has {} already", there.describe(name));
            return Err((refused(reason), thing));
        }
        things.insert(name.to_owned(), thing);
        Ok(())
    }

    /// What there is in a service.
    pub(super) fn contents(&self, id: u64) -> Vec<String> {
        let things = self.all.get(&id).into_iter().flat_map(|entry| &entry.things);
        let mut all: Vec<String> = things.map(|(name, thing)| thing.describe(name)).collect();
        all.sort();
        all
    }

    /// The socket at which a service listens.
    pub(super) fn listener(&self, id: u64) -> Option<Arc<OwnedFd>> {
        self.all.get(&id).map(|entry| entry.listener.clone())
    }

    pub(super) fn descriptors(&self) -> Vec<RawFd> {
        self.all.values().map(|entry| entry.listener.as_raw_fd()).collect()
    }

    /// The thing of that name. Errors with what there is instead: `Stale` when the service is gone, else `Unknown`.
    pub(super) fn find(&self, service: &str, thing: Thing, name: &str) -> Result<Attachment, (Verdict, String)> {
        let Some((id, entry)) = self.all.iter().find(|(_, entry)| &*entry.name == service) else {
            return Err((Verdict::Stale, "its process has closed it".to_owned()));
        };
        match (entry.things.get(name), thing) {
            (Some(Published::Channel(sender, _)), Thing::Sender) => Ok(Attachment::Sender(sender.clone())),
            (Some(Published::Channel(_, receiver)), Thing::Receiver) => Ok(Attachment::Receiver(receiver.clone())),
            (Some(Published::Array(array)), Thing::Array) => Ok(Attachment::Array(array.clone())),
            _ => Err((Verdict::Unknown, self.instead(*id, service, thing))),
        }
    }

    fn instead(&self, id: u64, service: &str, wanted: Thing) -> String {
        let wanted = if wanted == Thing::Array { "array" } else { "channel" };
        let there = self.contents(id);
        let more = there.len().saturating_sub(TOLD);
        let there = match (there.len(), more) {
            (0, _) => "nothing yet".to_owned(),
            (_, 0) => there.join(", "),
            _ => format!("{} and {more} more", there[..TOLD].join(", ")),
        };
        format!("the service {service:?} has no {wanted} of that name; it has {there}")
    }
}
