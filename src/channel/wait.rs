//! Waiting for a condition that a lock guards.
//!
//! ```text
//! waiter                                   notifier
//! lock; not ready; key = event.key()       lock; make ready
//! unlock                                   unlock
//! event.watch(key)                         event.notify(n)
//!    look at the epoch for a while            epoch + 1
//! or event.sleep(key)                         fence
//!    parked + 1, fence                        n, parked > 0: wake n
//!    sleep while epoch == key
//! ```
//!
//! A wake-up is never lost. If the notifier's lock came first, the waiter saw that the condition holds. If the waiter's came
//! first, its key is older than the notifier's epoch: it notices either while it looks or when the kernel compares. And if it
//! sleeps already, the two fences say that the notifier sees it parked. Nobody else parked: no system call.
//!
//! Whoever has looked in vain takes the lock again before it sleeps, so that those who hold it know who looks and who sleeps.
//!
//! A wake-up may be spurious, so waiters look at the condition again, under the lock.

use std::cell::Cell;
use std::ptr;
use std::time::{Duration, Instant};

use super::futex::{Futex, Mask, Sleep};
use super::outlook::{Listen, listen, look_out};
use super::spin::{Budget, Spin, Vain};
use crate::sync::{AtomicBool, AtomicU32, Ordering, fence};

/// How long a wait may last, and what else may end it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Patience<'p> {
    /// The wait fails from here on.
    pub(crate) deadline: Option<Instant>,
    /// The wait pauses after so long, as if a signal had come: one may have come just before the thread fell asleep.
    pub(crate) slice: Option<Duration>,
    /// The wait fails once this is set. Whoever sets it calls [`wake_everyone`](super::wake_everyone) afterwards.
    pub(crate) cancelled: Option<&'p AtomicBool>,
}

impl Patience<'_> {
    /// Waits as long as it takes.
    pub(crate) const ENDLESS: Patience<'static> = Patience { deadline: None, slice: None, cancelled: None };

    /// Waits for `time`; one too long for the clock is endless.
    pub(crate) fn of(time: Duration) -> Patience<'static> {
        Patience { deadline: Instant::now().checked_add(time), ..Patience::ENDLESS }
    }

    /// Starts the clock.
    pub(crate) fn begin(&self) -> Wait<'_> {
        Wait { patience: self, slice_end: None, vain: None, attends: true }
    }
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The condition may hold now.
    Ready,
    /// The deadline has passed.
    TimedOut,
    /// A signal came, or the slice is over; the wait may be taken up again.
    Interrupted,
    /// The flag is set.
    Cancelled,
}

/// One blocking call, which may sleep several times.
#[derive(Debug)]
pub(crate) struct Wait<'p> {
    patience: &'p Patience<'p>,
    /// Set when the call first goes to sleep: calls that need not sleep never read the clock.
    slice_end: Option<Instant>,
    /// It has looked in vain since it last slept.
    vain: Option<Vain>,
    /// It attends to other processes meanwhile, as what it waits for may come from there.
    attends: bool,
}

impl Wait<'_> {
    /// From now on it attends to other processes, or not: what these say is read by somebody else then.
    pub(crate) fn attend(&mut self, attends: bool) {
        self.attends = attends;
    }

    /// What has ended this call by now, if anything.
    fn over(&self) -> Option<Outcome> {
        // Relaxed: it is read after the caller's lock was released, and set before `wake_everyone` took that lock.
        if self.patience.cancelled.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
            return Some(Outcome::Cancelled);
        }
        let deadline = self.patience.deadline?;
        (deadline <= Instant::now()).then_some(Outcome::TimedOut)
    }

    /// The nearest limit, and what it means.
    fn limit(&mut self) -> (Option<Duration>, Outcome) {
        let Patience { deadline, slice, .. } = *self.patience;
        if deadline.is_none() && slice.is_none() {
            return (None, Outcome::Ready);
        }
        let now = Instant::now();
        if self.slice_end.is_none() {
            self.slice_end = slice.and_then(|slice| now.checked_add(slice));
        }
        let (end, meaning) = match (deadline, self.slice_end) {
            (Some(deadline), Some(slice_end)) if slice_end < deadline => (Some(slice_end), Outcome::Interrupted),
            (Some(deadline), _) => (Some(deadline), Outcome::TimedOut),
            (None, slice_end) => (slice_end, Outcome::Interrupted),
        };
        (end.map(|end| end.saturating_duration_since(now)), meaning)
    }
}

thread_local! {
    /// In what this thread sleeps with an ear to other processes. It is only compared.
    static ASLEEP: Cell<*const Event> = const { Cell::new(ptr::null()) };
}

/// What `ASLEEP` was, and will be again.
struct Asleep(*const Event);

impl Drop for Asleep {
    fn drop(&mut self) {
        ASLEEP.set(self.0);
    }
}

/// What a waiter saw before it decided to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(u32);

/// Threads wait here for a change. It counts changes, not waiters; whoever holds the lock knows those.
///
/// The epoch returns to an old value after 2^32 notifications; a thread would have to stand still for all of them.
#[derive(Debug, Default)]
pub(crate) struct Event {
    /// Advanced by each notification.
    epoch: Futex,
    /// Threads asleep, falling asleep or waking up.
    parked: AtomicU32,
    spin: Spin,
}

impl Event {
    /// One whose waiters sleep at once: what they wait for takes longer than anyone looks.
    pub(crate) fn without_looking() -> Event {
        Event { epoch: Futex::default(), parked: AtomicU32::new(0), spin: Spin::never() }
    }

    /// To be taken under the lock, together with the decision to wait.
    pub(crate) fn key(&self) -> Key {
        Key(self.epoch.get())
    }

    /// How long that call should look before it sleeps, if at all.
    pub(crate) fn budget(&self, wait: &Wait<'_>) -> Option<Budget> {
        if wait.vain.is_some() { None } else { self.spin.budget() }
    }

    /// Looks for a notification later than `key`, for so long. Also when none came the call goes on: it sleeps the next time.
    pub(crate) fn watch(&self, key: Key, budget: Budget, wait: &mut Wait<'_>) -> Outcome {
        if let Some(over) = wait.over() {
            return over;
        }
        let outlook = wait.attends.then(look_out).flatten();
        wait.vain = self.spin.look(budget, outlook, || self.epoch.get() != key.0).err();
        Outcome::Ready
    }

    /// Sleeps until a notification later than `key` which is meant for `mask`.
    pub(crate) fn sleep(&self, key: Key, mask: Mask, wait: &mut Wait<'_>) -> Outcome {
        if let Some(over) = wait.over() {
            return over;
        }
        let (time, meaning) = wait.limit();
        self.parked.fetch_add(1, Ordering::Relaxed);
        // Pairs with the fence in `notify`: it sees us parked, or the kernel sees its epoch.
        fence(Ordering::SeqCst);
        let sleep = match wait.attends.then(listen).flatten() {
            Some(mut listener) => self.sleep_by(&mut *listener, key, time),
            None => self.epoch.sleep(key.0, mask, time),
        };
        self.parked.fetch_sub(1, Ordering::Relaxed);
        if let Some(vain) = wait.vain.take() {
            self.spin.came_after(vain);
        }
        match sleep {
            Sleep::Woken => Outcome::Ready,
            Sleep::Signal => Outcome::Interrupted,
            Sleep::Elapsed => meaning,
        }
    }

    /// Sleeps as one who may itself do what notifies this event.
    fn sleep_by(&self, listener: &mut dyn Listen, key: Key, time: Option<Duration>) -> Sleep {
        let asleep = Asleep(ASLEEP.replace(self));
        let sleep = self.epoch.sleep_by(listener, key.0, time);
        drop(asleep);
        if let Some(processor) = listener.woken_from() {
            self.spin.was_woken_from(processor);
        }
        sleep
    }

    /// Whether somebody sleeps who must be woken: not this thread, which is awake when it notifies the event in which it sleeps.
    fn has_sleepers(&self) -> bool {
        let parked = self.parked.load(Ordering::Relaxed);
        parked > u32::from(ptr::eq(ASLEEP.get(), self))
    }

    /// Wakes `count` sleepers that `mask` concerns, and everyone who has not fallen asleep yet.
    pub(crate) fn notify(&self, count: u32, mask: Mask) {
        self.epoch.advance();
        // Pairs with the fence in `wait`.
        fence(Ordering::SeqCst);
        if count > 0 && self.has_sleepers() {
            if !cfg!(loom) {
                self.spin.wakes();
            }
            self.epoch.wake(count, mask);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::thread;

    use super::*;

    /// Looks, where it would sleep, whether somebody must be woken.
    struct Looks<'e>(&'e Event);

    impl Listen for Looks<'_> {
        fn sleep(&mut self, _word: &AtomicU32, _seen: u32, _time: Option<Duration>) -> Sleep {
            assert!(!self.0.has_sleepers(), "only this thread, which is awake");
            thread::scope(|scope| scope.spawn(|| assert!(self.0.has_sleepers())).join()).unwrap();
            Sleep::Woken
        }

        fn woken_from(&self) -> Option<u32> {
            None
        }
    }

    #[test]
    fn who_notifies_the_event_that_it_sleeps_in_wakes_nobody() {
        let event = Event::default();
        event.parked.store(1, Ordering::Relaxed);
        assert!(event.has_sleepers());
        assert_eq!(event.sleep_by(&mut Looks(&event), event.key(), None), Sleep::Woken);
        assert!(event.has_sleepers());
    }
}
