//! How long to look before sleeping.
//!
//! A look that pays saves two system calls and a wake-up: 0.1 us instead of 4 to 40. One that does not pay holds the very
//! processor which the other side may need. So the budget doubles with each success, falls to a quarter with each failure, and
//! once it is nothing, a wait now and then tries again: after 16 waits, and after twice as many with each try in vain.
//!
//! A look before a rest is no failure: it says nothing of the messages that follow each other after it, and takes little of a time so long.
//!
//! Who was woken from the very processor that it runs on will hardly see anything by looking: the other side waits for that processor. Then
//! a try comes only once in so many waits that the 99.9th percentile of a round trip does not show it; it is needed all the same, as it
//! may have the system move one of the two. A thread of another process leaves word from which processor it wakes.
//!
//! The first look and each such try are as long as allowed, for they must outlast the waking of a peer that sleeps. Two threads
//! that both look too briefly for that would go on sleeping in turns, and never learn that looking pays.
//!
//! The counters are hints: threads may overwrite each other's, and no result depends on them.

use std::time::{Duration, Instant};

use super::finding::Finding;
use super::outlook::{Look, look_out};
use crate::sync::{AtomicU32, Ordering};

/// The longest look. Virtual machines take up to 40 us to wake a thread.
const LONGEST: Duration = Duration::from_micros(60);
/// The longest look in pause instructions, which take 5 to 50 ns each.
static MOST: Finding = Finding::new(|| pauses_in(LONGEST));
/// What comes after so long was not to be seen by anyone.
const REST: Duration = Duration::from_millis(2);
/// The shortest look that is worth its while, in pause instructions.
const LEAST: u32 = 16;
/// A look at other processes comes with each so many pauses.
const GLANCES: u32 = 4;
/// With no budget left, one wait in so many looks all the same: at first, and at the rarest.
const OFTEN: u32 = 16;
const RARELY: u32 = 1024;
/// The same for a wait on the processor from which it was woken.
const BESIDE: u32 = 16 * RARELY;
/// Nobody was woken yet.
const NOWHERE: u32 = u32::MAX;

/// How many processors this process may use, none in a model.
pub(super) static PROCESSORS: Finding = Finding::new(|| {
    let processors = std::thread::available_parallelism().map_or(1, |processors| processors.get() as u32);
    if cfg!(loom) { 0 } else { processors }
});

/// With a single processor the other side cannot run while we look.
pub(super) fn is_worthwhile() -> bool {
    PROCESSORS.get() > 1
}

/// The budget of one place where threads wait.
#[derive(Debug)]
pub(crate) struct Spin {
    /// Pauses the next wait may spend; below `LEAST` it is as good as nothing.
    budget: AtomicU32,
    /// Waits without a budget since the last try.
    skipped: AtomicU32,
    /// The next try comes after so many.
    interval: AtomicU32,
    /// The processor from which a sleeper was woken last.
    woken_from: AtomicU32,
}

/// So many pauses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget(u32);

/// A look that has seen nothing. Whether that was a failure shows when the wait is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vain {
    since: Instant,
}

impl Vain {
    fn now() -> Vain {
        Vain { since: Instant::now() }
    }
}

/// Leaves the line of the cache alone where nothing changes.
fn set(counter: &AtomicU32, value: u32) {
    if counter.load(Ordering::Relaxed) != value {
        counter.store(value, Ordering::Relaxed);
    }
}

/// The processor on which this thread runs.
pub(crate) fn processor() -> u32 {
    if cfg!(loom) { 0 } else { u32::try_from(rustix::thread::sched_getcpu()).unwrap_or(0) }
}

/// How many pause instructions fit into that time, by the quickest of some samples: in others the thread was interrupted.
pub(super) fn pauses_in(time: Duration) -> u32 {
    const SAMPLE: u32 = 256;
    let sample = || {
        let start = Instant::now();
        (0..SAMPLE).for_each(|_| std::hint::spin_loop());
        start.elapsed()
    };
    let quickest = (0..4).map(|_| sample()).min().unwrap_or_default().max(Duration::from_nanos(1));
    let pauses = time.as_nanos() * u128::from(SAMPLE) / quickest.as_nanos();
    u32::try_from(pauses).unwrap_or(u32::MAX).max(LEAST)
}

impl Default for Spin {
    fn default() -> Spin {
        Spin {
            budget: AtomicU32::new(MOST.get()),
            skipped: AtomicU32::new(0),
            interval: AtomicU32::new(OFTEN),
            woken_from: AtomicU32::new(NOWHERE),
        }
    }
}

impl Spin {
    /// Never looks more than once.
    pub(crate) fn never() -> Spin {
        Spin { budget: AtomicU32::new(0), interval: AtomicU32::new(u32::MAX), ..Spin::default() }
    }

    /// Looks at `ready` until it holds or the budget is spent; always at least once. Errors with what was spent, if anything.
    pub(crate) fn until(&self, ready: impl Fn() -> bool) -> Result<(), Option<Vain>> {
        if ready() {
            return Ok(());
        }
        self.look(self.budget().ok_or(None)?, look_out(), ready).map_err(Some)
    }

    /// What the next wait may spend, if anything.
    pub(crate) fn budget(&self) -> Option<Budget> {
        if cfg!(loom) {
            return Some(Budget(1));
        }
        let budget = self.take();
        (budget > 0).then_some(Budget(budget))
    }

    /// Looks at `ready` and out, if it should, until it holds or the budget is spent. In a model, which knows no time, it looks once.
    pub(crate) fn look(&self, Budget(budget): Budget, mut outlook: Option<Box<dyn Look>>, ready: impl Fn() -> bool) -> Result<(), Vain> {
        if cfg!(loom) {
            return if ready() { Ok(()) } else { Err(Vain::now()) };
        }
        for pause in 0..budget {
            std::hint::spin_loop();
            if let Some(outlook) = &mut outlook
                && pause % GLANCES == 0
            {
                outlook.look();
            }
            if ready() {
                set(&self.budget, budget.saturating_mul(2).min(MOST.get()));
                set(&self.interval, OFTEN);
                return Ok(());
            }
        }
        Err(Vain::now())
    }

    /// What that look has not seen has come now, or the wait was given up.
    pub(crate) fn came_after(&self, Vain { since }: Vain) {
        if !cfg!(loom) && since.elapsed() < REST {
            // Not a quarter of what was spent: a try spends more than the budget, and one in vain leaves nothing.
            self.budget.store(self.budget.load(Ordering::Relaxed) / 4, Ordering::Relaxed);
        }
    }

    /// This thread wakes one that sleeps.
    pub(crate) fn wakes(&self) {
        self.was_woken_from(processor());
    }

    /// A sleeper was woken from there, perhaps by another process.
    pub(crate) fn was_woken_from(&self, processor: u32) {
        set(&self.woken_from, processor);
    }

    /// Whether this thread runs where the last sleeper was woken from.
    fn is_beside(&self) -> bool {
        self.woken_from.load(Ordering::Relaxed) == processor()
    }

    /// What this wait may spend.
    fn take(&self) -> u32 {
        let budget = self.budget.load(Ordering::Relaxed);
        if !is_worthwhile() {
            return 0;
        }
        if budget >= LEAST {
            return budget;
        }
        let interval = self.interval.load(Ordering::Relaxed);
        let skipped = self.skipped.load(Ordering::Relaxed) + 1;
        if skipped < interval || (skipped < BESIDE && self.is_beside()) {
            self.skipped.store(skipped, Ordering::Relaxed);
            return 0;
        }
        self.skipped.store(0, Ordering::Relaxed);
        self.interval.store((2 * interval).min(RARELY), Ordering::Relaxed);
        MOST.get()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn budget(spin: &Spin) -> u32 {
        spin.budget.load(Ordering::Relaxed)
    }

    /// Waits for what comes soon, and was not seen.
    fn in_vain(spin: &Spin, never: impl Fn() -> bool) {
        if spin.until(never).unwrap_err().is_some() {
            spin.came_after(Vain::now()); // however long this machine took
        }
    }

    #[test]
    fn shrinks_fast_and_tries_ever_more_rarely() {
        let spin = Spin::default();
        let looks = std::cell::Cell::new(0);
        let never = || {
            looks.set(looks.get() + 1);
            false
        };
        for _ in 0..8 {
            in_vain(&spin, never);
        }
        if !is_worthwhile() {
            assert_eq!(looks.get(), 8, "one look each");
            return;
        }
        assert!(budget(&spin) < LEAST, "at most 60 us of 1 ns: 60000 / 4^8");
        for interval in [OFTEN, 2 * OFTEN, 4 * OFTEN] {
            looks.set(0);
            for _ in 0..interval {
                in_vain(&spin, never);
            }
            assert_eq!(looks.get(), interval + MOST.get(), "one look each, and one try");
        }
    }

    #[test]
    fn a_rest_is_no_failure() {
        let spin = Spin::default();
        if let Some(vain) = spin.until(|| false).unwrap_err() {
            std::thread::sleep(REST);
            spin.came_after(vain);
        }
        assert_eq!(budget(&spin), MOST.get());
    }

    #[test]
    fn hardly_ever_tries_where_it_was_woken_from() {
        let beside = Spin { budget: AtomicU32::new(0), ..Spin::default() };
        let tries = (0..BESIDE).filter(|_| {
            // Each time, as the system may move this thread.
            beside.wakes();
            beside.take() > 0
        });
        let tries = tries.count();
        assert!(tries < 10, "{tries} of {BESIDE}, and not once in {RARELY}");
    }

    #[test]
    fn a_try_that_pays_starts_anew() {
        let spin = Spin::default();
        spin.budget.store(0, Ordering::Relaxed);
        spin.interval.store(RARELY, Ordering::Relaxed);
        spin.skipped.store(RARELY - 1, Ordering::Relaxed);
        let looks = std::cell::Cell::new(0);
        assert_eq!(spin.until(|| looks.replace(looks.get() + 1) == 300).is_ok(), is_worthwhile());
        if is_worthwhile() {
            assert_eq!((budget(&spin), spin.interval.load(Ordering::Relaxed)), (MOST.get(), OFTEN));
        }
    }

    #[test]
    fn grows_while_it_pays() {
        let spin = Spin::default();
        spin.budget.store(LEAST, Ordering::Relaxed);
        for _ in 0..u32::BITS {
            let looks = std::cell::Cell::new(0);
            let paid = spin.until(|| looks.replace(looks.get() + 1) == 2).is_ok();
            assert_eq!(paid, is_worthwhile());
        }
        if is_worthwhile() {
            assert_eq!(budget(&spin), MOST.get());
        }
    }

    #[test]
    fn what_is_ready_costs_nothing() {
        let spin = Spin::default();
        assert!(spin.until(|| true).is_ok());
        assert_eq!(budget(&spin), MOST.get());
    }
}
