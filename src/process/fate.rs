//! What has become of a request that was called off: whether that is known. Several threads may wait for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::channel::{ALL, Event, Outcome, Patience};

/// Of one request.
#[derive(Debug)]
pub(super) struct Fate {
    is_known: Mutex<bool>,
    event: Event,
}

impl Fate {
    pub(super) fn new() -> Arc<Fate> {
        Arc::new(Fate { is_known: Mutex::new(false), event: Event::without_looking() })
    }

    fn known(&self) -> MutexGuard<'_, bool> {
        self.is_known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_known(&self) -> bool {
        *self.known()
    }

    pub(super) fn tell(&self) {
        *self.known() = true;
        self.event.notify(u32::MAX, ALL);
    }

    /// Has those who wait look at their flags again.
    pub(super) fn stir(&self) {
        // Whoever takes the lock after this sees what was set before.
        drop(self.known());
        self.event.notify(u32::MAX, ALL);
    }

    /// Errors with what ended the wait.
    pub(super) fn wait(&self, patience: &Patience<'_>) -> Result<(), Outcome> {
        let mut wait = patience.begin();
        let mut outcome = Outcome::Ready;
        loop {
            let known = self.known();
            if *known {
                return Ok(());
            }
            if outcome != Outcome::Ready {
                return Err(outcome);
            }
            let key = self.event.key();
            drop(known);
            outcome = self.event.sleep(key, ALL, &mut wait);
        }
    }
}
