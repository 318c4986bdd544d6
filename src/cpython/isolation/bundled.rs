//! The libraries that a package brings along, as NumPy brings OpenBLAS.
//!
//! Those are not copied: they know nothing of Python, and one is enough for all interpreters. A copy of an extension module lies in no
//! folder, so the linker would not find them by `$ORIGIN`; it takes libraries that are loaded already by their name.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use super::elf::Elf;
use super::{Refusal, linker_words};

/// Those that were loaded here. They stay.
static LOADED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Loads what `elf` links to and finds in folders of its own.
pub(super) fn load(elf: &Elf) -> Result<(), Refusal> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if elf.needed.iter().any(|name| name.starts_with("libstdc++.so")) {
        // Otherwise the first copy that brings it in could never be unloaded, as it would provide symbols that all others use.
        // Where there is none, the copy's own loading says so.
        let _ = stay(PathBuf::from("libstdc++.so.6"), &mut loaded);
    }
    load_for(elf, &mut loaded)
}

fn load_for(elf: &Elf, loaded: &mut BTreeSet<PathBuf>) -> Result<(), Refusal> {
    for name in &elf.needed {
        let Some(path) = elf.folders.iter().find_map(|folder| folder.join(name).canonicalize().ok()) else { continue };
        if loaded.contains(&path) {
            continue;
        }
        let file = File::open(&path).map_err(|error| Refusal::Unreadable { path: path.display().to_string(), why: error.to_string() })?;
        let theirs = Elf::read(&file, &path)?;
        if let Some(symbol) = theirs.python {
            return Err(Refusal::UsesPython { path: path.display().to_string(), symbol });
        }
        load_for(&theirs, loaded)?;
        stay(path, loaded)?;
    }
    Ok(())
}

fn stay(path: PathBuf, loaded: &mut BTreeSet<PathBuf>) -> Result<(), Refusal> {
    // SAFETY: its initializers are those that the import of the extension module would run.
    match unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL) } {
        Ok(library) => std::mem::forget(library),
        Err(error) => return Err(Refusal::NotLoaded { path: path.display().to_string(), why: linker_words(&error) }),
    }
    loaded.insert(path);
    Ok(())
}
