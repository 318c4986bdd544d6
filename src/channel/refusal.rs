//! Why nothing was sent, or nothing received.

use std::sync::Arc;

use super::wait::Outcome;
use crate::error::Error;

/// A message that was not sent, and why.
#[derive(Debug)]
pub(crate) struct Refused<T> {
    pub(crate) item: T,
    pub(crate) why: Refusal,
}

/// Why a message was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Full,
    Closed,
    Broken,
    TimedOut,
    Interrupted,
    Cancelled,
    Inherited,
    /// What became of it is not known.
    Unsure {
        host: Arc<str>,
    },
    HostGone {
        host: Arc<str>,
    },
    NotPacked(Error),
}

/// Why nothing was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Absence {
    Empty,
    Closed,
    Ended,
    TimedOut,
    Interrupted,
    Cancelled,
    Inherited,
    HostGone { host: Arc<str> },
    NotPacked(Error),
}

impl Refusal {
    /// Why a wait that ended so was in vain.
    pub(crate) fn of(outcome: Outcome) -> Option<Refusal> {
        match outcome {
            Outcome::Ready => None,
            Outcome::TimedOut => Some(Refusal::TimedOut),
            Outcome::Interrupted => Some(Refusal::Interrupted),
            Outcome::Cancelled => Some(Refusal::Cancelled),
        }
    }
}

impl Absence {
    /// Why a wait that ended so was in vain.
    pub(crate) fn of(outcome: Outcome) -> Option<Absence> {
        match outcome {
            Outcome::Ready => None,
            Outcome::TimedOut => Some(Absence::TimedOut),
            Outcome::Interrupted => Some(Absence::Interrupted),
            Outcome::Cancelled => Some(Absence::Cancelled),
        }
    }
}
