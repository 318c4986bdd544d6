//! The CPython extension `crossbuf._core`: one file for every interpreter of every CPython from 3.12 on.
//!
//! ```text
//! module --> types/* --> messages, waiting, intake, buffer_protocol, ... --> state, errors, lifetime --> safe
//! ```
//! `pyo3_ffi` is named only in this folder, reference counts only in `safe`. Nothing here is a Python object in a
//! global: what an interpreter owns is in its [`State`](state::State).

#![allow(clippy::multiple_unsafe_ops_per_block, reason = "one promise of CPython's, made at an entry, proves all steps there")]

mod buffer_protocol;
mod dtype_cache;
mod dtypes;
mod errors;
mod floors;
mod handles;
mod indexing;
mod intake;
mod intake_buffer;
mod isolation;
mod layout_cache;
mod lifetime;
mod messages;
mod module;
mod numpy_api;
mod numpy_dtypes;
mod numpy_layout;
mod records;
mod safe;
mod scalars;
mod shareable;
mod state;
mod tickets;
mod types;
mod waiting;
