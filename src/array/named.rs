//! The extension dtypes of the package ml_dtypes: their names, sizes and the meaning of their bits.
//!
//! NumPy's own text for them says too little (`<V2` for bfloat16), so crossbuf carries them by name. They exist in the machine's byte order only.

use super::float::{MiniFloat, Special};

/// What the bits of a named dtype mean.
#[derive(Debug)]
pub(super) enum Form {
    /// One small float.
    Float(MiniFloat),
    /// Real and imaginary part.
    Complex(MiniFloat),
    /// The low `bits` of a byte, in two's complement.
    Int { bits: u32 },
    /// The low `bits` of a byte.
    UInt { bits: u32 },
}

/// A named dtype.
#[derive(Debug)]
pub(super) struct Named {
    pub name: &'static str,
    pub itemsize: usize,
    pub alignment: usize,
    pub form: Form,
}

const fn float(name: &'static str, itemsize: usize, exponent: u32, mantissa: u32, bias: i32, special: Special) -> Named {
    Named { name, itemsize, alignment: itemsize, form: Form::Float(MiniFloat { exponent, mantissa, bias, special }) }
}

const fn complex(name: &'static str, part: MiniFloat) -> Named {
    Named { name, itemsize: 4, alignment: 2, form: Form::Complex(part) }
}

const fn small(name: &'static str, form: Form) -> Named {
    Named { name, itemsize: 1, alignment: 1, form }
}

static NAMED: [Named; 20] = [
    float("bfloat16", 2, 8, 7, 127, Special::Ieee),
    float("float8_e3m4", 1, 3, 4, 3, Special::Ieee),
    float("float8_e4m3", 1, 4, 3, 7, Special::Ieee),
    float("float8_e4m3b11fnuz", 1, 4, 3, 11, Special::NegativeZeroIsNan),
    float("float8_e4m3fn", 1, 4, 3, 7, Special::AllOnesIsNan),
    float("float8_e4m3fnuz", 1, 4, 3, 8, Special::NegativeZeroIsNan),
    float("float8_e5m2", 1, 5, 2, 15, Special::Ieee),
    float("float8_e5m2fnuz", 1, 5, 2, 16, Special::NegativeZeroIsNan),
    float("float8_e8m0fnu", 1, 8, 0, 127, Special::PowerOfTwo),
    float("float6_e2m3fn", 1, 2, 3, 1, Special::Finite),
    float("float6_e3m2fn", 1, 3, 2, 3, Special::Finite),
    float("float4_e2m1fn", 1, 2, 1, 1, Special::Finite),
    complex("complex32", MiniFloat::HALF),
    complex("bcomplex32", MiniFloat { exponent: 8, mantissa: 7, bias: 127, special: Special::Ieee }),
    small("int1", Form::Int { bits: 1 }),
    small("int2", Form::Int { bits: 2 }),
    small("int4", Form::Int { bits: 4 }),
    small("uint1", Form::UInt { bits: 1 }),
    small("uint2", Form::UInt { bits: 2 }),
    small("uint4", Form::UInt { bits: 4 }),
];

/// The named dtype called `name`.
pub(super) fn find(name: &str) -> Option<&'static Named> {
    NAMED.iter().find(|named| named.name == name)
}
