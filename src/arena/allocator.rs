//! Which bytes of the arena are whose. Pure bookkeeping: it touches no memory.
//!
//! ```text
//! up to 256 KiB -> a cell of a slab --(a new slab)--+
//! above         -> a run of 64 KiB units -----------+--> runs
//! ```
//!
//! What the budget bounds is *backed* memory, live or not, counted before any of it is touched. Memory is backed from the moment it
//! belongs to a block until it is given back to the system. Free but backed memory is *cached*; a caller who meets a
//! [`Shortage::Bytes`] has some of that given back ([`Allocator::take_victim`], [`Allocator::punched`]) and tries again.

use std::collections::BTreeMap;
use std::ops::Range;

use super::classes::{Class, SLAB, SLAB_UNITS, UNIT};
use super::runs::Runs;
use super::slabs::{Cell, Emptied, Slabs};
use crate::offset::Offset;

/// Memory for a block.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) offset: Offset,
    /// The part (with what lies between) that has no pages yet.
    pub(super) fresh: Range<u64>,
}

/// What stands in the way of a block.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shortage {
    /// So many backed bytes too many.
    Bytes(u64),
    /// No run is long enough.
    Room,
}

/// Figures kept up to date. Sizes in bytes.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Tally {
    pub(super) blocks: u64,
    pub(super) allocations: u64,
    pub(super) used: u64,
    pub(super) peak: u64,
    /// Memory that has, or may have, pages.
    pub(super) backed: u64,
}

/// The bookkeeper of one arena.
#[derive(Debug)]
pub(super) struct Allocator {
    runs: Runs,
    slabs: Slabs,
    /// The slot of each live run, by its first unit.
    live_runs: BTreeMap<u32, u32>,
    tally: Tally,
    /// Backed bytes of slabs without a block.
    in_empty_slabs: u64,
    budget: u64,
}

impl Allocator {
    /// For `space` bytes of addresses, a multiple of 2 MiB, of which `budget` may be backed.
    pub(super) fn new(space: u64, budget: u64, page: usize) -> Allocator {
        Allocator {
            runs: Runs::new(u32::try_from(space / UNIT).unwrap_or(u32::MAX)),
            slabs: Slabs::new(page),
            live_runs: BTreeMap::new(),
            tally: Tally::default(),
            in_empty_slabs: 0,
            budget,
        }
    }

    /// What a block of `len` bytes occupies.
    #[inline]
    pub(super) fn rounded(len: usize) -> u64 {
        Class::holding(len).map_or_else(|| (len as u64).div_ceil(UNIT).saturating_mul(UNIT), |class| class.size() as u64)
    }

    /// Memory for the block in `slot`. Refusing changes nothing.
    #[inline(always)]
    pub(super) fn take(&mut self, len: usize, slot: u32) -> Result<Grant, Shortage> {
        let (grant, size) = match Class::holding(len) {
            Some(class) => match self.slabs.retake(class, slot) {
                Some(cell) => (self.grant(&cell, 0..0), class.size() as u64),
                None => (self.take_cell(class, slot)?, class.size() as u64),
            },
            None => (self.take_run(len, slot)?, Self::rounded(len)),
        };
        self.tally.blocks += 1;
        self.tally.allocations += 1;
        self.tally.used += size;
        self.tally.peak = self.tally.peak.max(self.tally.used);
        Ok(grant)
    }

    #[cold]
    fn take_cell(&mut self, class: Class, slot: u32) -> Result<Grant, Shortage> {
        let mixed = match self.slabs.growth(class) {
            Some(growth) => {
                self.afford(growth as u64)?;
                0..0
            }
            None => self.add_slab(class)?,
        };
        let (cell, grown) = self.slabs.take_new(class, slot).ok_or(Shortage::Room)?;
        self.tally.backed += (grown.end - grown.start) as u64;
        let start = cell.chunk as u64 * SLAB as u64;
        let grown = start + grown.start as u64..start + grown.end as u64;
        Ok(self.grant(&cell, if mixed.is_empty() { grown } else { mixed }))
    }

    #[inline]
    fn grant(&mut self, cell: &Cell, fresh: Range<u64>) -> Grant {
        self.in_empty_slabs -= cell.was_kept as u64;
        Grant { offset: Offset(cell.chunk as u64 * SLAB as u64 + cell.offset as u64), fresh }
    }

    /// A slab out of free runs. One that is backed in part counts as backed wholly, and the result is what was not.
    #[cold]
    fn add_slab(&mut self, class: Class) -> Result<Range<u64>, Shortage> {
        let at = self.runs.find_slab().ok_or(Shortage::Room)?;
        let (fresh, hull) = self.runs.fresh_in(at, SLAB_UNITS);
        let (backed, growth, mixed) = match fresh {
            SLAB_UNITS => (0, self.slabs.growth_of_new(class) as u64, 0..0),
            fresh => (SLAB as u32, fresh as u64 * UNIT, bytes(&hull)),
        };
        self.afford(growth).map_err(|shortage| match shortage {
            // Without what is backed of it the chunk would be fresh, and need but a few pages.
            Shortage::Bytes(excess) if backed > 0 => Shortage::Bytes(excess.min(self.cached())),
            other => other,
        })?;
        self.runs.take(at, SLAB_UNITS);
        if backed > 0 {
            self.tally.backed += growth;
            self.in_empty_slabs += backed as u64;
        }
        self.slabs.add(class, at / SLAB_UNITS, backed);
        Ok(mixed)
    }

    fn take_run(&mut self, len: usize, slot: u32) -> Result<Grant, Shortage> {
        let units = units(len).ok_or(Shortage::Room)?;
        let at = self.runs.find(units).ok_or(Shortage::Room)?;
        let (fresh, hull) = self.runs.fresh_in(at, units);
        self.afford(fresh as u64 * UNIT)?;
        self.runs.take(at, units);
        self.live_runs.insert(at, slot);
        self.tally.backed += fresh as u64 * UNIT;
        Ok(Grant { offset: Offset(at as u64 * UNIT), fresh: bytes(&hull) })
    }

    #[inline]
    fn afford(&self, growth: u64) -> Result<(), Shortage> {
        match (self.tally.backed + growth).saturating_sub(self.budget) {
            0 => Ok(()),
            excess => Err(Shortage::Bytes(excess)),
        }
    }

    /// Takes back the memory of a block of `len` bytes; whether more is cached now.
    #[inline(always)]
    pub(super) fn give(&mut self, offset: Offset, len: usize) -> bool {
        self.tally.blocks -= 1;
        let Some(class) = Class::holding(len) else {
            let at = (offset.0 / UNIT) as u32;
            self.live_runs.remove(&at);
            self.tally.used -= Self::rounded(len);
            self.runs.give(at, (len as u64).div_ceil(UNIT) as u32, true);
            return true;
        };
        self.tally.used -= class.size() as u64;
        let chunk = (offset.0 / SLAB as u64) as u32;
        match self.slabs.give(class, chunk, offset.0 as usize % SLAB) {
            Emptied::No => return false,
            Emptied::Kept(backed) => self.in_empty_slabs += backed as u64,
            Emptied::Released(backed) => self.free_slab(chunk, backed),
        }
        true
    }

    /// The chunk becomes free runs: as far as it is backed, in whole units, and the rest.
    fn free_slab(&mut self, chunk: u32, backed: u32) {
        let at = chunk * SLAB_UNITS;
        let units = (backed as u64).div_ceil(UNIT) as u32;
        self.tally.backed += units as u64 * UNIT - backed as u64;
        self.runs.give(at, units, true);
        self.runs.give(at + units, SLAB_UNITS - units, false);
    }

    /// Turns the slabs kept in reserve into free runs; whether there were any.
    pub(super) fn release_empty_slabs(&mut self) -> bool {
        let before = self.in_empty_slabs;
        while let Some((chunk, backed)) = self.slabs.release_empty() {
            self.in_empty_slabs -= backed as u64;
            self.free_slab(chunk, backed);
        }
        before > 0
    }

    /// Free bytes that have pages.
    #[inline]
    pub(super) fn cached(&self) -> u64 {
        self.runs.backed() * UNIT + self.in_empty_slabs
    }

    /// Takes free memory out, for it to be given back to the system, if more than `keep` bytes are cached.
    pub(super) fn take_victim(&mut self, keep: u64) -> Option<Range<u64>> {
        if self.cached() <= keep {
            return None;
        }
        if self.runs.backed() == 0 {
            self.release_empty_slabs();
        }
        let excess = u32::try_from((self.cached() - keep).div_ceil(UNIT)).unwrap_or(u32::MAX);
        self.runs.take_victim(excess).map(|victim| bytes(&victim))
    }

    /// Takes a victim back, whether it has pages still or not.
    pub(super) fn return_victim(&mut self, victim: &Range<u64>, backed: bool) {
        let (at, len) = ((victim.start / UNIT) as u32, victim.end - victim.start);
        self.runs.give(at, (len / UNIT) as u32, backed);
        self.tally.backed -= if backed { 0 } else { len };
    }

    /// The slot of the live block whose memory has the byte at `offset`. A run's block may end before it.
    pub(super) fn slot_at(&self, offset: Offset) -> Option<u32> {
        let chunk = (offset.0 / SLAB as u64) as u32;
        if self.slabs.contains(chunk) {
            return self.slabs.slot_at(chunk, offset.0 as usize % SLAB);
        }
        self.live_runs.range(..=(offset.0 / UNIT) as u32).next_back().map(|(_, &slot)| slot)
    }

    /// The largest block that would succeed now, after giving back all that is cached.
    pub(super) fn largest(&self) -> u64 {
        let affordable = self.budget.saturating_sub(self.tally.backed - self.cached());
        let longest = self.runs.longest();
        let run = (longest as u64 * UNIT).min(affordable / UNIT * UNIT);
        if Class::holding(run as usize).is_none() {
            return run;
        }
        let room = longest >= SLAB_UNITS;
        let fits = |class: &Class| match self.slabs.growth(*class) {
            Some(growth) => growth as u64 <= affordable,
            None => room && self.slabs.growth_of_new(*class) as u64 <= affordable,
        };
        Class::descending().find(fits).map_or(0, |class| class.size() as u64)
    }

    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    pub(super) fn budget(&self) -> u64 {
        self.budget
    }
}

fn units(len: usize) -> Option<u32> {
    u32::try_from((len as u64).div_ceil(UNIT)).ok()
}

fn bytes(units: &Range<u32>) -> Range<u64> {
    units.start as u64 * UNIT..units.end as u64 * UNIT
}
