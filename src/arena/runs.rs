//! Free memory in large pieces: best fit, coalescing, backed memory first.
//!
//! The address space is a row of 64 KiB units. Free units form segments, each either *backed* (it has pages, kept for reuse) or *fresh*
//! (none yet, or given back). Neighbours of the same kind are one segment:
//!
//! ```text
//! |live|backed     |live  |backed|fresh                                   |
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use smallvec::SmallVec;

use super::classes::SLAB_UNITS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    len: u32,
    backed: bool,
}

/// The free units of an address space.
///
/// Invariants: segments do not overlap; no two neighbours are of the same kind; `sizes[kind]` has `(len, start)` of each segment of
/// that kind.
#[derive(Debug)]
pub(super) struct Runs {
    segments: BTreeMap<u32, Segment>,
    sizes: [BTreeSet<(u32, u32)>; 2],
    backed: u64,
}

impl Runs {
    /// All of `units`, fresh.
    pub(super) fn new(units: u32) -> Runs {
        let mut runs = Runs { segments: BTreeMap::new(), sizes: Default::default(), backed: 0 };
        runs.insert(0, Segment { len: units, backed: false });
        runs
    }

    /// Free units that have pages.
    pub(super) fn backed(&self) -> u64 {
        self.backed
    }

    /// Where `units` fit best: in the smallest backed segment, else from the largest one on into fresh memory behind it, else in the
    /// smallest fresh one, else across any. Runs of 2 MiB and more start at a multiple of that, for the sake of huge pages.
    pub(super) fn find(&self, units: u32) -> Option<u32> {
        self.best_fit(units, true).or_else(|| self.growing(units)).or_else(|| self.best_fit(units, false)).or_else(|| self.spanning(units))
    }

    /// Where a slab fits: all backed or all fresh if it can be.
    pub(super) fn find_slab(&self) -> Option<u32> {
        let units = SLAB_UNITS;
        self.best_fit(units, true).or_else(|| self.best_fit(units, false)).or_else(|| self.spanning(units))
    }

    fn best_fit(&self, units: u32, backed: bool) -> Option<u32> {
        self.sizes[backed as usize].range((units, 0)..).find_map(|&(len, start)| place(start, start + len, units))
    }

    fn growing(&self, units: u32) -> Option<u32> {
        let &(len, start) = self.sizes[1].last()?;
        let behind = start + len;
        let fresh = self.segments.get(&behind)?;
        place(start, behind + fresh.len, units).filter(|&at| at < behind)
    }

    fn spanning(&self, units: u32) -> Option<u32> {
        self.stretches().find_map(|stretch| place(stretch.start, stretch.end, units))
    }

    /// The longest run that can be had.
    pub(super) fn longest(&self) -> u32 {
        self.stretches().map(|stretch| longest_in(&stretch)).max().unwrap_or(0)
    }

    /// Free units without a gap, whatever their kind.
    fn stretches(&self) -> impl Iterator<Item = Range<u32>> {
        let mut segments = self.segments.iter().map(|(&start, segment)| start..start + segment.len).peekable();
        std::iter::from_fn(move || {
            let mut stretch = segments.next()?;
            while let Some(next) = segments.next_if(|next| next.start == stretch.end) {
                stretch.end = next.end;
            }
            Some(stretch)
        })
    }

    /// How many of `units` from `start` on are free and fresh, and the range that spans them.
    pub(super) fn fresh_in(&self, start: u32, units: u32) -> (u32, Range<u32>) {
        let end = start + units;
        let (mut count, mut hull) = (0, start..start);
        for (at, segment) in self.overlapping(start, end) {
            if !segment.backed {
                let piece = at.max(start)..(at + segment.len).min(end);
                count += piece.end - piece.start;
                hull = if hull.is_empty() { piece } else { hull.start..piece.end };
            }
        }
        (count, hull)
    }

    fn overlapping(&self, start: u32, end: u32) -> impl Iterator<Item = (u32, Segment)> {
        let first = self.segments.range(..=start).next_back().map_or(start, |(&first, _)| first);
        self.segments.range(first..end).map(|(&at, &segment)| (at, segment)).filter(move |(at, segment)| at + segment.len > start)
    }

    /// Takes `units` from `start` on, all of which are free.
    pub(super) fn take(&mut self, start: u32, units: u32) {
        let end = start + units;
        let pieces: SmallVec<[(u32, Segment); 4]> = self.overlapping(start, end).collect();
        for (at, segment) in pieces {
            self.remove(at, segment);
            if at < start {
                self.insert(at, Segment { len: start - at, ..segment });
            }
            if at + segment.len > end {
                self.insert(end, Segment { len: at + segment.len - end, ..segment });
            }
        }
    }

    /// Makes `units` from `start` on free again.
    pub(super) fn give(&mut self, start: u32, units: u32, backed: bool) {
        if units == 0 {
            return;
        }
        let (mut start, mut end) = (start, start + units);
        if let Some((&at, &before)) = self.segments.range(..start).next_back()
            && at + before.len == start
            && before.backed == backed
        {
            self.remove(at, before);
            start = at;
        }
        if let Some(&after) = self.segments.get(&end)
            && after.backed == backed
        {
            self.remove(end, after);
            end += after.len;
        }
        self.insert(start, Segment { len: end - start, backed });
    }

    /// Takes up to about `units` out of the largest backed segment, from its end, for their memory to be given back. The cut is at a huge
    /// page's start where there is one, since parts of huge pages free nothing.
    pub(super) fn take_victim(&mut self, units: u32) -> Option<Range<u32>> {
        let &(len, start) = self.sizes[1].last()?;
        let end = start + len;
        let cut = end - units.min(len);
        let cut = (cut / SLAB_UNITS * SLAB_UNITS).max(start);
        self.take(cut, end - cut);
        Some(cut..end)
    }

    fn insert(&mut self, start: u32, segment: Segment) {
        self.segments.insert(start, segment);
        self.sizes[segment.backed as usize].insert((segment.len, start));
        self.backed += if segment.backed { segment.len as u64 } else { 0 };
    }

    fn remove(&mut self, start: u32, segment: Segment) {
        self.segments.remove(&start);
        self.sizes[segment.backed as usize].remove(&(segment.len, start));
        self.backed -= if segment.backed { segment.len as u64 } else { 0 };
    }
}

/// The first place for `units` within `start..end`.
fn place(start: u32, end: u32, units: u32) -> Option<u32> {
    let at = if units >= SLAB_UNITS { start.next_multiple_of(SLAB_UNITS) } else { start };
    (at.checked_add(units)? <= end).then_some(at)
}

fn longest_in(stretch: &Range<u32>) -> u32 {
    let aligned = stretch.end.saturating_sub(stretch.start.next_multiple_of(SLAB_UNITS));
    if aligned >= SLAB_UNITS { aligned } else { (stretch.end - stretch.start).min(SLAB_UNITS - 1) }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const TOTAL: u32 = 1000;

    #[test]
    fn backed_memory_is_preferred_and_grown() {
        let mut runs = Runs::new(TOTAL);
        runs.take(0, 300);
        runs.give(0, 100, true); // backed 0..100, live 100..200, backed 200..300, fresh 300..
        runs.give(200, 100, true);
        assert_eq!(runs.find(90), Some(0));
        assert_eq!(runs.find(64), Some(0));
        assert_eq!(runs.find(20), Some(0));
        assert_eq!(runs.find(150), Some(224), "the backed segment in front of the fresh one, at a multiple of 2 MiB");
        assert_eq!(runs.fresh_in(224, 150), (74, 300..374));
    }

    #[test]
    fn fresh_memory_is_used_when_backed_is_too_small_and_any_when_neither_fits() {
        let mut runs = Runs::new(64);
        runs.take(0, 64);
        runs.give(0, 10, true);
        runs.give(10, 10, false);
        runs.give(20, 12, true);
        assert_eq!(runs.find(11), Some(20));
        assert_eq!(runs.find(32), Some(0));
        assert_eq!(runs.fresh_in(0, 32), (10, 10..20));
        assert_eq!(runs.longest(), 32);
        assert_eq!(runs.find(33), None);
    }

    #[test]
    fn victims_come_from_the_end_of_the_largest() {
        let mut runs = Runs::new(TOTAL);
        runs.take(0, 500);
        runs.give(0, 8, true);
        runs.give(100, 200, true);
        assert_eq!(runs.take_victim(10), Some(288..300));
        assert_eq!(runs.take_victim(1000), Some(100..288));
        assert_eq!(runs.take_victim(1000), Some(0..8));
        assert_eq!(runs.take_victim(1000), None);
        assert_eq!(runs.backed(), 0);
    }

    proptest::proptest! {
        #[test]
        fn runs_agree_with_a_map_of_units(steps in proptest::collection::vec((1u32..90, proptest::bool::ANY, 0usize..64), 1..200)) {
            let mut runs = Runs::new(TOTAL);
            let mut model = vec![Some(false); TOTAL as usize]; // None: live, Some(backed)
            let mut live: Vec<Range<u32>> = Vec::new();
            for (units, backed, pick) in steps {
                match runs.find(units) {
                    Some(at) if pick % 3 != 0 => {
                        let run = &mut model[at as usize..(at + units) as usize];
                        assert!(run.iter().all(Option::is_some), "only free units");
                        assert!(units < SLAB_UNITS || at % SLAB_UNITS == 0);
                        assert_eq!(runs.fresh_in(at, units).0, run.iter().filter(|unit| **unit == Some(false)).count() as u32);
                        run.fill(None);
                        runs.take(at, units);
                        live.push(at..at + units);
                    }
                    None if units <= runs.longest() => panic!("{units} must fit"),
                    _ if !live.is_empty() => {
                        let run = live.swap_remove(pick % live.len());
                        model[run.start as usize..run.end as usize].fill(Some(backed));
                        runs.give(run.start, run.end - run.start, backed);
                    }
                    _ => {}
                }
                assert_eq!(runs.backed(), model.iter().filter(|unit| **unit == Some(true)).count() as u64);
                assert_eq!(runs.find(runs.longest() + 1), None);
            }
            for run in live {
                runs.give(run.start, run.end - run.start, true);
            }
            while let Some(victim) = runs.take_victim(u32::MAX) {
                runs.give(victim.start, victim.end - victim.start, false);
            }
            assert_eq!(runs, Runs::new(TOTAL), "all coalesces into one fresh run");
        }
    }

    impl PartialEq for Runs {
        fn eq(&self, other: &Runs) -> bool {
            (&self.segments, &self.sizes, self.backed) == (&other.segments, &other.sizes, other.backed)
        }
    }
}
