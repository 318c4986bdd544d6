//! Zero-copy exchange of N-dimensional arrays between interpreters, threads and Rust programs.
#![deny(missing_docs)]
// What only the extension and the conversions use is checked for dead code where they are built.
#![cfg_attr(not(any(feature = "cpython", feature = "numpy")), allow(dead_code))]

pub mod arena;
pub mod array;
pub mod buffer;
pub mod channel;
mod error;
mod handle;
mod offset;
mod sync;

#[cfg(feature = "numpy")]
pub mod numpy;

pub use arena::{Arena, ArenaStatistics, Budget};
pub use array::{ArrayMeta, DType};
pub use buffer::{Array, Draft};
pub use channel::{Receiver, Sender, channel};
pub use error::{Error, Result};
pub use handle::Handle;
pub use offset::{ArenaId, BlockIndex, Generation};
