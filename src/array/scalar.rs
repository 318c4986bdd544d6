//! Values of single elements.

use super::dtype::{ByteOrder, DType, Kind};
use super::float::{MiniFloat, long_double};
use super::named::{self, Form};
use super::time_unit::TimeUnit;
use crate::error::{Error, Result};

/// The value of an element, as Python would see it. `==` compares values, not bits, across dtypes: `Int(1) == Float(1.0)`, and NaN equals nothing.
#[derive(Clone, Debug)]
pub enum Scalar {
    /// bool
    Bool(bool),
    /// Signed integers of any size.
    Int(i64),
    /// Unsigned integers of any size.
    UInt(u64),
    /// Floats of any size; a long double is rounded.
    Float(f64),
    /// Real and imaginary part.
    Complex(f64, f64),
    /// `S`, without the zeros at the end.
    Bytes(Vec<u8>),
    /// `U`: code points without the zeros at the end. As in Python, they may be surrogates.
    Text(Vec<u32>),
    /// `V`
    Raw(Vec<u8>),
    /// Ticks since 1970; `None` is NaT.
    DateTime(Option<i64>, TimeUnit),
    /// Ticks; `None` is NaT.
    TimeDelta(Option<i64>, TimeUnit),
    /// The values of a record's fields, in their order.
    Record(Vec<Scalar>),
    /// One axis of a sub-array.
    List(Vec<Scalar>),
}

/// The most values to make out of no bytes at all. Elsewhere the bytes bound them; without, a dtype of ten letters would ask for all memory.
const MOST_EMPTY: usize = 1 << 16;

impl Scalar {
    /// The value of an element of `dtype` whose bytes are `bytes`.
    ///
    /// Errors with `BadLayout` when there are not exactly as many bytes as the dtype has, a text holds a number that is not a code point, or a sub-array
    /// without bytes has more than 65,536 values.
    pub fn decode(dtype: &DType, bytes: &[u8]) -> Result<Scalar> {
        if bytes.len() != dtype.itemsize() {
            return Err(Error::BadLayout {
                reason: format!("an element of {dtype} has {} bytes, {} were given", dtype.itemsize(), bytes.len()),
            });
        }
        let order = dtype.order();
        Ok(match dtype.kind() {
            Kind::Bool => Scalar::Bool(bytes != [0]),
            Kind::Int => Scalar::Int(signed(bytes, order)),
            Kind::UInt => Scalar::UInt(unsigned(bytes, order)),
            Kind::Float => Scalar::Float(float(bytes, order)),
            Kind::Complex => {
                let (real, imaginary) = bytes.split_at(bytes.len() / 2);
                Scalar::Complex(float(real, order), float(imaginary, order))
            }
            Kind::Bytes => Scalar::Bytes(without_zeros(bytes).to_vec()),
            Kind::Text => Scalar::Text(text(bytes, order)?),
            Kind::Void => Scalar::Raw(bytes.to_vec()),
            Kind::DateTime(unit) => Scalar::DateTime(ticks(bytes, order), *unit),
            Kind::TimeDelta(unit) => Scalar::TimeDelta(ticks(bytes, order), *unit),
            Kind::Named(name) => match named::find(name) {
                Some(found) => small(&found.form, bytes),
                None => Scalar::Raw(bytes.to_vec()),
            },
            Kind::SubArray(_) if bytes.is_empty() && values(dtype) > MOST_EMPTY => {
                let reason = format!("an element of {dtype} has no bytes, but more than {MOST_EMPTY} values; use a dtype with fewer");
                return Err(Error::BadLayout { reason });
            }
            Kind::SubArray(sub) => list(&sub.0, &sub.1, bytes)?,
            Kind::Struct(record) => {
                let value =
                    |field: &super::Field| Scalar::decode(&field.dtype, &bytes[field.offset..field.offset + field.dtype.itemsize()]);
                Scalar::Record(record.fields.iter().map(value).collect::<Result<_>>()?)
            }
        })
    }
}

/// How many values a decoded element consists of, lists and records included.
fn values(dtype: &DType) -> usize {
    match dtype.kind() {
        Kind::SubArray(sub) => sub.1.iter().rev().fold(values(&sub.0), |inner, length| inner.saturating_mul(*length).saturating_add(1)),
        Kind::Struct(record) => record.fields.iter().fold(1, |sum: usize, field| sum.saturating_add(values(&field.dtype))),
        _ => 1,
    }
}

fn list(dtype: &DType, lengths: &[usize], bytes: &[u8]) -> Result<Scalar> {
    let [length, inner @ ..] = lengths else {
        return Scalar::decode(dtype, bytes);
    };
    let size = inner.iter().product::<usize>() * dtype.itemsize();
    Ok(Scalar::List((0..*length).map(|at| list(dtype, inner, &bytes[at * size..(at + 1) * size])).collect::<Result<_>>()?))
}

/// An integer of up to eight bytes.
fn unsigned(bytes: &[u8], order: ByteOrder) -> u64 {
    let append = |number, &byte: &u8| number << 8 | u64::from(byte);
    match order {
        ByteOrder::Little => bytes.iter().rev().fold(0, append),
        ByteOrder::Big => bytes.iter().fold(0, append),
    }
}

fn signed(bytes: &[u8], order: ByteOrder) -> i64 {
    sign_extended(unsigned(bytes, order), 8 * bytes.len() as u32)
}

/// The low `bits` of a number in two's complement; `bits` is in `1..=64`.
fn sign_extended(number: u64, bits: u32) -> i64 {
    (number << (64 - bits)) as i64 >> (64 - bits)
}

fn float(bytes: &[u8], order: ByteOrder) -> f64 {
    match bytes.len() {
        2 => MiniFloat::HALF.decode(unsigned(bytes, order)),
        4 => f64::from(f32::from_bits(unsigned(bytes, order) as u32)),
        8 => f64::from_bits(unsigned(bytes, order)),
        _ => {
            let mut long = [0; 16];
            long.copy_from_slice(bytes);
            long_double(long, order)
        }
    }
}

fn small(form: &Form, bytes: &[u8]) -> Scalar {
    let bits = unsigned(bytes, ByteOrder::NATIVE);
    match *form {
        Form::Float(format) => Scalar::Float(format.decode(bits)),
        Form::Complex(format) => {
            let part = |bytes| format.decode(unsigned(bytes, ByteOrder::NATIVE));
            Scalar::Complex(part(&bytes[..2]), part(&bytes[2..]))
        }
        Form::Int { bits: width } => Scalar::Int(sign_extended(bits, width)),
        Form::UInt { bits: width } => Scalar::UInt(bits & ((1 << width) - 1)),
    }
}

fn without_zeros<T: PartialEq + Default>(padded: &[T]) -> &[T] {
    let length = padded.iter().rposition(|item| *item != T::default()).map_or(0, |last| last + 1);
    &padded[..length]
}

fn text(bytes: &[u8], order: ByteOrder) -> Result<Vec<u32>> {
    let mut points: Vec<u32> = bytes.chunks_exact(4).map(|point| unsigned(point, order) as u32).collect();
    points.truncate(without_zeros(&points).len());
    match points.iter().find(|&&point| point > u32::from(char::MAX)) {
        Some(point) => Err(Error::BadLayout { reason: format!("{point:#x} in a U element is not a code point; the highest is 0x10ffff") }),
        None => Ok(points),
    }
}

fn ticks(bytes: &[u8], order: ByteOrder) -> Option<i64> {
    Some(signed(bytes, order)).filter(|&ticks| ticks != i64::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(dtype: &str, bytes: &[u8]) -> Scalar {
        Scalar::decode(&dtype.parse().unwrap(), bytes).unwrap()
    }

    #[test]
    fn numbers_of_every_size_and_order_are_decoded() {
        assert_eq!(decode("?", &[1]), Scalar::Bool(true));
        assert_eq!(decode("i1", &[0xff]), Scalar::Int(-1));
        assert_eq!(decode("<i2", &[0xfe, 0xff]), Scalar::Int(-2));
        assert_eq!(decode(">u4", &[1, 2, 3, 4]), Scalar::UInt(0x01020304));
        assert_eq!(decode(">i8", &i64::MIN.to_be_bytes()), Scalar::Int(i64::MIN));
        assert_eq!(decode("<u8", &u64::MAX.to_le_bytes()), Scalar::UInt(u64::MAX));
        assert_eq!(decode(">f2", &[0x3c, 0]), Scalar::Float(1.0));
        assert_eq!(decode(">f4", &1.5f32.to_be_bytes()), Scalar::Float(1.5));
        assert_eq!(decode("<f8", &0.1f64.to_le_bytes()), Scalar::Float(0.1));
        assert_eq!(decode("<c8", &[1f32.to_le_bytes(), (-2f32).to_le_bytes()].concat()), Scalar::Complex(1.0, -2.0));
        let (bfloat, eighth) = (0x3fc0u16.to_ne_bytes(), [0x3c]);
        assert_eq!(decode("bfloat16", &bfloat), Scalar::Float(1.5));
        assert_eq!(decode("float8_e5m2", &eighth), Scalar::Float(1.0));
        assert_eq!(decode("int4", &[0x0f]), Scalar::Int(-1));
        assert_eq!(decode("uint4", &[0xff]), Scalar::UInt(15));
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn long_doubles_are_decoded_in_both_orders() {
        let mut half = [0u8; 16];
        half[7] = 0x80;
        half[8..10].copy_from_slice(&16382u16.to_le_bytes());
        assert_eq!(decode("<f16", &half), Scalar::Float(0.5));
        half.reverse();
        assert_eq!(decode(">f16", &half), Scalar::Float(0.5));
    }

    #[test]
    fn texts_lose_their_padding_and_bad_code_points_are_errors() {
        assert_eq!(decode("S4", b"a\0b\0"), Scalar::Bytes(b"a\0b".to_vec()));
        assert_eq!(decode("V4", b"a\0b\0"), Scalar::Raw(b"a\0b\0".to_vec()));
        assert_eq!(decode(">U2", &[0, 0, 0, 97, 0, 0, 0, 0]), Scalar::Text(vec![97]));
        assert_eq!(decode("<U1", &[0, 0xd8, 0, 0]), Scalar::Text(vec![0xd800]));
        let error = Scalar::decode(&"<U1".parse().unwrap(), &[0, 0, 0x11, 0]).unwrap_err();
        assert!(error.to_string().contains("0x110000"));
    }

    #[test]
    fn nested_elements_are_decoded_field_by_field() {
        let value = decode("{a:(2,2)u1@0,b:{t:>M8[s]@1;9}@4;13}", &[1, 2, 3, 4, 0, 0x80, 0, 0, 0, 0, 0, 0, 0]);
        let Scalar::Record(fields) = value else { panic!("{value:?}") };
        let row = |a, b| Scalar::List(vec![Scalar::UInt(a), Scalar::UInt(b)]);
        assert_eq!(fields[0], Scalar::List(vec![row(1, 2), row(3, 4)]));
        assert!(
            matches!(&fields[1], Scalar::Record(inner) if matches!(inner[0], Scalar::DateTime(None, TimeUnit { name: "s", count: 1 })))
        );
        assert_eq!(decode("(2,0)f8", &[]), Scalar::List(vec![Scalar::List(vec![]), Scalar::List(vec![])]));
    }

    #[test]
    fn values_without_bytes_are_limited() {
        for text in ["(99999999999)V0", "(99999999999,0)f8", "(1000)(1000)S0", "(99999999){a:V0@0;0}", "{a:u1@0,b:(99999999999)V0@1;1}"] {
            let dtype: DType = text.parse().unwrap();
            let error = Scalar::decode(&dtype, &vec![0; dtype.itemsize()]).unwrap_err();
            assert!(error.to_string().contains("no bytes"), "{error}");
        }
        assert_eq!(decode("(0,99999999999)f8", &[]), Scalar::List(vec![]));
        assert_eq!(decode("(2)V0", &[]), Scalar::List(vec![Scalar::Raw(vec![]); 2]));
    }

    #[test]
    fn a_wrong_number_of_bytes_is_an_error() {
        assert!(Scalar::decode(&"f8".parse().unwrap(), &[0; 7]).is_err());
    }
}
