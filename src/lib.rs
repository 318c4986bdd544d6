//! Zero-copy exchange of N-dimensional arrays between interpreters, threads and Rust programs.
//!
//! ```text
//! Arena --draft--> Draft --freeze--> Array --send--> channel --recv--> Array
//!                  (writable,        (immutable, shared;               (the same
//!                   one owner)        read-only by the MMU)             memory)
//! ```
//!
//! ```
//! use crossbuf::array::Order;
//! use crossbuf::{Arena, ArrayMeta, Budget, channel};
//!
//! let arena = Arena::new(Budget::bytes(16 << 20))?;
//! let mut draft = arena.draft(ArrayMeta::contiguous("<f8".parse()?, &[2, 3], Order::C)?)?;
//! draft.as_mut_slice::<f64>()?.fill(1.5);
//!
//! let (sender, receiver) = channel(Some(16));
//! sender.send(draft.freeze())?;
//! let array = receiver.recv()?.array().expect("an array was sent");
//! assert_eq!(array.as_slice::<f64>()?, [1.5; 6]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | room | what is in it |
//! |---|---|
//! | [`arena`] | memory: one memfd mapped twice, blocks with counted references |
//! | [`mod@array`] | dtype, shape, strides: what an array looks like, without memory |
//! | [`buffer`] | [`Draft`] and [`Array`]: memory with a shape |
//! | [`mod@channel`] | [`Sender`], [`Receiver`] and the messages between them |
//! | [`process`] | other processes: tickets, services |
//!
//! The feature `numpy` adds conversions for authors of PyO3 modules, `cpython` the extension behind the Python package.
//! DESIGN.md in the repository says why things are as they are.
#![deny(missing_docs)]
// What only the extension uses is checked for dead code where it is built.
#![cfg_attr(not(feature = "cpython"), allow(dead_code))]

pub mod arena;
pub mod array;
pub mod buffer;
pub mod channel;
mod error;
mod forks;
mod handle;
mod identity;
mod offset;
mod per_process;
pub mod process;
mod sync;

#[cfg(feature = "cpython")]
mod cpython;
#[cfg(feature = "numpy")]
pub mod numpy;

pub use arena::{Arena, ArenaStatistics, Budget};
pub use array::{ArrayMeta, DType};
pub use buffer::{Array, Draft};
pub use channel::{Receiver, Sender, channel};
pub use error::{Error, Result};
pub use handle::Handle;
pub use offset::{Address, ArenaId, BlockIndex, Generation};
