//! A small safe layer over the C API: raw pointers and reference counts stay in here.
//!
//! | type | proves |
//! |---|---|
//! | [`Attached`] | this thread is attached to an interpreter, so the C API may be called |
//! | [`Owned`], [`Borrowed`] | the object is alive; an `Owned` gives its reference back on drop |
//! | [`Raised`] | the interpreter holds an exception, so `NULL` or `-1` may be returned |
//! | [`This`] | the object is an instance of our class and its value is initialised |
//!
//! PyO3's own layer does this for one interpreter a process; here each interpreter has its own objects and nothing is global.

mod arguments;
mod attached;
mod basic;
mod buffer;
mod convert;
mod detach;
pub(super) mod entry;
mod heap_type;
mod home;
mod keepsake;
mod object;
mod raise;

pub(super) use arguments::{Arguments, Signature};
pub(super) use attached::{Attached, interpreter_id};
pub(super) use basic::{Basic, do_soon, run_signal_handlers};
pub(super) use buffer::BufferView;
pub(super) use detach::detach;
pub(super) use heap_type::{ClassSpec, Instance, Table, This, getters, methods};
pub(super) use home::{after_call, call_home, hurry, lend, lent};
pub(super) use keepsake::{Keepsake, bound, kept};
pub(super) use object::{Borrowed, Owned};
pub(super) use raise::{PyResult, Raised, check};
