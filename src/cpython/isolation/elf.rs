//! What a library's file says about it, read before any of its code runs.

use std::path::{Path, PathBuf};

use object::read::elf::ElfFile64;
use object::{Endianness, Object, ObjectSymbol, elf};

use super::Refusal;

/// What matters of an ELF file here.
#[derive(Debug)]
pub(super) struct Elf {
    /// The libraries that it links to, by name.
    pub(super) needed: Vec<String>,
    /// Where it wants them to be looked for first; `$ORIGIN` is filled in.
    pub(super) folders: Vec<PathBuf>,
    /// Whether it needs a place in the block of thread-local variables that the process got when it started.
    pub(super) static_tls: bool,
    /// A symbol of Python's C API that it expects from elsewhere.
    pub(super) python: Option<String>,
}

impl Elf {
    pub(super) fn read(path: &Path) -> Result<Elf, Refusal> {
        let unreadable = |why: String| Refusal::Unreadable { path: path.display().to_string(), why };
        let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
        Elf::parse(&bytes, path.parent().unwrap_or(Path::new("/"))).map_err(|error| unreadable(error.to_string()))
    }

    /// `origin` is the folder that the file lies in.
    fn parse(bytes: &[u8], origin: &Path) -> object::Result<Elf> {
        let file = ElfFile64::<Endianness>::parse(bytes)?;
        let table = file.elf_dynamic_table()?;
        let mut read = Elf { needed: Vec::new(), folders: Vec::new(), static_tls: false, python: None };
        for entry in table.iter() {
            let text = || table.string(entry).map(String::from_utf8_lossy);
            match entry.tag {
                elf::DT_NEEDED => read.needed.push(text()?.into_owned()),
                elf::DT_RUNPATH | elf::DT_RPATH => read.folders.extend(text()?.split(':').map(|folder| filled(folder, origin))),
                elf::DT_FLAGS => read.static_tls = entry.val & elf::DF_STATIC_TLS.0 != 0,
                _ => {}
            }
        }
        read.python = file
            .dynamic_symbols()
            .filter(|symbol| symbol.is_undefined())
            .filter_map(|symbol| symbol.name().ok())
            .find(|name| name.starts_with("Py") || name.starts_with("_Py"))
            .map(str::to_owned);
        Ok(read)
    }
}

fn filled(folder: &str, origin: &Path) -> PathBuf {
    let origin = origin.display().to_string();
    PathBuf::from(folder.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin))
}
