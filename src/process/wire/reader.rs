//! Bytes from another process, taken one field after the other. Nothing is read or made before it was compared with what is left.

use bytemuck::Pod;

use super::Flaw;

/// Bytes being read.
pub(super) struct Reader<'p> {
    /// How many there were.
    all: usize,
    pub(super) rest: &'p [u8],
}

impl<'p> Reader<'p> {
    pub(super) fn new(bytes: &'p [u8]) -> Reader<'p> {
        Reader { all: bytes.len(), rest: bytes }
    }

    pub(super) fn short(&self, what: &'static str) -> Flaw {
        Flaw::Short { len: self.all, what }
    }

    pub(super) fn take(&mut self, len: usize, what: &'static str) -> Result<&'p [u8], Flaw> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(self.short(what))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn pod<T: Pod>(&mut self, what: &'static str) -> Result<T, Flaw> {
        Ok(bytemuck::pod_read_unaligned(self.take(size_of::<T>(), what)?))
    }

    pub(super) fn byte(&mut self, what: &'static str) -> Result<u8, Flaw> {
        self.pod(what)
    }

    /// All that is left.
    pub(super) fn text(&mut self) -> Result<&'p str, Flaw> {
        self.text_of(self.rest.len() as u64)
    }

    pub(super) fn text_of(&mut self, len: u64) -> Result<&'p str, Flaw> {
        let bytes = self.take(usize::try_from(len).unwrap_or(usize::MAX), "text")?;
        std::str::from_utf8(bytes).map_err(|error| Flaw::Text(format!("a text is no UTF-8: {error}")))
    }

    pub(super) fn finish(self) -> Result<(), Flaw> {
        match self.rest.len() {
            0 => Ok(()),
            bytes => Err(Flaw::Trailing { bytes }),
        }
    }
}
