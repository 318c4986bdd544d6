//! Extension modules that every interpreter gets a copy of, for those that CPython loads once a process only.
//!
//! ```text
//! numpy/_core/_multiarray_umath.so ── elf: may it be copied? ── bundled: load what it links to, once, from its real place
//!        │
//!        └─ copy: memory file under a name of its own ── image: dlopen, PyInit_… in this interpreter
//!                                                           │ text: code is mapped from the original again
//!              registry: interpreter ──▶ its images  ◀──────┴── load: definition with another slot ──▶ module
//! ```
//! The static variables of a copy belong to one interpreter, so a module that keeps its state in them works in each. Everything here is
//! CPython's public C API, except that one slot of the module's definition, `Py_mod_multiple_interpreters`, is replaced.
//!
//! Which packages may be treated so, and in which interpreters, is decided in `crossbuf/isolation.py`.

mod bundled;
mod copy;
mod definition;
mod elf;
mod functions;
mod image;
mod load;
mod openblas;
mod registry;
mod text;

pub(super) use functions::{copies, execute_copy, hold_openblas, load_copy, many_closed, release_openblas, unload_copies};

/// What the dynamic linker said.
fn linker_words(error: &libloading::Error) -> String {
    use std::error::Error;
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

/// Why a module is not loaded from a copy. Each names what was seen.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("{path} cannot be read: {why}")]
    Unreadable { path: String, why: String },
    #[error(
        "{path} has thread-local variables of a kind (DF_STATIC_TLS) of which a process has room for a few only; copies would use it up"
    )]
    StaticTls { path: String },
    #[error("{path} uses Python ({symbol}) and is no extension module: it would be shared by interpreters that must not share objects")]
    UsesPython { path: String, symbol: String },
    #[error("{symbol} is visible in the whole process (somebody loaded it with RTLD_GLOBAL), so a copy would not be private")]
    Visible { symbol: String },
    #[error("{path} cannot be copied into memory: {why}")]
    NotCopied { path: String, why: String },
    #[error("{path} cannot be loaded from its copy: {why}")]
    NotLoaded { path: String, why: String },
    #[error("{path} has no function {symbol}")]
    NoInit { path: String, symbol: String },
    #[error("{path} is initialized in a single phase, which is tried with modules of tested packages only")]
    SinglePhase { path: String },
}
