//! All arenas that the process knows, its own and those of others, by name and by address.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use super::block::Block;
use super::foreign::ForeignArena;
use super::inner::{Inner, lock};
use super::raw::Window;
use super::{Arena, Budget};
use crate::error::Result;
use crate::offset::ArenaId;
use crate::per_process::PerProcess;
use crate::sync::Ordering;
use crate::sync::of_process::AtomicUsize;

struct Entry<T> {
    id: ArenaId,
    /// Its read-only window.
    addresses: Range<usize>,
    memory: Weak<T>,
}

impl<T> Entry<T> {
    fn new(id: ArenaId, window: &Window, memory: &Arc<T>) -> Entry<T> {
        Entry { id, addresses: window.start()..window.start() + window.len(), memory: Arc::downgrade(memory) }
    }
}

/// The live one whose window has the address.
fn having<T>(entries: &[Entry<T>], address: usize) -> Option<Arc<T>> {
    entries.iter().find(|entry| entry.addresses.contains(&address)).and_then(|entry| entry.memory.upgrade())
}

fn live<T>(entries: &[Entry<T>]) -> Vec<Arc<T>> {
    entries.iter().filter_map(|entry| entry.memory.upgrade()).collect()
}

/// What is mapped. A forked child begins with nothing: what it inherited can neither allocate nor be found.
struct Known {
    own: Vec<Entry<Inner>>,
    foreign: Vec<Entry<ForeignArena>>,
}

/// An `Arc` got from here may turn out to be the last one, and its drop wants the lock: so the lock goes first.
struct Registry {
    known: RwLock<Known>,
    /// All windows lie between these, so that an address from elsewhere is known at once. An address in a window comes from someone who
    /// knows its arena already, so it is never missed.
    lowest: AtomicUsize,
    highest: AtomicUsize,
    /// Taken before `known`.
    shared: Mutex<Option<Arena>>,
}

static REGISTRY: PerProcess<Registry> = PerProcess::new();

fn registry() -> &'static Registry {
    REGISTRY.get_or_make(|| Registry {
        known: RwLock::new(Known { own: Vec::new(), foreign: Vec::new() }),
        lowest: AtomicUsize::new(usize::MAX),
        highest: AtomicUsize::new(0),
        shared: Mutex::new(None),
    })
}

impl Registry {
    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the address lies between the windows' ends.
    #[inline]
    fn spans(&self, address: usize) -> bool {
        address >= self.lowest.load(Ordering::Relaxed) && address < self.highest.load(Ordering::Relaxed)
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        let mut known = self.write();
        change(&mut known);
        let windows = || known.own.iter().map(|entry| &entry.addresses).chain(known.foreign.iter().map(|entry| &entry.addresses));
        // Relaxed: who has an address of an arena got it from one who saw the arena made.
        self.lowest.store(windows().map(|window| window.start).min().unwrap_or(usize::MAX), Ordering::Relaxed);
        self.highest.store(windows().map(|window| window.end).max().unwrap_or(0), Ordering::Relaxed);
    }
}

/// Makes a new arena known.
pub(super) fn enter(inner: &Arc<Inner>) {
    registry().change(|known| known.own.push(Entry::new(inner.id(), inner.mapping().read_only(), inner)));
}

/// Makes the memory of another process known.
pub(super) fn enter_foreign(arena: &Arc<ForeignArena>) {
    registry().change(|known| known.foreign.push(Entry::new(arena.id(), arena.window(), arena)));
}

/// Forgets the arena with that window, which is still mapped.
pub(super) fn leave(window: &Window) {
    let start = window.start();
    registry().change(|known| {
        known.own.retain(|entry| entry.addresses.start != start);
        known.foreign.retain(|entry| entry.addresses.start != start);
    });
}

/// This process's live arena of that name.
pub(crate) fn find(id: ArenaId) -> Option<Arena> {
    let known = registry().read();
    let found = known.own.iter().find(|entry| entry.id == id).and_then(|entry| entry.memory.upgrade());
    drop(known);
    found.filter(|inner| !inner.mapping().is_inherited()).map(|inner| Arena::of(&inner))
}

/// Whether there may be a block that has the byte at `address`.
#[inline]
pub(crate) fn may_have(address: usize) -> bool {
    registry().spans(address)
}

/// The live block, or lease of another process's block, in whose read-only memory all of `address..address + len` lies, whatever arena it
/// is in.
#[inline]
pub(crate) fn block_at(address: usize, len: usize) -> Option<Block> {
    let registry = registry();
    if !registry.spans(address) {
        return None;
    }
    let known = registry.read();
    let own = having(&known.own, address);
    let foreign = if own.is_none() { having(&known.foreign, address) } else { None };
    drop(known);
    match own {
        Some(inner) => inner.block_at(address, len),
        None => foreign?.block_at(address, len),
    }
}

/// One more reference to each block that is live now, in this process's arenas or leased from others. Held over a fork, they keep in place
/// what the child inherits, while the parent goes on freeing.
pub(crate) fn pin_all() -> Vec<Block> {
    let known = registry().read();
    let (own, foreign) = (live(&known.own), live(&known.foreign));
    drop(known);
    let mut pins = Vec::new();
    for inner in own {
        inner.pin(&mut pins);
    }
    for arena in foreign {
        arena.pin(&mut pins);
    }
    pins
}

/// The process's own arena; a new one when there is none, or it was closed, or belongs to the process this one was forked from.
pub(super) fn shared() -> Result<Arena> {
    let mut shared = lock(&registry().shared);
    if let Some(arena) = shared.as_ref().filter(|arena| !arena.is_closed()) {
        return Ok(arena.clone());
    }
    let arena = Arena::new(Budget::default())?;
    *shared = Some(arena.clone());
    Ok(arena)
}
