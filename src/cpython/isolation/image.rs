//! A library loaded from its private copy.

use std::path::Path;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use pyo3_ffi as ffi;

use super::bundled;
use super::copy::Copy;
use super::definition::Slots;
use super::elf::Elf;
use super::openblas;
use super::{Refusal, linker_words};

/// `PyInit_…`
pub(super) type Init = unsafe extern "C" fn() -> *mut ffi::PyObject;

/// A private copy in memory. Dropping it unloads it.
///
/// Invariant 1: nothing runs in it and nobody refers to it when it is dropped. [`registry::unload`](super::registry::unload) sees to that.
pub(super) struct Image {
    library: Library,
    pub(super) bytes: u64,
    /// What the definition in the library refers to, so it lives as long.
    pub(super) slots: Option<Slots>,
}

impl Image {
    /// Loads a copy of the extension module at `path`; `symbol` is the name of its `PyInit_…`, which is returned and not called.
    pub(super) fn load(path: &Path, symbol: &str) -> Result<(Image, Init), Refusal> {
        let name = || path.display().to_string();
        let elf = Elf::read(path)?;
        if elf.static_tls {
            return Err(Refusal::StaticTls { path: name() });
        }
        // SAFETY: the address is not used.
        if unsafe { Library::this().get::<Init>(symbol) }.is_ok() {
            return Err(Refusal::Visible { symbol: symbol.to_owned() });
        }
        bundled::load(&elf)?;
        openblas::loaded();
        let copy = Copy::new(path).map_err(|error| Refusal::NotCopied { path: name(), why: error.to_string() })?;
        // SAFETY: its initializers are those that the import of the original would run.
        let library = unsafe { Library::open(Some(copy.path()), RTLD_NOW | RTLD_LOCAL) }
            .map_err(|error| Refusal::NotLoaded { path: name(), why: linker_words(&error) })?;
        // SAFETY: CPython's name for a function of that type.
        let init = *unsafe { library.get::<Init>(symbol) }.map_err(|_| Refusal::NoInit { path: name(), symbol: symbol.to_owned() })?;
        Ok((Image { library, bytes: copy.bytes, slots: None }, init))
    }

    /// Leaves it in memory for ever.
    pub(super) fn keep(self) {
        std::mem::forget(self.library);
        std::mem::forget(self.slots);
    }
}
