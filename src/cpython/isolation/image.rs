//! A library loaded from its private copy.

use std::ffi::{CStr, c_void};
use std::fs::File;
use std::mem::MaybeUninit;
use std::path::Path;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use pyo3_ffi as ffi;

use super::bundled;
use super::copy::Copy;
use super::definition::Slots;
use super::elf::Elf;
use super::openblas;
use super::text;
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
        let original = File::open(path).map_err(|error| Refusal::Unreadable { path: name(), why: error.to_string() })?;
        let elf = Elf::read(&original, path)?;
        if elf.static_tls {
            return Err(Refusal::StaticTls { path: name() });
        }
        // SAFETY: the address is not used.
        if unsafe { Library::this().get::<Init>(symbol) }.is_ok() {
            return Err(Refusal::Visible { symbol: symbol.to_owned() });
        }
        bundled::load(&elf)?;
        openblas::loaded();
        let copy = Copy::new(&original, path).map_err(|error| Refusal::NotCopied { path: name(), why: error.to_string() })?;
        let copy_path = copy.path();
        // SAFETY: its initializers are those that the import of the original would run.
        let library = unsafe { Library::open(Some(&copy_path), RTLD_NOW | RTLD_LOCAL) }
            .map_err(|error| Refusal::NotLoaded { path: name(), why: linker_words(&error) })?;
        let no_init = || Refusal::NoInit { path: name(), symbol: symbol.to_owned() };
        // SAFETY: CPython's name for a function of that type.
        let init = *unsafe { library.get::<Init>(symbol) }.map_err(|_| no_init())?;
        // It might be a function of another library, which this one links to.
        let zero = zero(init, &copy_path, &elf).ok_or_else(no_init)?;
        // SAFETY: the library was loaded there from the copy, which was made of the original.
        if let Err(errno) = unsafe { text::share(zero, &elf.segments, &original, &copy.file) } {
            // Some of its pages may be gone: nobody may use it or run its destructors.
            std::mem::forget(library);
            return Err(Refusal::NotLoaded { path: name(), why: errno.to_string() });
        }
        Ok((Image { library, bytes: copy.bytes, slots: None }, init))
    }

    /// Leaves it in memory for ever.
    pub(super) fn keep(self) {
        std::mem::forget(self.library);
        std::mem::forget(self.slots);
    }
}

/// The address that the library of this path counts its own from, if `function` is one of its functions.
fn zero(function: Init, path: &str, elf: &Elf) -> Option<*mut u8> {
    let mut about = MaybeUninit::<libc::Dl_info>::uninit();
    // SAFETY: any address may be asked about.
    if unsafe { libc::dladdr(function as *const c_void, about.as_mut_ptr()) } == 0 {
        return None;
    }
    // SAFETY: not 0, so it was filled in.
    let about = unsafe { about.assume_init() };
    // SAFETY: the linker's own string, which lives as long as the library is loaded.
    let name = unsafe { CStr::from_ptr(about.dli_fname) };
    let first = elf.segments.iter().map(|segment| segment.address).min()?;
    let page = rustix::param::page_size() as u64;
    // The library is mapped from the page of its first segment on.
    (name.to_bytes() == path.as_bytes()).then(|| about.dli_fbase.cast::<u8>().wrapping_sub((first / page * page) as usize))
}
