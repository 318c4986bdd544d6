//! The one error of arenas, arrays and handles. Channels have errors of their own, which give back what they refused.

use crate::offset::{ArenaId, BlockIndex, Generation};

/// The result of anything that can refuse.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something was refused. Each kind names the values seen and, in its text, the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The arena's budget, or its address space, has no room. Sizes are in bytes.
    #[error(
        "arena full: asked for {asked} bytes, {used} of {budget} bytes are in use and the largest free run has {largest}; \
         release arrays, or take an arena of a larger budget"
    )]
    ArenaFull {
        /// What was asked for, rounded up to whole allocation units.
        asked: u64,
        /// What live blocks occupy.
        used: u64,
        /// What the arena may occupy.
        budget: u64,
        /// The largest block that would succeed now.
        largest: u64,
    },
    /// The arena was closed: what lives in it stays readable, nothing new can be made or opened.
    #[error("arena {arena} is closed; arrays already open stay readable, make new ones in another arena")]
    ArenaClosed {
        /// The closed arena.
        arena: ArenaId,
    },
    /// The handle names a block that has been freed since, or an arena that is gone.
    #[error("stale handle: {reason}; it keeps nothing alive: hold what it names until whoever gets it has opened it")]
    StaleHandle {
        /// What the handle named and what is there now.
        reason: String,
    },
    /// The handle is malformed or was altered.
    #[error("bad handle: {reason}; use the handle as `Array.handle` gave it")]
    BadHandle {
        /// Which part was wrong.
        reason: String,
    },
    /// A dtype text or PEP 3118 format cannot be read.
    #[error("cannot read dtype {text:?} at position {at}: {reason}")]
    BadDType {
        /// The whole text.
        text: String,
        /// The position in the text, in bytes.
        at: usize,
        /// What was wrong there.
        reason: String,
    },
    /// The dtype is understood but its values cannot lie in shared memory.
    #[error("dtype {dtype} cannot be shared: {reason}")]
    NotShareable {
        /// The dtype.
        dtype: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// A shape, strides or an index is impossible.
    #[error("{reason}")]
    BadShape {
        /// The values seen and what would be right.
        reason: String,
    },
    /// An index lies outside its axis.
    #[error("index {index} is out of bounds for axis {axis} with size {size}")]
    OutOfBounds {
        /// The index as given.
        index: isize,
        /// The axis it was meant for.
        axis: usize,
        /// The size of that axis.
        size: usize,
    },
    /// The array's memory cannot be seen as what was asked for.
    #[error("{reason}")]
    BadLayout {
        /// The values seen and what to do.
        reason: String,
    },
    /// The process that was to be reached belongs to somebody else.
    #[error("the process with pid {pid} belongs to user {theirs}, this one to user {ours}; only processes of one user share memory")]
    OtherUser {
        /// That process.
        pid: u32,
        /// Its user's number.
        theirs: u32,
        /// This process's user's number.
        ours: u32,
    },
    /// A published name cannot be used.
    #[error("cannot use the name {name:?}: {reason}")]
    BadName {
        /// The name.
        name: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// The service was closed, or its process has ended.
    #[error("the service {name:?} is gone: {reason}; connect again once it is published")]
    ServiceGone {
        /// The service.
        name: String,
        /// What became of it.
        reason: String,
    },
    /// The system refused a call.
    #[error("{call} failed: {errno} ({purpose})")]
    System {
        /// The system call.
        call: &'static str,
        /// Its error.
        errno: rustix::io::Errno,
        /// What it was needed for.
        purpose: &'static str,
    },
}

impl Error {
    /// Whether the arena has no room.
    pub fn is_full(&self) -> bool {
        matches!(self, Error::ArenaFull { .. })
    }

    /// Whether a handle, or a connection to a service, came too late.
    pub fn is_stale(&self) -> bool {
        matches!(self, Error::StaleHandle { .. } | Error::ServiceGone { .. })
    }

    pub(crate) fn stale_block(index: BlockIndex, asked: Generation, found: Generation) -> Error {
        Error::StaleHandle { reason: format!("block {} has generation {}, the handle names {}", index.0, found.0, asked.0) }
    }
}
