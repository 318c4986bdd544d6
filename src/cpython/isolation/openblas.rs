//! How many threads each OpenBLAS of this process uses for one call.
//!
//! NumPy and SciPy bring one each, which all interpreters share. With its default, a thread for each CPU, interpreters that compute at
//! once get in each other's way.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_int, c_void};
use std::sync::{Mutex, PoisonError};

use libloading::os::unix::{Library, RTLD_NOW};

static LIMIT: Mutex<Limit> = Mutex::new(Limit { holders: 0, threads: 0, before: BTreeMap::new() });

/// What holds for all libraries, also for those that are loaded later, as long as somebody holds it.
struct Limit {
    holders: usize,
    threads: c_int,
    /// What the libraries had, by path.
    before: BTreeMap<String, c_int>,
}

/// The names that builds of OpenBLAS give to the two functions: those in wheels have a prefix, those with 64-bit integers a suffix.
const NAMES: [(&str, &str); 4] = [
    ("scipy_openblas_get_num_threads64_", "scipy_openblas_set_num_threads64_"),
    ("scipy_openblas_get_num_threads", "scipy_openblas_set_num_threads"),
    ("openblas_get_num_threads64_", "openblas_set_num_threads64_"),
    ("openblas_get_num_threads", "openblas_set_num_threads"),
];

/// Sets the threads of all libraries until it is released as often as it was held. When several ask for different numbers, the last
/// one's holds for all.
pub(super) fn hold(threads: c_int) {
    let mut limit = LIMIT.lock().unwrap_or_else(PoisonError::into_inner);
    limit.holders += 1;
    limit.threads = threads;
    limit.apply();
}

/// Gives the libraries back what they had, when nobody holds the limit any more.
pub(super) fn release() {
    let mut limit = LIMIT.lock().unwrap_or_else(PoisonError::into_inner);
    limit.holders = limit.holders.saturating_sub(1);
    if limit.holders == 0 {
        let before = std::mem::take(&mut limit.before);
        for library in OpenBlas::all() {
            if let Some(&threads) = before.get(&library.path) {
                library.set_threads(threads);
            }
        }
    }
}

/// To be called when one may have been loaded.
pub(super) fn loaded() {
    let mut limit = LIMIT.lock().unwrap_or_else(PoisonError::into_inner);
    if limit.holders > 0 {
        limit.apply();
    }
}

impl Limit {
    fn apply(&mut self) {
        for library in OpenBlas::all() {
            let now = library.threads();
            if now != self.threads {
                self.before.entry(library.path.clone()).or_insert(now);
                library.set_threads(self.threads);
            }
        }
    }
}

struct OpenBlas {
    path: String,
    get: unsafe extern "C" fn() -> c_int,
    set: unsafe extern "C" fn(c_int),
    /// Keeps the functions in memory.
    _library: Library,
}

impl OpenBlas {
    fn all() -> Vec<OpenBlas> {
        libraries().into_iter().filter(|path| path.contains("openblas")).filter_map(OpenBlas::open).collect()
    }

    fn open(path: String) -> Option<OpenBlas> {
        // SAFETY: it is loaded already, so no code of it runs.
        let library = unsafe { Library::open(Some(&path), RTLD_NOW | libc::RTLD_NOLOAD) }.ok()?;
        NAMES
            .iter()
            .find_map(|(get, set)| {
                // SAFETY: OpenBLAS's name for a function of that type.
                let get = *unsafe { library.get(*get) }.ok()?;
                // SAFETY: as above.
                let set = *unsafe { library.get(*set) }.ok()?;
                Some((get, set))
            })
            .map(|(get, set)| OpenBlas { path, get, set, _library: library })
    }

    fn threads(&self) -> c_int {
        // SAFETY: the library is loaded; the function takes nothing.
        unsafe { (self.get)() }
    }

    fn set_threads(&self, threads: c_int) {
        // SAFETY: the library is loaded; any number is taken, and brought into its range.
        unsafe { (self.set)(threads) }
    }
}

/// The paths of all libraries in this process.
fn libraries() -> Vec<String> {
    unsafe extern "C" fn note(library: *mut libc::dl_phdr_info, _: usize, paths: *mut c_void) -> c_int {
        // SAFETY: the list that `libraries` passes, which waits for the walk to end.
        let paths = unsafe { &mut *paths.cast::<Vec<String>>() };
        // SAFETY: the linker passes a description with a name.
        let name = unsafe { CStr::from_ptr((*library).dlpi_name) };
        paths.push(name.to_string_lossy().into_owned());
        0
    }
    let mut paths = Vec::new();
    // SAFETY: `note` does what the walk expects, and does not unwind.
    unsafe { libc::dl_iterate_phdr(Some(note), (&raw mut paths).cast()) };
    paths
}
