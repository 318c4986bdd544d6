//! Reads the format string of a PEP 3118 exporter.
//!
//! Exporters do not agree on where padding is, so one text has up to three readings, and the exporter's itemsize decides:
//!
//! ```text
//!                @ aligns items    padding at the end    who writes so
//! NumPy          yes               of every record       NumPy for aligned records, Cython
//! struct         yes               of inner records      the module struct, memoryview
//! packed         no                none                  NumPy for other records, which writes its padding out
//! ```
//!
//! A record may also simply end before its element does (NumPy leaves the padding at the end out). Then the first reading that fits is taken.

use super::dtype::{DType, Kind};
use super::format_reader::{Item, Reader};
use super::unshareable;
use crate::error::{Error, Result};

impl DType {
    /// The dtype an exporter of a buffer describes: NumPy, `array`, ctypes, memoryview, `struct` and others. Unnamed items are called `f0`, `f1`, ... as NumPy does.
    ///
    /// Errors: `BadDType` when the format cannot be read or does not describe items of `itemsize` bytes; `NotShareable` for pointers and objects.
    pub fn from_format(format: &str, itemsize: usize) -> Result<DType> {
        let aligned = read(format, true)?;
        if let Some(dtype) = aligned.filling(itemsize)? {
            return Ok(dtype);
        }
        let packed = read(format, false)?;
        if let Some(dtype) = packed.filling(itemsize)? {
            return Ok(dtype);
        }
        for reading in [&aligned, &packed] {
            if reading.end.is_some_and(|end| end <= itemsize) && !reading.guessed {
                return reading.resized(itemsize);
            }
        }
        if aligned.guessed {
            return Err(unshareable::ucs2(format));
        }
        Err(Error::BadDType {
            text: format.into(),
            at: 0,
            reason: format!(
                "the format describes items of {} bytes, but the exporter's have {itemsize}; export the memory as bytes, or through NumPy",
                aligned.dtype.itemsize()
            ),
        })
    }
}

/// What NumPy reads: whatever the exporter's itemsize is.
pub(super) fn read_as_numpy(format: &str) -> Result<DType> {
    Ok(read(format, true)?.dtype)
}

/// One reading of a format.
struct Reading {
    dtype: DType,
    /// Of a record: where it ends without the padding that alignment adds at the end.
    end: Option<usize>,
    /// Whether a size in it is a guess, which only an exact fit can confirm.
    guessed: bool,
}

impl Reading {
    /// The dtype, if it fills `itemsize` exactly.
    fn filling(&self, itemsize: usize) -> Result<Option<DType>> {
        if self.dtype.itemsize() == itemsize {
            return Ok(Some(self.dtype.clone()));
        }
        if self.end == Some(itemsize) { self.resized(itemsize).map(Some) } else { Ok(None) }
    }

    /// The record with another itemsize.
    fn resized(&self, itemsize: usize) -> Result<DType> {
        match self.dtype.kind() {
            Kind::Struct(record) => DType::record(record.fields.clone(), itemsize, false),
            _ => Ok(self.dtype.clone()),
        }
    }
}

fn read(format: &str, align: bool) -> Result<Reading> {
    let mut reader = Reader::new(format, align);
    if format.trim().is_empty() {
        return Err(reader.cursor.error("the format describes no item"));
    }
    let mut group = reader.group(None)?;
    let guessed = reader.guessed;
    if group.items.len() > 1 {
        group.items.retain(|item| !item.padding);
    }
    // A single unnamed item without padding around it is the element itself.
    if matches!(group.items.as_slice(), [item] if item.name.is_none() && item.offset == 0 && item.dtype.itemsize() == group.end) {
        let Item { dtype, end, .. } = group.items.swap_remove(0);
        return Ok(Reading { dtype, end, guessed });
    }
    let end = Some(group.end);
    Ok(Reading { dtype: group.into_record().map_err(|reason| reader.cursor.error_at(0, reason))?, end, guessed })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: &str, itemsize: usize) -> String {
        DType::from_format(format, itemsize).unwrap_or_else(|error| panic!("{error}")).to_string()
    }

    #[test]
    fn each_exporter_is_understood() {
        for (format, itemsize, meant) in [
            // array.array, memoryview.cast
            ("l", 8, "<i8"),
            ("w", 4, "<U1"),
            ("c", 1, "|S1"),
            ("n", 8, "<i8"),
            // NumPy
            ("?", 1, "|b1"),
            ("Zd", 16, "<c16"),
            ("^Zg", 32, "<c32"),
            (">q", 8, ">i8"),
            ("5s", 5, "|S5"),
            ("3w", 12, "<U3"),
            ("3x", 3, "|V3"),
            ("0s", 0, "|S0"),
            ("T{}", 3, "{;3}"),
            ("T{=i:a:b:b:}", 5, "{a:<i4@0,b:|i1@4;5}"),
            ("T{i:a:b:b:}", 12, "{a:<i4@0,b:|i1@4;12}"),
            ("T{xxxxi:a:xb:b:}", 12, "{a:<i4@4,b:|i1@9;12}"),
            ("T{T{i:a:b:b:}:s:xxxxxxxb:c:}", 13, "{s:{a:<i4@0,b:|i1@4;5}@0,c:|i1@12;13}"),
            ("T{(2)T{b:x:xxxi:y:}:a:b:b:}", 20, "{a:(2){x:|i1@0,y:<i4@4;8}@0,b:|i1@16;20}"),
            ("T{(2,0)T{3x:x:>i:y:}:a:@l:b:}", 8, "{a:(2,0){x:|V3@0,y:>i4@3;7}@0,b:<i8@0;8}"),
            // ctypes
            ("<q", 8, "<i8"),
            ("<g", 16, "<f16"),
            ("<D", 16, "<c16"),
            ("<u", 4, "<U1"),
            ("(2,3)<h", 12, "(2,3)<i2"),
            ("T{<i:x:4x<d:y:}", 16, "{x:<i4@0,y:<f8@8;16}"),
            ("T{>i:x:>h:y:2x}", 8, "{x:>i4@0,y:>i2@4;8}"),
            ("T{(5)<c:s:3x(3)<u:w:}", 20, "{s:(5)|S1@0,w:(3)<U1@8;20}"),
            // struct
            ("bi", 8, "{f0:|i1@0,f1:<i4@4;8}"),
            ("=bi", 5, "{f0:|i1@0,f1:<i4@1;5}"),
            ("@bib", 9, "{f0:|i1@0,f1:<i4@4,f2:|i1@8;9}"),
            ("@bib", 12, "{f0:|i1@0,f1:<i4@4,f2:|i1@8;12}"),
            ("3d", 24, "(3)<f8"),
            ("! h  2s", 4, "{f0:>i2@0,f1:|S2@2;4}"),
            ("ii:f0:", 8, "{f1:<i4@0,f0:<i4@4;8}"),
        ] {
            assert_eq!(read(format, itemsize), meant, "{format}");
        }
    }

    #[test]
    fn a_format_that_contradicts_the_itemsize_is_refused() {
        for (format, itemsize) in [("B", 8), ("<l", 8), ("d", 4), ("T{<i:a:<i:b:}", 4), ("bi", 4)] {
            let error = DType::from_format(format, itemsize).unwrap_err().to_string();
            assert!(error.contains(&format!("exporter's have {itemsize}")), "{error}");
        }
        assert!(DType::from_format("u", 2).unwrap_err().to_string().contains("UCS-2"));
    }

    #[test]
    fn pointers_and_objects_are_refused_with_the_reason() {
        for format in ["P", "O", "&i", "X{}", "<z", "<Z", "T{i:a:O:b:}"] {
            let error = DType::from_format(format, 8).unwrap_err();
            assert!(matches!(&error, Error::NotShareable { reason, .. } if reason.contains("pointers")), "{error}");
        }
    }

    #[test]
    fn errors_name_the_position() {
        for (format, position) in
            [("", 0), ("iJ", 1), ("T{i:a:", 6), ("i:a", 2), ("(2", 2), ("(2,x)i", 3), ("5p", 1), ("3t", 1), ("}", 0), ("T{i:a:i:a:}", 0)]
        {
            match DType::from_format(format, 8) {
                Err(Error::BadDType { at, reason, .. }) => assert_eq!(at, position, "{format}: {reason}"),
                other => panic!("{format}: {other:?}"),
            }
        }
    }

    #[test]
    fn sizes_and_nesting_cannot_overflow() {
        let huge = usize::MAX;
        for format in [
            format!("{huge}i"),
            format!("{huge}9i"),
            format!("{huge}s{huge}s"),
            format!("({huge},{huge})i"),
            format!("{}x{}xi", isize::MAX, isize::MAX),
            format!("{}x{}xbi", isize::MAX, isize::MAX),
            "T{".repeat(100_000),
            "(1)".repeat(100_000),
            format!("{}i", "(1)".repeat(33)),
            format!("{}i{}", "T{".repeat(33), "}".repeat(33)),
        ] {
            assert!(DType::from_format(&format, 4).is_err());
        }
    }
}
