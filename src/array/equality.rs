//! When two elements are equal, and when comparing their bytes says so.

use super::calendar::{same_length, same_moment};
use super::dtype::{DType, Kind};
use super::named::{self, Form};
use super::scalar::Scalar;

impl PartialEq for Scalar {
    /// As Python compares the values: numbers by value whatever their types, NaN and NaT with nothing, not even themselves.
    fn eq(&self, other: &Scalar) -> bool {
        match (self, other) {
            (Scalar::Bytes(a) | Scalar::Raw(a), Scalar::Bytes(b) | Scalar::Raw(b)) => a == b,
            (Scalar::Text(a), Scalar::Text(b)) => a == b,
            (Scalar::Record(a), Scalar::Record(b)) | (Scalar::List(a), Scalar::List(b)) => a == b,
            (&Scalar::DateTime(Some(a), of_a), &Scalar::DateTime(Some(b), of_b)) => same_moment((a, of_a), (b, of_b)),
            (&Scalar::TimeDelta(Some(a), of_a), &Scalar::TimeDelta(Some(b), of_b)) => same_length((a, of_a), (b, of_b)),
            _ => matches!((Number::of(self), Number::of(other)), (Some(a), Some(b)) if a.is_equal(b)),
        }
    }
}

#[derive(Clone, Copy)]
enum Number {
    Integer(i128),
    Complex(f64, f64),
}

impl Number {
    fn of(scalar: &Scalar) -> Option<Number> {
        match *scalar {
            Scalar::Bool(value) => Some(Number::Integer(value.into())),
            Scalar::Int(value) => Some(Number::Integer(value.into())),
            Scalar::UInt(value) => Some(Number::Integer(value.into())),
            Scalar::Float(value) => Some(Number::Complex(value, 0.0)),
            Scalar::Complex(real, imaginary) => Some(Number::Complex(real, imaginary)),
            _ => None,
        }
    }

    fn is_equal(self, other: Number) -> bool {
        match (self, other) {
            (Number::Integer(a), Number::Integer(b)) => a == b,
            (Number::Complex(a, x), Number::Complex(b, y)) => a == b && x == y,
            // Exactly, as Python does: rounding the integer would make 2**53 + 1 equal to 2.0**53. The cast saturates, and no integer here is that large.
            (Number::Integer(a), Number::Complex(b, y)) | (Number::Complex(b, y), Number::Integer(a)) => {
                y == 0.0 && b.trunc() == b && b as i128 == a
            }
        }
    }
}

impl DType {
    /// Whether equal bytes always mean equal elements. Not so where one may be NaN or NaT.
    pub fn equal_bytes_are_equal(&self) -> bool {
        bytes_say(self) >= BytesSay::Equal
    }

    /// Whether elements are equal exactly when their bytes are, so that `memcmp` compares arrays. Not so, either, where there are several patterns for
    /// one value: gaps in a record, a bool that is not 0 or 1.
    pub fn is_bitwise_comparable(&self) -> bool {
        bytes_say(self) == BytesSay::All
    }
}

/// What comparing bytes says about two elements of one dtype.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum BytesSay {
    /// Nothing: equal bytes may be NaN, other bytes may mean the same (`0.0` and `-0.0`).
    Nothing,
    /// Equal bytes are equal values; other bytes may be, too.
    Equal,
    /// Equal values have equal bytes, and the other way round.
    All,
}

fn bytes_say(dtype: &DType) -> BytesSay {
    match dtype.kind() {
        Kind::Int | Kind::UInt | Kind::Bytes | Kind::Text | Kind::Void => BytesSay::All,
        Kind::Bool => BytesSay::Equal,
        Kind::Float | Kind::Complex | Kind::DateTime(_) | Kind::TimeDelta(_) => BytesSay::Nothing,
        Kind::Named(name) => match named::find(name).map(|named| &named.form) {
            Some(Form::Int { .. } | Form::UInt { .. }) => BytesSay::Equal,
            _ => BytesSay::Nothing,
        },
        Kind::SubArray(sub) => bytes_say(&sub.0),
        Kind::Struct(record) => {
            let fields = record.fields.iter().map(|field| bytes_say(&field.dtype)).min().unwrap_or(BytesSay::All);
            // Overlapping fields may cover as many bytes and leave gaps, so only fields in a row count.
            let end = record.fields.iter().try_fold(0, |end, field| (field.offset == end).then(|| end + field.dtype.itemsize()));
            if end == Some(dtype.itemsize()) { fields } else { fields.min(BytesSay::Equal) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::TimeUnit;

    #[test]
    fn numbers_compare_by_value_across_types() {
        assert_eq!(Scalar::Bool(true), Scalar::Float(1.0));
        assert_eq!(Scalar::Int(-1), Scalar::Complex(-1.0, 0.0));
        assert_ne!(Scalar::Int(-1), Scalar::UInt(u64::MAX));
        assert_ne!(Scalar::Int((1 << 53) + 1), Scalar::Float((1u64 << 53) as f64));
        assert_eq!(Scalar::UInt(1 << 63), Scalar::Float((1u64 << 63) as f64));
        assert_ne!(Scalar::UInt(u64::MAX), Scalar::Float(f64::INFINITY));
        assert_ne!(Scalar::Int(0), Scalar::Float(f64::NAN));
        assert_ne!(Scalar::Int(1), Scalar::Complex(1.0, 1.0));
        assert_eq!(Scalar::Float(0.0), Scalar::Float(-0.0));
        assert_ne!(Scalar::Float(f64::NAN), Scalar::Float(f64::NAN));
        assert_ne!(Scalar::Bytes(b"1".to_vec()), Scalar::Text(vec![49]));
    }

    #[test]
    fn nat_equals_nothing_and_moments_compare_across_units() {
        let unit = |name| TimeUnit::new(name, 1).unwrap();
        assert_ne!(Scalar::DateTime(None, unit("s")), Scalar::DateTime(None, unit("s")));
        assert_eq!(Scalar::DateTime(Some(1), unit("D")), Scalar::DateTime(Some(24), unit("h")));
        assert_ne!(Scalar::DateTime(Some(1), unit("D")), Scalar::TimeDelta(Some(1), unit("D")));
    }

    #[test]
    fn comparing_bytes_is_enough_only_where_values_are_their_bytes() {
        let all = |text: &str| text.parse::<DType>().unwrap().is_bitwise_comparable();
        for yes in ["i4", ">u8", "S3", "U2", "V7", "(2,3)i2", "{a:i4@0,b:S2@4;6}", "{;0}", "(0)i4"] {
            assert!(all(yes), "{yes}");
        }
        for no in ["?", "f8", "c8", "M8[s]", "bfloat16", "int4", "{a:i4@0,b:S2@4;8}", "{a:i4@0,b:i4@0,c:i4@8;12}", "{a:f4@0;4}", "{;1}"] {
            assert!(!all(no), "{no}");
        }
    }

    #[test]
    fn equal_bytes_are_equal_values_unless_there_is_a_nan() {
        let equal = |text: &str| text.parse::<DType>().unwrap().equal_bytes_are_equal();
        assert!(["?", "i4", "int4", "{a:?@0;4}"].into_iter().all(equal));
        assert!(!["f8", "M8[s]", "bfloat16", "{a:?@0,b:f2@2;4}"].into_iter().any(equal));
    }
}
