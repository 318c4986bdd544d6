//! Units of datetime64 and timedelta64.

use std::fmt;

use crate::error::{Error, Result};

/// The unit of a datetime64 or timedelta64: `count` of `name`, as in `datetime64[25us]`; `name` is one of NumPy's (`generic` when unspecified).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimeUnit {
    /// `Y M W D h m s ms us ns ps fs as` or `generic`.
    pub name: &'static str,
    /// How many of them one tick is.
    pub count: u32,
}

/// NumPy's units, from the coarsest to the finest.
const NAMES: [&str; 14] = ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as", "generic"];

impl TimeUnit {
    /// No unit: `datetime64` without brackets.
    pub const GENERIC: TimeUnit = TimeUnit { name: "generic", count: 1 };

    /// `count` of `name`. Errors with `BadDType` when NumPy has no such unit or the count is not in `1..=i32::MAX`.
    pub fn new(name: &str, count: u32) -> Result<TimeUnit> {
        TimeUnit::checked(name, count as usize).map_err(|reason| Error::BadDType { text: format!("[{count}{name}]"), at: 0, reason })
    }

    /// As [`TimeUnit::new`]; the error is the bare reason, for callers that know the position.
    pub(super) fn checked(name: &str, count: usize) -> Result<TimeUnit, String> {
        let Some(name) = NAMES.into_iter().find(|&known| known == name) else {
            return Err(format!("{name:?} is not a unit of time; use one of {}", NAMES.join(" ")));
        };
        if name == TimeUnit::GENERIC.name && count != 1 {
            return Err(format!("a generic unit has no multiples, {count} was given"));
        }
        match u32::try_from(count) {
            Ok(count @ 1..=0x7fff_ffff) => Ok(TimeUnit { name, count }),
            _ => Err(format!("{count} units make no tick; use 1 to {}", i32::MAX)),
        }
    }
}

impl fmt::Display for TimeUnit {
    /// As NumPy writes it after `M8`: nothing for a generic unit, `[ns]`, `[25us]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            unit if *unit == TimeUnit::GENERIC => Ok(()),
            TimeUnit { name, count: 1 } => write!(f, "[{name}]"),
            TimeUnit { name, count } => write!(f, "[{count}{name}]"),
        }
    }
}
