//! All arenas of the process, by name and by address.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, Weak};

use super::block::Block;
use super::inner::Inner;
use super::{Arena, Budget};
use crate::error::Result;
use crate::offset::ArenaId;
use crate::sync::{AtomicUsize, Ordering};

struct Entry {
    id: ArenaId,
    /// Its read-only window.
    start: usize,
    end: usize,
    inner: Weak<Inner>,
}

struct Registry {
    arenas: RwLock<Vec<Entry>>,
    /// All windows lie between these, so that an address from elsewhere is known at once. An address in a window comes from someone who
    /// knows its arena already, so it is never missed.
    lowest: AtomicUsize,
    highest: AtomicUsize,
    shared: Mutex<Option<Arena>>,
}

fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(|| Registry {
        arenas: RwLock::new(Vec::new()),
        lowest: AtomicUsize::new(usize::MAX),
        highest: AtomicUsize::new(0),
        shared: Mutex::new(None),
    })
}

impl Registry {
    fn change(&self, change: impl FnOnce(&mut Vec<Entry>)) {
        let mut arenas = self.arenas.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut arenas);
        // Relaxed: who has an address of an arena got it from one who saw the arena made.
        self.lowest.store(arenas.iter().map(|entry| entry.start).min().unwrap_or(usize::MAX), Ordering::Relaxed);
        self.highest.store(arenas.iter().map(|entry| entry.end).max().unwrap_or(0), Ordering::Relaxed);
    }

    /// The lock is released before the arena can be dropped, which would want it.
    fn lookup(&self, wanted: impl Fn(&Entry) -> bool) -> Option<Arc<Inner>> {
        let arenas = self.arenas.read().unwrap_or_else(PoisonError::into_inner);
        arenas.iter().find(|entry| wanted(entry)).and_then(|entry| entry.inner.upgrade())
    }
}

/// Makes a new arena known.
pub(super) fn enter(inner: &Arc<Inner>) {
    let window = inner.mapping().read_only();
    let (start, end) = (window.start(), window.start() + window.len());
    registry().change(|arenas| arenas.push(Entry { id: inner.id(), start, end, inner: Arc::downgrade(inner) }));
}

/// Forgets an arena.
pub(super) fn leave(id: ArenaId) {
    registry().change(|arenas| arenas.retain(|entry| entry.id != id));
}

/// The live arena of that name.
pub(crate) fn find(id: ArenaId) -> Option<Arena> {
    let inner = registry().lookup(|entry| entry.id == id)?;
    if inner.mapping().is_inherited() { None } else { Some(Arena::of(&inner)) }
}

/// The live block in whose read-only memory all of `address..address + len` lies, whatever arena it is in.
#[inline]
pub(crate) fn block_at(address: usize, len: usize) -> Option<Block> {
    let registry = registry();
    if address < registry.lowest.load(Ordering::Relaxed) || address >= registry.highest.load(Ordering::Relaxed) {
        return None;
    }
    let inner = registry.lookup(|entry| (entry.start..entry.end).contains(&address))?;
    inner.block_at(address, len)
}

/// The process's own arena; a new one when there is none, or it was closed, or belongs to the process this one was forked from.
pub(super) fn shared() -> Result<Arena> {
    let mut shared = registry().shared.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(arena) = shared.as_ref().filter(|arena| !arena.is_closed()) {
        return Ok(arena.clone());
    }
    let arena = Arena::new(Budget::default())?;
    *shared = Some(arena.clone());
    Ok(arena)
}
