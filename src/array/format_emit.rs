//! Writes the PEP 3118 format string of a dtype.
//!
//! Consumers expect what NumPy writes, so that is what they get, where NumPy reads its own text back. It does not do so for records with padding at the
//! end that alignment does not explain; for those every byte is written out.
//!
//! ```text
//! {a:<i4@0,b:<f8@8;16}     T{i:a:xxxxd:b:}            as NumPy writes it
//! {a:<i4@0,b:|i1@4;12}     T{=i:a:b:b:xxxxxxx}        NumPy would write T{i:a:b:b:}, which means 8 bytes
//! ```

use std::sync::Arc;

use super::dtype::{ByteOrder, DType, Kind};
use super::dtype_text;
use super::format_parse::read_as_numpy;
use super::record::{Field, Record};
use crate::error::{Error, Result};

/// Longer gaps are written with a count, so that no dtype has a format of megabytes.
const SPELLED_OUT: usize = 1024;

impl DType {
    /// The format string under which a buffer of such elements is exported; it describes [`DType::as_exported`].
    ///
    /// Errors with `BadLayout` when PEP 3118 cannot say it: fields that overlap or are out of order, names with a colon or a zero byte.
    pub fn to_format(&self) -> Result<String> {
        let exported = self.as_exported();
        let numpys = Writer::write(&exported, false)?;
        match exported.kind() {
            Kind::Struct(_) | Kind::SubArray(_) if read_as_numpy(&numpys).ok().as_ref() != Some(&exported) => {
                Writer::write(&exported, true)
            }
            _ => Ok(numpys),
        }
    }

    /// What is left of a dtype in its format string: times and ml_dtypes become integers of their size, titles and alignment are dropped.
    pub fn as_exported(&self) -> DType {
        let (kind, order) = match self.kind() {
            Kind::DateTime(_) | Kind::TimeDelta(_) => (Kind::Int, self.order()),
            Kind::Named(_) => (Kind::UInt, ByteOrder::NATIVE),
            Kind::SubArray(sub) => (Kind::SubArray(Arc::new((sub.0.as_exported(), sub.1.clone()))), self.order()),
            Kind::Struct(record) => {
                let plain = |field: &Field| Field { title: None, dtype: field.dtype.as_exported(), ..field.clone() };
                let record = Record { fields: record.fields.iter().map(plain).collect(), aligned: false };
                (Kind::Struct(Arc::new(record)), self.order())
            }
            _ => return self.clone(),
        };
        DType::from_parts(kind, self.itemsize(), order, self.depth())
    }
}

struct Writer {
    out: String,
    /// The mark of byte order in force.
    mark: char,
    /// Bytes from one whole element to the next.
    stride: usize,
    /// Whether all padding is written, and none left to `@`.
    explicit: bool,
}

impl Writer {
    fn write(dtype: &DType, explicit: bool) -> Result<String> {
        let mut writer = Writer { out: String::new(), mark: '@', stride: dtype.itemsize(), explicit };
        writer.element(dtype, 0)?;
        Ok(writer.out)
    }

    /// Writes the element at `offset` of the whole one; returns where what was written ends.
    fn element(&mut self, dtype: &DType, offset: usize) -> Result<usize> {
        match dtype.kind() {
            Kind::Struct(record) => {
                self.out.push_str("T{");
                let mut at = offset;
                for field in &record.fields {
                    at = self.field(field, at, offset + field.offset)?;
                }
                if self.explicit {
                    self.padding(offset + dtype.itemsize() - at);
                    at = offset + dtype.itemsize();
                }
                self.out.push('}');
                Ok(at)
            }
            Kind::SubArray(sub) => {
                let (base, lengths) = &**sub;
                dtype_text::shape(&mut self.out, lengths).map_err(|_| unsayable("a shape"))?;
                let end = self.element(base, offset)?;
                Ok(offset + (end - offset) * lengths.iter().product::<usize>())
            }
            _ => {
                self.byte_order(dtype, offset);
                self.code(dtype);
                Ok(offset + dtype.itemsize())
            }
        }
    }

    /// Writes a field that begins at `start`; what was written before ends at `at`.
    fn field(&mut self, field: &Field, at: usize, start: usize) -> Result<usize> {
        let name = &field.name;
        let Some(gap) = start.checked_sub(at) else {
            return Err(unsayable(&format!("field {name:?}, which begins before the field in front of it ends")));
        };
        if name.contains([':', '\0']) {
            return Err(unsayable(&format!("the field name {name:?}, which has a colon or a zero byte")));
        }
        self.padding(gap);
        let end = self.element(&field.dtype, start)?;
        self.out.push(':');
        self.out.push_str(name);
        self.out.push(':');
        Ok(end)
    }

    fn padding(&mut self, bytes: usize) {
        match bytes {
            ..=SPELLED_OUT => self.out.extend(std::iter::repeat_n('x', bytes)),
            _ => self.out.push_str(&format!("{bytes}x")),
        }
    }

    /// Writes the mark that `dtype` needs at `offset`, if another one is in force.
    fn byte_order(&mut self, dtype: &DType, offset: usize) {
        let alignment = dtype.alignment();
        let aligned = [offset, dtype.itemsize(), self.stride].iter().all(|bytes| bytes % alignment == 0);
        let long_double = matches!((dtype.kind(), dtype.itemsize()), (Kind::Float, 16) | (Kind::Complex, 32));
        let mark = match dtype.is_native() {
            _ if !dtype.has_byte_order() => return,
            true if aligned && !self.explicit => '@',
            // NumPy's own mark: C's sizes without alignment. Long double has no size that is not C's.
            true if long_double => '^',
            true => '=',
            false => dtype.order().symbol(),
        };
        if self.mark != mark {
            self.mark = mark;
            self.out.push(mark);
        }
    }

    fn code(&mut self, dtype: &DType) {
        // NumPy's 8-byte integer is C's long, which has 8 bytes only under marks that keep C's sizes.
        let long = matches!(self.mark, '@' | '^');
        let code = match (dtype.kind(), dtype.itemsize()) {
            (Kind::Bool, _) => "?",
            (Kind::Int, 1) => "b",
            (Kind::Int, 2) => "h",
            (Kind::Int, 4) => "i",
            (Kind::Int, _) => ["q", "l"][usize::from(long)],
            (Kind::UInt, 1) => "B",
            (Kind::UInt, 2) => "H",
            (Kind::UInt, 4) => "I",
            (Kind::UInt, _) => ["Q", "L"][usize::from(long)],
            (Kind::Float, 2) => "e",
            (Kind::Float, 4) => "f",
            (Kind::Float, 8) => "d",
            (Kind::Float, _) => "g",
            (Kind::Complex, 8) => "Zf",
            (Kind::Complex, 16) => "Zd",
            (Kind::Complex, _) => "Zg",
            (Kind::Bytes, size) => return self.out.push_str(&format!("{size}s")),
            (Kind::Text, size) => return self.out.push_str(&format!("{}w", size / 4)),
            (_, size) => return self.out.push_str(&format!("{size}x")),
        };
        self.out.push_str(code);
    }
}

fn unsayable(what: &str) -> Error {
    Error::BadLayout {
        reason: format!("PEP 3118 has no format for {what}; ask for the buffer without a format, or reorder or rename the fields"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(text: &str) -> String {
        text.parse::<DType>().unwrap().to_format().unwrap()
    }

    /// The right side was written by NumPy 2.4.
    #[test]
    fn formats_are_those_that_numpy_writes() {
        for (dtype, numpys) in [
            ("i8", "l"),
            (">i8", ">q"),
            ("u8", "L"),
            ("?", "?"),
            ("e", "e"),
            ("G", "Zg"),
            (">f8", ">d"),
            ("S5", "5s"),
            (">U3", ">3w"),
            ("V3", "3x"),
            ("{;0}", "T{}"),
            ("{a:i4@0,b:i1@4;5}", "T{=i:a:b:b:}"),
            ("{a:i4@0,b:i1@4;8;aligned}", "T{i:a:b:b:}"),
            ("{a:i4@4,b:i4@9;13}", "T{xxxx=i:a:xi:b:}"),
            ("{b:i1@0,q:i8@1,l:>i8@9;17}", "T{b:b:=q:q:>q:l:}"),
            ("{a:i4@0,b:f8@4,c:i4@12;16}", "T{i:a:=d:b:@i:c:}"),
            ("{a:(2,3)i4@0,b:V2@24,c:S0@26,d:>c16@26,e:U2@42,f:f16@50,h:?@66;67}", "T{(2,3)=i:a:2x:b:0s:c:>Zd:d:=2w:e:^g:f:?:h:}"),
            ("{'é':i1@0;1}", "T{b:é:}"),
        ] {
            assert_eq!(format(dtype), numpys, "{dtype}");
        }
    }

    #[test]
    fn padding_that_alignment_does_not_explain_is_written_out() {
        assert_eq!(format("{;3}"), "T{xxx}");
        assert_eq!(format("{a:i4@0,b:i1@4;12}"), "T{=i:a:b:b:xxxxxxx}");
        assert_eq!(format("{s:{a:i4@0,b:i1@4;5}@0,c:i1@5;12}"), "T{T{=i:a:b:b:}:s:b:c:xxxxxx}");
        assert_eq!(format("{a:i1@0,b:i1@5000;5001}"), "T{b:a:4999xb:b:}");
    }

    #[test]
    fn times_and_ml_dtypes_become_integers() {
        assert_eq!(format("M8[ns]"), "l");
        assert_eq!(format(">m8[s]"), ">q");
        assert_eq!(format("float8_e5m2"), "B");
        assert_eq!(format("bfloat16"), "H");
        assert_eq!(format("{t/title:M8[D]@0;8;aligned}"), "T{l:t:}");
    }

    #[test]
    fn what_pep_3118_cannot_say_is_an_error() {
        for text in ["{a:i4@4,b:i4@0;8}", "{a:i4@0,b:i4@2;8}", "{'a:b':i4@0;4}", "{'a\0b':i4@0;4}"] {
            let error = text.parse::<DType>().unwrap().to_format().unwrap_err();
            assert!(matches!(error, Error::BadLayout { .. }), "{error}");
        }
    }
}
