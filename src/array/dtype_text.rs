//! The text of a dtype, for handles, messages and `repr`: complete, so that parsing it gives the same dtype.
//!
//! ```text
//! dtype    = simple | name | subarray | record
//! simple   = order code [size] ["[" [count] unit "]"]      <f8  |b1  >U5  |V3  <M8[25us]     NumPy's dtype.str
//! order    = "<" | ">" | "|"
//! name     = a dtype of ml_dtypes                            bfloat16
//! subarray = "(" length {"," length} ")" dtype               (2,3)<f8
//! record   = "{" [field {"," field}] ";" size [";aligned"] "}"
//! field    = label ["/" label] ":" dtype "@" offset          name, title
//! label    = letters, digits and "_", or "'" text "'" with \' and \\ for ' and \
//! ```
//!
//! For example `{x:<f8@0,'two words'/unit:(2)<i4@8;16}`: 16 bytes, of which field `x` is the first eight. `size` is the itemsize.
//!
//! The parser also reads what users of NumPy type: `f4`, `=f4`, `d`, `?`, `float32`, `datetime64[ns]`.

use std::fmt;

use super::dtype::{DType, Kind};

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = if self.has_byte_order() { self.order().symbol() } else { '|' };
        let size = self.itemsize();
        match self.kind() {
            Kind::Bool => f.write_str("|b1"),
            Kind::Int => write!(f, "{order}i{size}"),
            Kind::UInt => write!(f, "{order}u{size}"),
            Kind::Float => write!(f, "{order}f{size}"),
            Kind::Complex => write!(f, "{order}c{size}"),
            Kind::Bytes => write!(f, "|S{size}"),
            Kind::Text => write!(f, "{order}U{}", size / 4),
            Kind::Void => write!(f, "|V{size}"),
            Kind::DateTime(unit) => write!(f, "{order}M8{unit}"),
            Kind::TimeDelta(unit) => write!(f, "{order}m8{unit}"),
            Kind::Named(name) => f.write_str(name),
            Kind::SubArray(sub) => {
                shape(f, &sub.1)?;
                write!(f, "{}", sub.0)
            }
            Kind::Struct(record) => {
                for (at, field) in record.fields.iter().enumerate() {
                    f.write_str(if at == 0 { "{" } else { "," })?;
                    label(f, &field.name)?;
                    if let Some(title) = &field.title {
                        f.write_str("/")?;
                        label(f, title)?;
                    }
                    write!(f, ":{}@{}", field.dtype, field.offset)?;
                }
                let open = if record.fields.is_empty() { "{" } else { "" };
                write!(f, "{open};{size}{}}}", if record.aligned { ";aligned" } else { "" })
            }
        }
    }
}

/// `(2,3)`, as PEP 3118 writes shapes too.
pub(super) fn shape(out: &mut impl fmt::Write, lengths: &[usize]) -> fmt::Result {
    for (at, length) in lengths.iter().enumerate() {
        write!(out, "{}{length}", if at == 0 { "(" } else { "," })?;
    }
    out.write_str(")")
}

/// Whether a label can stand without quotes.
pub(super) fn is_bare(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn label(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    use fmt::Write;
    if !text.is_empty() && text.chars().all(is_bare) {
        return f.write_str(text);
    }
    f.write_str("'")?;
    for c in text.chars() {
        if matches!(c, '\'' | '\\') {
            f.write_str("\\")?;
        }
        f.write_char(c)?;
    }
    f.write_str("'")
}
