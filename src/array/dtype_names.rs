//! NumPy's names of its dtypes, and its codes.

use super::dtype::{ByteOrder, DType};
use super::time_unit::TimeUnit;
use crate::error::Result;

/// Names and the codes they mean, where C's `long` has 64 bits.
const NAMES: [(&str, &str); 51] = [
    ("bool", "b1"),
    ("bool_", "b1"),
    ("byte", "i1"),
    ("bytes", "S"),
    ("bytes_", "S"),
    ("cdouble", "c16"),
    ("clongdouble", "c32"),
    ("complex", "c16"),
    ("complex128", "c16"),
    ("complex256", "c32"),
    ("complex64", "c8"),
    ("csingle", "c8"),
    ("datetime64", "M8"),
    ("double", "f8"),
    ("float", "f8"),
    ("float128", "f16"),
    ("float16", "f2"),
    ("float32", "f4"),
    ("float64", "f8"),
    ("half", "f2"),
    ("int", "i8"),
    ("int16", "i2"),
    ("int32", "i4"),
    ("int64", "i8"),
    ("int8", "i1"),
    ("int_", "i8"),
    ("intc", "i4"),
    ("intp", "i8"),
    ("long", "i8"),
    ("longdouble", "f16"),
    ("longlong", "i8"),
    ("object", "O"),
    ("object_", "O"),
    ("short", "i2"),
    ("single", "f4"),
    ("str", "U"),
    ("str_", "U"),
    ("timedelta64", "m8"),
    ("ubyte", "u1"),
    ("uint", "u8"),
    ("uint16", "u2"),
    ("uint32", "u4"),
    ("uint64", "u8"),
    ("uint8", "u1"),
    ("uintc", "u4"),
    ("uintp", "u8"),
    ("ulong", "u8"),
    ("ulonglong", "u8"),
    ("unicode", "U"),
    ("ushort", "u2"),
    ("void", "V"),
];

/// The code a name means; any other word is returned as it is.
pub(super) fn code_of(word: &str) -> &str {
    match NAMES.binary_search_by_key(&word, |&(name, _)| name) {
        Ok(at) => NAMES[at].1,
        Err(_) => word,
    }
}

/// The dtype of one of NumPy's codes, with a size (`f8`, `S5`) or without (`d`). `None` when there is no such code.
pub(super) fn coded(code: &str, order: ByteOrder) -> Option<Result<DType>> {
    let mut characters = code.chars();
    let letter = characters.next()?;
    let digits = characters.as_str();
    if !digits.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let size = match digits {
        "" => return lettered(letter, order),
        // A size that does not fit is too large for every constructor.
        digits => digits.parse().unwrap_or(usize::MAX),
    };
    match letter {
        'b' if size == 1 => Some(Ok(DType::bool())),
        'i' => Some(DType::int(size, order)),
        'u' => Some(DType::uint(size, order)),
        'f' => Some(DType::float(size, order)),
        'c' => Some(DType::complex(size, order)),
        'S' | 'a' => Some(DType::bytes(size)),
        'U' => Some(DType::text(size, order)),
        'V' => Some(DType::void(size)),
        'M' if size == 8 => Some(Ok(DType::datetime(TimeUnit::GENERIC, order))),
        'm' if size == 8 => Some(Ok(DType::timedelta(TimeUnit::GENERIC, order))),
        _ => None,
    }
}

/// The dtype of a single letter, where C's `long` has 64 bits.
fn lettered(letter: char, order: ByteOrder) -> Option<Result<DType>> {
    Some(match letter {
        '?' => Ok(DType::bool()),
        'b' => DType::int(1, order),
        'h' => DType::int(2, order),
        'i' => DType::int(4, order),
        'l' | 'q' | 'p' | 'n' => DType::int(8, order),
        'B' => DType::uint(1, order),
        'H' => DType::uint(2, order),
        'I' => DType::uint(4, order),
        'L' | 'Q' | 'P' | 'N' => DType::uint(8, order),
        'e' => DType::float(2, order),
        'f' => DType::float(4, order),
        'd' => DType::float(8, order),
        'g' => DType::float(16, order),
        'F' => DType::complex(8, order),
        'D' => DType::complex(16, order),
        'G' => DType::complex(32, order),
        'S' | 'a' => DType::bytes(0),
        'c' => DType::bytes(1),
        'U' => DType::text(0, order),
        'V' => DType::void(0),
        'M' => Ok(DType::datetime(TimeUnit::GENERIC, order)),
        'm' => Ok(DType::timedelta(TimeUnit::GENERIC, order)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found() {
        for (name, code) in NAMES {
            assert_eq!(code_of(name), code);
        }
        assert_eq!(code_of("f4"), "f4");
    }
}
