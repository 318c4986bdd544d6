//! What a library's file says about it, read before any of its code runs.

use std::fs::File;
use std::path::{Path, PathBuf};

use object::read::ReadCache;
use object::read::elf::{ElfFile64, ProgramHeader};
use object::{Endianness, Object, ObjectSymbol, elf};

use super::Refusal;

/// What matters of an ELF file here.
#[derive(Debug, Default)]
pub(super) struct Elf {
    /// The libraries that it links to, by name.
    pub(super) needed: Vec<String>,
    /// Where it wants them to be looked for first; `$ORIGIN` is filled in.
    pub(super) folders: Vec<PathBuf>,
    /// Whether it needs a place in the block of thread-local variables that the process got when it started.
    pub(super) static_tls: bool,
    /// A symbol of Python's C API that it expects from elsewhere.
    pub(super) python: Option<String>,
    pub(super) segments: Vec<Segment>,
}

/// A part of the file that is mapped to memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    /// In memory, counted from the library's own zero.
    pub(super) address: u64,
    pub(super) size: u64,
    /// In the file.
    pub(super) offset: u64,
    pub(super) size_in_file: u64,
    pub(super) writable: bool,
    pub(super) executable: bool,
}

impl Elf {
    pub(super) fn read(file: &File, path: &Path) -> Result<Elf, Refusal> {
        let origin = path.parent().unwrap_or(Path::new("/")).display().to_string();
        Elf::parse(&ReadCache::new(file), &origin)
            .map_err(|error| Refusal::Unreadable { path: path.display().to_string(), why: error.to_string() })
    }

    /// `origin` is the folder that the file lies in.
    fn parse(bytes: &ReadCache<&File>, origin: &str) -> object::Result<Elf> {
        let file = ElfFile64::<Endianness, _>::parse(bytes)?;
        let endian = file.endian();
        let table = file.elf_dynamic_table()?;
        let mut read = Elf::default();
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
        read.segments = file
            .elf_program_headers()
            .iter()
            .filter(|header| header.p_type(endian) == elf::PT_LOAD)
            .map(|header| Segment {
                address: header.p_vaddr(endian),
                size: header.p_memsz(endian),
                offset: header.p_offset(endian),
                size_in_file: header.p_filesz(endian),
                writable: header.p_flags(endian).contains(elf::PF_W),
                executable: header.p_flags(endian).contains(elf::PF_X),
            })
            .collect();
        Ok(read)
    }
}

fn filled(folder: &str, origin: &str) -> PathBuf {
    PathBuf::from(folder.replace("${ORIGIN}", origin).replace("$ORIGIN", origin))
}
