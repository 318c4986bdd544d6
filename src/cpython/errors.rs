//! The one table from our errors to exceptions. The classes live in `crossbuf/errors.py`, where they read well.

use std::cell::OnceCell;
use std::ffi::c_int;

use super::safe::{Attached, Owned, PyResult, Raised};
use crate::channel::{RecvError, SendError};
use crate::error::Error;

const INTERRUPTED: i32 = rustix::io::Errno::INTR.raw_os_error();

/// The exception classes of one interpreter, imported when the first of them is raised: most workers raise none, and what they derive
/// from takes longer to import than this whole extension.
#[derive(Default)]
pub(super) struct Errors(OnceCell<Classes>);

macro_rules! errors {
    ($($field:ident = $class:literal,)*) => {
        struct Classes { $($field: Owned,)* }

        impl Classes {
            fn import(py: Attached<'_>) -> PyResult<Classes> {
                let module = Owned::import(py, c"crossbuf.errors")?;
                Ok(Classes { $($field: module.get().attribute(py, $class)?,)* })
            }
        }

        impl Errors {
            pub(super) fn visit(&self, visit: &mut dyn FnMut(&Owned) -> c_int) -> c_int {
                let Some(classes) = self.0.get() else { return 0 };
                [$(&classes.$field,)*].into_iter().map(visit).find(|&code| code != 0).unwrap_or(0)
            }

            $(#[allow(dead_code, reason = "one for each class; some are raised by the table only")]
            pub(super) fn $field(&self, py: Attached<'_>, message: &str) -> Raised {
                self.new_of(py, |classes| &classes.$field, message)
            })*
        }
    };
}

errors! {
    arena_closed = c"ArenaClosed",
    arena_full = c"ArenaFull",
    broken = c"Broken",
    channel = c"ChannelError",
    closed = c"Closed",
    dtype = c"DTypeError",
    empty = c"Empty",
    ended = c"Ended",
    full = c"Full",
    handle = c"HandleError",
    isolation = c"IsolationError",
    layout = c"LayoutError",
    not_shareable = c"NotShareable",
    service = c"ServiceError",
    stale_handle = c"StaleHandle",
}

impl Errors {
    /// Raises the exception that stands for `error`.
    pub(super) fn raise(&self, py: Attached<'_>, error: &Error) -> Raised {
        let message = error.to_string();
        let class: fn(&Classes) -> &Owned = match error {
            Error::ArenaFull { .. } => |classes| &classes.arena_full,
            Error::ArenaClosed { .. } => |classes| &classes.arena_closed,
            Error::StaleHandle { .. } | Error::ServiceGone { .. } => |classes| &classes.stale_handle,
            Error::BadHandle { .. } => |classes| &classes.handle,
            Error::BadDType { .. } => |classes| &classes.dtype,
            Error::NotShareable { .. } => |classes| &classes.not_shareable,
            Error::BadLayout { .. } => |classes| &classes.layout,
            Error::BadShape { .. } => return Raised::value_error(py, &message),
            Error::OutOfBounds { .. } => return Raised::index_error(py, &message),
            Error::BadName { .. } => |classes| &classes.service,
            Error::OtherUser { .. } => return Raised::os_error(py, rustix::io::Errno::PERM.raw_os_error(), &message),
            Error::System { errno, .. } => return Raised::os_error(py, errno.raw_os_error(), &message),
        };
        self.new_of(py, class, &message)
    }

    /// Raises the exception for a message that was not sent. The time being up is no class of its own: as with `queue.Queue`, there was
    /// no room.
    pub(super) fn not_sent(&self, py: Attached<'_>, error: &SendError) -> Raised {
        let message = error.to_string();
        match error {
            SendError::Full { .. } | SendError::TimedOut { .. } => self.full(py, &message),
            SendError::Closed { .. } | SendError::Inherited { .. } => self.closed(py, &message),
            SendError::NotPacked { error, .. } => self.raise(py, error),
            SendError::Broken { .. } | SendError::HostGone { .. } => self.broken(py, &message),
            SendError::Unsure { .. } => self.channel(py, &message),
            SendError::Interrupted { .. } => Raised::os_error(py, INTERRUPTED, &message),
            SendError::Cancelled { .. } => Raised::system_exit(py, &message),
        }
    }

    /// Raises the exception for a message that did not come.
    pub(super) fn not_received(&self, py: Attached<'_>, error: &RecvError) -> Raised {
        let message = error.to_string();
        match error {
            RecvError::Empty { .. } | RecvError::TimedOut { .. } => self.empty(py, &message),
            RecvError::Closed | RecvError::Inherited => self.closed(py, &message),
            RecvError::NotPacked(error) => self.raise(py, error),
            RecvError::HostGone { .. } => self.broken(py, &message),
            RecvError::Ended => self.ended(py, &message),
            RecvError::Interrupted => Raised::os_error(py, INTERRUPTED, &message),
            RecvError::Cancelled => Raised::system_exit(py, &message),
        }
    }

    /// Whether this is the error for values that cannot be shared.
    pub(super) fn is_not_shareable(&self, py: Attached<'_>, raised: &Raised) -> bool {
        // None that was raised is of a class that is not there yet.
        self.0.get().is_some_and(|classes| raised.matches(py, classes.not_shareable.get()))
    }

    fn new_of(&self, py: Attached<'_>, class: impl Fn(&Classes) -> &Owned, message: &str) -> Raised {
        match self.classes(py) {
            Ok(classes) => Raised::new(py, class(classes).get(), message),
            Err(raised) => raised,
        }
    }

    fn classes(&self, py: Attached<'_>) -> PyResult<&Classes> {
        if let Some(classes) = self.0.get() {
            return Ok(classes);
        }
        // Another thread may have been quicker while Python code ran: then its classes, which are the same, stay.
        let classes = Classes::import(py)?;
        Ok(self.0.get_or_init(|| classes))
    }
}
