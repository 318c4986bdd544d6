//! Reads the text of a dtype; the grammar is in `dtype_text`.

use std::str::FromStr;

use super::cursor::Cursor;
use super::dtype::{ByteOrder, DType, Kind, MAX_NESTING};
use super::dtype_names::{code_of, coded};
use super::dtype_text::is_bare;
use super::named;
use super::record::Field;
use super::shape::Dims;
use super::time_unit::TimeUnit;
use super::unshareable;
use crate::error::{Error, Result};

impl FromStr for DType {
    type Err = Error;

    /// Errors: `BadDType` with the position, or `NotShareable` for `object` and `StringDType`.
    fn from_str(text: &str) -> Result<DType> {
        let mut cursor = Cursor::new(text);
        let dtype = dtype(&mut cursor, 0)?;
        match cursor.peek() {
            None => Ok(dtype),
            Some(_) => Err(cursor.error(format!("the dtype {dtype} is complete, nothing may follow"))),
        }
    }
}

/// `outer` records and sub-arrays are around this dtype.
fn dtype(cursor: &mut Cursor<'_>, outer: usize) -> Result<DType> {
    match cursor.peek() {
        Some('(' | '{') if outer == MAX_NESTING => {
            Err(cursor.error(format!("records and sub-arrays nest deeper than {MAX_NESTING} levels")))
        }
        Some('(') => {
            let start = cursor.at();
            let lengths = shape(cursor)?;
            let inner = dtype(cursor, outer + 1)?;
            DType::checked_sub_array(inner, &lengths).map_err(|reason| cursor.error_at(start, reason))
        }
        Some('{') => record(cursor, outer),
        _ => simple(cursor),
    }
}

/// `(2,3)`: at least one length.
pub(super) fn shape(cursor: &mut Cursor<'_>) -> Result<Dims> {
    cursor.expect("(")?;
    let mut lengths = Dims::new();
    loop {
        cursor.word(|c| c == ' ');
        lengths.push(cursor.required_number("the length of an axis")?);
        cursor.word(|c| c == ' ');
        if cursor.eat(")") {
            return Ok(lengths);
        }
        cursor.expect(",")?;
    }
}

fn record(cursor: &mut Cursor<'_>, outer: usize) -> Result<DType> {
    let start = cursor.at();
    cursor.expect("{")?;
    let mut fields = Vec::new();
    while !cursor.eat(";") {
        if !fields.is_empty() {
            cursor.expect(",")?;
        }
        let name = label(cursor)?;
        let title = if cursor.eat("/") { Some(label(cursor)?) } else { None };
        cursor.expect(":")?;
        let dtype = dtype(cursor, outer + 1)?;
        cursor.expect("@")?;
        let offset = cursor.required_number("the offset of the field")?;
        fields.push(Field { name, title, offset, dtype });
    }
    let itemsize = cursor.required_number("the itemsize of the record")?;
    let aligned = cursor.eat(";aligned");
    cursor.expect("}")?;
    DType::checked_record(fields, itemsize, aligned).map_err(|reason| cursor.error_at(start, reason))
}

fn label(cursor: &mut Cursor<'_>) -> Result<String> {
    if !cursor.eat("'") {
        return match cursor.word(is_bare) {
            "" => Err(cursor.error("expected a name: letters, digits and \"_\", or anything in single quotes")),
            bare => Ok(bare.into()),
        };
    }
    let mut text = String::new();
    loop {
        match cursor.next() {
            Some('\'') => return Ok(text),
            Some('\\') => match cursor.next() {
                Some(c @ ('\'' | '\\')) => text.push(c),
                _ => return Err(cursor.error("a backslash stands before ' or \\ only")),
            },
            Some(c) => text.push(c),
            None => return Err(cursor.error("the closing ' is missing")),
        }
    }
}

fn simple(cursor: &mut Cursor<'_>) -> Result<DType> {
    let start = cursor.at();
    let order = match cursor.peek() {
        Some('<') => Some(ByteOrder::Little),
        Some('>') => Some(ByteOrder::Big),
        Some('=' | '|') => Some(ByteOrder::NATIVE),
        _ => None,
    };
    if order.is_some() {
        cursor.next();
    }
    let word = cursor.word(|c| is_bare(c) || c == '?');
    let code = if order.is_none() { code_of(word) } else { word };
    if matches!(code, "O" | "O8") {
        return Err(unshareable::object(word));
    }
    if matches!(code, "T" | "T16" | "StringDType") {
        return Err(unshareable::strings(word));
    }
    if order.is_none() && named::find(word).is_some() {
        return DType::named(word);
    }
    let found = match coded(code, order.unwrap_or(ByteOrder::NATIVE)) {
        Some(dtype) => dtype.map_err(|error| match error {
            Error::BadDType { reason, .. } => cursor.error_at(start, reason),
            other => other,
        })?,
        None if word.is_empty() => return Err(cursor.error("expected a dtype such as f8, <i4, float32, (2,3)f8 or {x:f8@0;8}")),
        None => return Err(cursor.error_at(start, format!("{word:?} is not the name or code of a dtype"))),
    };
    match found.kind() {
        Kind::DateTime(_) if cursor.eat("[") => Ok(DType::datetime(unit(cursor)?, found.order())),
        Kind::TimeDelta(_) if cursor.eat("[") => Ok(DType::timedelta(unit(cursor)?, found.order())),
        _ => Ok(found),
    }
}

/// What stands between the brackets of `M8[25us]`.
fn unit(cursor: &mut Cursor<'_>) -> Result<TimeUnit> {
    let start = cursor.at();
    let count = cursor.number()?.unwrap_or(1);
    let name = cursor.word(|c| c.is_ascii_alphabetic());
    let unit = TimeUnit::checked(name, count).map_err(|reason| cursor.error_at(start, reason))?;
    cursor.expect("]")?;
    Ok(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(typed: &str) -> String {
        typed.parse::<DType>().unwrap_or_else(|error| panic!("{error}")).to_string()
    }

    #[test]
    fn what_numpy_users_type_is_read_as_numpy_reads_it() {
        for (typed, meant) in [
            ("f4", "<f4"),
            ("=f4", "<f4"),
            ("|f4", "<f4"),
            (">i1", "|i1"),
            ("?", "|b1"),
            ("b", "|i1"),
            ("b1", "|b1"),
            ("q", "<i8"),
            ("l", "<i8"),
            ("c", "|S1"),
            ("G", "<c32"),
            ("longdouble", "<f16"),
            ("float128", "<f16"),
            ("complex128", "<c16"),
            ("bool", "|b1"),
            ("int", "<i8"),
            ("str", "<U0"),
            ("S05", "|S5"),
            ("U3", "<U3"),
            (">U3", ">U3"),
            ("datetime64", "<M8"),
            ("datetime64[ns]", "<M8[ns]"),
            ("timedelta64[25us]", "<m8[25us]"),
            ("M8[generic]", "<M8"),
            ("bfloat16", "bfloat16"),
            ("(2,3)f4", "(2,3)<f4"),
            ("{a:f4@0;4}", "{a:<f4@0;4}"),
        ] {
            assert_eq!(text(typed), meant, "{typed}");
        }
    }

    #[test]
    fn the_grammar_keeps_titles_alignment_and_odd_names() {
        for written in [
            "{;0}",
            "{;3}",
            "{;4;aligned}",
            "{x:<f8@0,y:(2,3)>i4@8;32;aligned}",
            r"{'it\'s'/'a title':|S0@0,'\\':|b1@0;1}",
            "{a:<i4@2,b:<i4@0;7}",
            "{a:{b:{c:bfloat16@0;2}@1;3}@0;3}",
            "(2)(3)<f8",
        ] {
            assert_eq!(text(written), written);
        }
    }

    #[test]
    fn errors_name_the_position() {
        for (text, position) in [
            ("", 0),
            ("f3", 0),
            (" f4", 0),
            ("f4 ", 2),
            ("float31", 0),
            (">float32", 0),
            ("M8[xs]", 3),
            ("M8[0s]", 3),
            ("M8[s", 4),
            ("M8[99999999999999999999s]", 3),
            ("(2,)f4", 3),
            ("(2f4", 2),
            ("S99999999999999999999", 0),
            ("{a:f4@0;3}", 0),
            ("{a:f4@0}", 7),
            ("{a:f4;4}", 5),
            ("{a:f4@0,a:f4@4;8}", 0),
            ("{'':f4@0;4}", 0),
            ("{é:f4@0;4}", 1),
            ("{'é:f4@0;4}", 12),
            (">bfloat16", 0),
        ] {
            match text.parse::<DType>() {
                Err(Error::BadDType { text: whole, at, reason }) => assert_eq!((whole.as_str(), at), (text, position), "{reason}"),
                other => panic!("{text:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn objects_and_string_dtypes_are_refused_with_a_way_out() {
        for (text, way_out) in
            [("O", "tolist"), ("|O", "tolist"), ("object", "tolist"), ("T", "astype('U')"), ("StringDType()", "astype('S')")]
        {
            match text.parse::<DType>() {
                Err(Error::NotShareable { reason, .. }) => assert!(reason.contains(way_out), "{reason}"),
                other => panic!("{text:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_a_stack_overflow() {
        for deep in ["(1)".repeat(100_000), "{a:".repeat(100_000)] {
            assert!(deep.parse::<DType>().unwrap_err().to_string().contains("deeper than 32"));
        }
    }
}
