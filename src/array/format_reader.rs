//! Reads the items of a PEP 3118 format string and places them; which reading is meant is decided in `format_parse`.
//!
//! ```text
//! format = { item }
//! item   = { "(" length {"," length} ")" | mark } [count] ( code | "T{" format "}" ) [":" name ":"]
//! mark   = "@" aligned, C's sizes | "^" C's sizes | "=" "<" ">" "!" standard sizes
//! ```

use std::collections::HashSet;

use super::cursor::Cursor;
use super::dtype::{ByteOrder, DType, MAX_NESTING};
use super::dtype_parse::shape;
use super::record::Field;
use super::shape::Dims;
use super::unshareable;
use crate::error::{Error, Result};

/// One item of a group.
pub(super) struct Item {
    pub(super) name: Option<String>,
    pub(super) offset: usize,
    pub(super) dtype: DType,
    /// Whether it only pads: an unnamed `x`.
    pub(super) padding: bool,
    /// Of a single record: see `Reading::end`.
    pub(super) end: Option<usize>,
}

/// The items between `T{` and `}`, or of the whole format.
pub(super) struct Group {
    pub(super) items: Vec<Item>,
    pub(super) end: usize,
    /// `end` with the padding that alignment adds.
    itemsize: usize,
    alignment: usize,
}

impl Group {
    pub(super) fn into_record(self) -> Result<DType, String> {
        let taken: HashSet<String> = self.items.iter().filter_map(|item| item.name.clone()).collect();
        let mut free = (0..).map(|n| format!("f{n}")).filter(|name| !taken.contains(name));
        let named = |Item { name, offset, dtype, .. }: Item| Field {
            name: name.or_else(|| free.next()).unwrap_or_default(),
            title: None,
            offset,
            dtype,
        };
        DType::checked_record(self.items.into_iter().filter(|item| !item.padding).map(named).collect(), self.itemsize, false)
    }
}

pub(super) struct Reader<'a> {
    pub(super) cursor: Cursor<'a>,
    /// The mark in force. It stays in force beyond the `}` of the record it was written in.
    order: char,
    /// Whether `@` aligns.
    align: bool,
    /// Whether a size is a guess.
    pub(super) guessed: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(format: &'a str, align: bool) -> Reader<'a> {
        Reader { cursor: Cursor::new(format), order: '@', align, guessed: false }
    }

    /// Reads to the end of the format, or to the `}` of the record that `outer` others are around.
    pub(super) fn group(&mut self, outer: Option<usize>) -> Result<Group> {
        let mut group = Group { items: Vec::new(), end: 0, itemsize: 0, alignment: 1 };
        loop {
            self.spaces();
            match outer {
                Some(_) if self.cursor.eat("}") => break,
                None if self.cursor.peek().is_none() => break,
                _ => self.item(outer, &mut group)?,
            }
        }
        group.itemsize = group.end;
        if self.aligns() {
            group.itemsize = self.aligned(group.end, group.alignment)?;
        }
        Ok(group)
    }

    /// The module struct lets items be spaced.
    fn spaces(&mut self) {
        self.cursor.word(|c| c.is_ascii_whitespace());
    }

    fn aligns(&self) -> bool {
        self.align && self.order == '@'
    }

    fn aligned(&self, offset: usize, alignment: usize) -> Result<usize> {
        offset.checked_next_multiple_of(alignment).ok_or_else(|| self.too_large())
    }

    fn too_large(&self) -> Error {
        self.cursor.error("the items exceed the address space")
    }

    /// `[shapes and byte order] [count] code [:name:]`
    fn item(&mut self, outer: Option<usize>, group: &mut Group) -> Result<()> {
        let start = self.cursor.at();
        let mut shapes: Vec<Dims> = Vec::new();
        loop {
            self.spaces();
            match self.cursor.peek() {
                Some('(') => shapes.push(shape(&mut self.cursor)?),
                Some(mark @ ('@' | '=' | '<' | '>' | '!' | '^')) => {
                    self.order = mark;
                    self.cursor.next();
                }
                _ => break,
            }
            if shapes.len() > MAX_NESTING {
                return Err(self.cursor.error(format!("sub-arrays nest deeper than {MAX_NESTING} levels")));
            }
        }
        let count = self.cursor.number()?;
        let code = self.cursor.peek();
        let (mut dtype, alignment, mut end) = if self.cursor.eat("T{") {
            let inner = self.inner(outer)?;
            let (alignment, end) = (inner.alignment, inner.end);
            (inner.into_record().map_err(|reason| self.cursor.error_at(start, reason))?, alignment, Some(end))
        } else {
            let dtype = self.code(count.unwrap_or(1))?;
            let alignment = dtype.alignment();
            (dtype, alignment, None)
        };
        let is_length = matches!(code, Some('s' | 'w' | 'u' | 'x'));
        let repeat = count.filter(|&n| n != 1 && !is_length).map(|n| Dims::from_slice(&[n]));
        for lengths in repeat.iter().chain(shapes.iter().rev()) {
            dtype = DType::checked_sub_array(dtype, lengths).map_err(|reason| self.cursor.error_at(start, reason))?;
            end = None;
        }
        if self.aligns() {
            group.end = self.aligned(group.end, alignment)?;
            group.alignment = group.alignment.max(alignment);
        }
        let offset = group.end;
        group.end = offset.checked_add(dtype.itemsize()).ok_or_else(|| self.too_large())?;
        let name = if self.cursor.eat(":") { Some(self.cursor.until(':')?.to_owned()) } else { None };
        let padding = name.is_none() && code == Some('x');
        group.items.push(Item { name, offset, dtype, padding, end });
        Ok(())
    }

    /// Reads what follows `T{`, in an item that `outer` records are around.
    fn inner(&mut self, outer: Option<usize>) -> Result<Group> {
        let outer = outer.map_or(0, |outer| outer + 1);
        if outer == MAX_NESTING {
            return Err(self.cursor.error(format!("records nest deeper than {MAX_NESTING} levels")));
        }
        self.group(Some(outer))
    }

    /// The dtype of a code; that of a string has the `length`.
    fn code(&mut self, length: usize) -> Result<DType> {
        let start = self.cursor.at();
        let order = match self.order {
            '<' => ByteOrder::Little,
            '>' | '!' => ByteOrder::Big,
            _ => ByteOrder::NATIVE,
        };
        // Without a mark of byte order, C's `long` has this machine's size.
        let long = if matches!(self.order, '@' | '^') { 8 } else { 4 };
        let Some(code) = self.cursor.next() else {
            return Err(self.cursor.error("expected the code of an item"));
        };
        let found = match code {
            '?' => Ok(DType::bool()),
            'b' => DType::int(1, order),
            'h' => DType::int(2, order),
            'i' => DType::int(4, order),
            'l' => DType::int(long, order),
            'q' | 'n' => DType::int(8, order),
            'B' => DType::uint(1, order),
            'H' => DType::uint(2, order),
            'I' => DType::uint(4, order),
            'L' => DType::uint(long, order),
            'Q' | 'N' => DType::uint(8, order),
            'e' => DType::float(2, order),
            'f' => DType::float(4, order),
            'd' => DType::float(8, order),
            'g' => DType::float(16, order),
            // The module struct and some ctypes write a complex number as one letter, PEP 3118 with a Z.
            'F' => DType::complex(8, order),
            'D' => DType::complex(16, order),
            'G' => DType::complex(32, order),
            'Z' if self.cursor.eat("f") => DType::complex(8, order),
            'Z' if self.cursor.eat("d") => DType::complex(16, order),
            'Z' if self.cursor.eat("g") => DType::complex(32, order),
            'c' => DType::bytes(1),
            's' => DType::bytes(length),
            'x' => DType::void(length),
            'w' => DType::text(length, order),
            'u' => {
                // PEP 3118 means UCS-2, which NumPy does not have; ctypes means wchar_t, which has four bytes.
                self.guessed = true;
                DType::text(length, order)
            }
            'O' => return Err(unshareable::object("O")),
            'P' | '&' | 'z' | 'Z' | 'X' => return Err(unshareable::pointer(&code.to_string())),
            'p' => return Err(self.cursor.error_at(start, "NumPy has no dtype for strings that begin with their length; use s")),
            't' => return Err(self.cursor.error_at(start, "NumPy has no dtype for bits; use an integer")),
            _ => return Err(self.cursor.error_at(start, format!("{code:?} is not the code of an item"))),
        };
        found.map_err(|error| match error {
            Error::BadDType { reason, .. } => self.cursor.error_at(start, reason),
            other => other,
        })
    }
}
