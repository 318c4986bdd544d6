//! The one table from our errors to exceptions. The classes live in `crossbuf/errors.py`, where they read well.

use std::ffi::c_int;

use super::safe::{Attached, Borrowed, Owned, PyResult, Raised};
use crate::channel::{RecvError, SendError};
use crate::error::Error;

const INTERRUPTED: i32 = rustix::io::Errno::INTR.raw_os_error();

macro_rules! errors {
    ($($field:ident = $class:literal,)*) => {
        /// The exception classes of one interpreter.
        pub(super) struct Errors { $($field: Owned,)* }

        impl Errors {
            pub(super) fn new(py: Attached<'_>) -> PyResult<Errors> {
                let module = Owned::import(py, c"crossbuf.errors")?;
                Ok(Errors { $($field: module.get().attribute(py, $class)?,)* })
            }

            pub(super) fn visit(&self, visit: &mut dyn FnMut(&Owned) -> c_int) -> c_int {
                [$(&self.$field,)*].into_iter().map(visit).find(|&code| code != 0).unwrap_or(0)
            }

            $(#[allow(dead_code, reason = "one for each class; some are raised by the table only")]
            pub(super) fn $field(&self, py: Attached<'_>, message: &str) -> Raised {
                Raised::new(py, self.$field.get(), message)
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
        let class = match error {
            Error::ArenaFull { .. } => &self.arena_full,
            Error::ArenaClosed { .. } => &self.arena_closed,
            Error::StaleHandle { .. } | Error::ServiceGone { .. } => &self.stale_handle,
            Error::BadHandle { .. } => &self.handle,
            Error::BadDType { .. } => &self.dtype,
            Error::NotShareable { .. } => &self.not_shareable,
            Error::BadLayout { .. } => &self.layout,
            Error::BadShape { .. } => return Raised::value_error(py, &message),
            Error::OutOfBounds { .. } => return Raised::index_error(py, &message),
            Error::BadName { .. } => &self.service,
            Error::OtherUser { .. } => return Raised::os_error(py, rustix::io::Errno::PERM.raw_os_error(), &message),
            Error::System { errno, .. } => return Raised::os_error(py, errno.raw_os_error(), &message),
        };
        Raised::new(py, class.get(), &message)
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

    /// The class of errors for channels that have ended.
    pub(super) fn ended_class(&self) -> Borrowed<'_> {
        self.ended.get()
    }

    /// The class of errors for values that cannot be shared, to be told apart from others.
    pub(super) fn not_shareable_class(&self) -> Borrowed<'_> {
        self.not_shareable.get()
    }
}
