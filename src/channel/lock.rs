//! The lock of a channel: the standard one in production, loom's under `--cfg loom`.

use std::sync::PoisonError;

#[cfg(not(loom))]
pub(crate) use std::sync::{Mutex, MutexGuard};

#[cfg(loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard};

/// Takes the lock, also after a panic: no code of others runs under it, so that could only be ours, between two complete states.
///
/// Who finds it taken leaves it alone for longer than anyone holds it. Two threads that use a channel at the same time then have it for a few
/// messages each, and not for one, which would carry the lines of the cache that it guards to and fro. `is_idle` says that somebody waits for
/// what is done under it now, so that there is nothing to leave it to others for. It is a hint.
pub(crate) fn take<T>(mutex: &Mutex<T>, is_idle: impl Fn() -> bool) -> MutexGuard<'_, T> {
    #[cfg(not(loom))]
    if let Some(guard) = patient::take(mutex, &is_idle) {
        return guard;
    }
    let _ = is_idle; // a model knows no time
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(not(loom))]
mod patient {
    use std::sync::{Mutex, MutexGuard, TryLockError};
    use std::time::Duration;

    use crate::channel::finding::Finding;
    use crate::channel::spin::{is_worthwhile, pauses_in};

    /// How long to leave the lock alone at first.
    static STEP: Finding = Finding::new(|| if is_worthwhile() { pauses_in(Duration::from_nanos(1500)) } else { 0 });

    /// Takes the lock unless it stays taken for some microseconds.
    pub(super) fn take<T>(mutex: &Mutex<T>, is_idle: impl Fn() -> bool) -> Option<MutexGuard<'_, T>> {
        now(mutex).or_else(|| {
            let step = STEP.get();
            [step, 2 * step, 4 * step].into_iter().find_map(|step| {
                (0..step).take_while(|_| !is_idle()).for_each(|_| std::hint::spin_loop());
                now(mutex)
            })
        })
    }

    /// Takes the lock if nobody has it.
    fn now<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
        match mutex.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}
