//! Floats that Rust has no type for, read as `f64`: half, the small floats of machine learning, long double.

use super::dtype::ByteOrder;

/// What the unusual bit patterns of a small float mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Special {
    /// The highest exponent means infinity or NaN.
    Ieee,
    /// No infinity; all ones is NaN (`fn`).
    AllOnesIsNan,
    /// No infinity and no negative zero; its pattern is the only NaN (`fnuz`).
    NegativeZeroIsNan,
    /// Every pattern is a finite number.
    Finite,
    /// No sign, no zero: the exponent alone, with all ones for NaN (`e8m0fnu`).
    PowerOfTwo,
}

/// A float of a sign, `exponent` bits and `mantissa` bits, in the low bits of its storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MiniFloat {
    pub exponent: u32,
    pub mantissa: u32,
    pub bias: i32,
    pub special: Special,
}

impl MiniFloat {
    /// IEEE binary16.
    pub(super) const HALF: MiniFloat = MiniFloat { exponent: 5, mantissa: 10, bias: 15, special: Special::Ieee };

    /// The value of a bit pattern. Every one of these formats is a subset of `f64`, so nothing is rounded.
    pub(super) fn decode(self, bits: u64) -> f64 {
        let ones = |n: u32| (1u64 << n) - 1;
        let fraction = bits & ones(self.mantissa);
        let exponent = (bits >> self.mantissa) & ones(self.exponent);
        let top = exponent == ones(self.exponent);
        if self.special == Special::PowerOfTwo {
            return if top { f64::NAN } else { rounded(false, 1, exponent as i32 - self.bias) };
        }
        // Of formats below one byte, ml_dtypes takes any bit above the exponent for the sign.
        let negative = bits >> (self.mantissa + self.exponent) != 0;
        match self.special {
            Special::Ieee if top && fraction == 0 => return if negative { f64::NEG_INFINITY } else { f64::INFINITY },
            Special::Ieee if top => return f64::NAN,
            Special::AllOnesIsNan if top && fraction == ones(self.mantissa) => return f64::NAN,
            Special::NegativeZeroIsNan if negative && exponent == 0 && fraction == 0 => return f64::NAN,
            _ => {}
        }
        let unit = 1 - self.bias - self.mantissa as i32;
        match exponent {
            0 => rounded(negative, fraction, unit),
            _ => rounded(negative, fraction | (1 << self.mantissa), unit + exponent as i32 - 1),
        }
    }
}

/// The `f64` nearest to the platform's long double in `bytes`: x87 extended on x86-64, IEEE binary128 elsewhere.
pub(super) fn long_double(bytes: [u8; 16], order: ByteOrder) -> f64 {
    let bits = match order {
        ByteOrder::Little => u128::from_le_bytes(bytes),
        ByteOrder::Big => u128::from_be_bytes(bytes),
    };
    if cfg!(target_arch = "x86_64") { x87(bits) } else { binary128(bits) }
}

/// 80 bits: sign, 15 of exponent, 64 of mantissa with its leading one written out; the rest is padding.
fn x87(bits: u128) -> f64 {
    let mantissa = bits as u64;
    let exponent = (bits >> 64) as i32 & 0x7fff;
    let negative = (bits >> 79) & 1 == 1;
    match exponent {
        0x7fff => not_finite(negative, mantissa == 1 << 63),
        // Without its leading one no number has such an exponent: the hardware takes it for NaN.
        1.. if mantissa >> 63 == 0 => f64::NAN,
        // Numbers below the normal ones have the exponent of the smallest normal one.
        _ => rounded(negative, mantissa, exponent.max(1) - 16383 - 63),
    }
}

/// 128 bits: sign, 15 of exponent, 112 of mantissa with a hidden leading one.
fn binary128(bits: u128) -> f64 {
    let fraction = bits & ((1 << 112) - 1);
    let exponent = (bits >> 112) as i32 & 0x7fff;
    let negative = bits >> 127 == 1;
    if exponent == 0x7fff {
        return not_finite(negative, fraction == 0);
    }
    let mantissa = if exponent == 0 { fraction } else { fraction | (1 << 112) };
    // What falls off the 64 kept bits only matters as "more than nothing", so one sticky bit stands for it.
    let sticky = u64::from(mantissa & ((1 << 49) - 1) != 0);
    rounded(negative, (mantissa >> 49) as u64 | sticky, exponent.max(1) - 16383 - 112 + 49)
}

fn not_finite(negative: bool, infinite: bool) -> f64 {
    match (infinite, negative) {
        (true, false) => f64::INFINITY,
        (true, true) => f64::NEG_INFINITY,
        (false, _) => f64::NAN,
    }
}

/// The `f64` nearest to `mantissa * 2^exponent`, ties to even, rounded once even where the result is subnormal.
fn rounded(negative: bool, mantissa: u64, exponent: i32) -> f64 {
    let sign = if negative { -1.0 } else { 1.0 };
    if mantissa == 0 {
        return sign * 0.0;
    }
    let bits = 64 - mantissa.leading_zeros() as i32;
    let leading = exponent + bits - 1;
    if leading > 1023 {
        return sign * f64::INFINITY;
    }
    let kept = if leading >= -1022 { 53 } else { 53 - (-1022 - leading) };
    let drop = (bits - kept).max(0);
    let mantissa = match drop {
        0 => mantissa,
        // Less than half of the smallest number, or exactly half of it: 0 is nearer, or even.
        65.. => return sign * 0.0,
        _ => {
            let wide = u128::from(mantissa);
            let half = 1u128 << (drop - 1);
            let below = wide & (2 * half - 1);
            let floor = (wide >> drop) as u64;
            floor + u64::from(below > half || (below == half && floor & 1 == 1))
        }
    };
    // At most 53 bits are left, so neither the conversion nor the multiplication rounds again.
    sign * mantissa as f64 * power_of_two(exponent + drop)
}

/// `2^exponent` for exponents that `f64` has.
fn power_of_two(exponent: i32) -> f64 {
    match exponent {
        -1022.. => f64::from_bits(((exponent + 1023) as u64) << 52),
        _ => f64::from_bits(1 << (exponent + 1074)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_reads_normal_subnormal_and_special_patterns() {
        let read = |bits| MiniFloat::HALF.decode(bits);
        assert_eq!(read(0x3c00), 1.0);
        assert_eq!(read(0xc000), -2.0);
        assert_eq!(read(0x7bff), 65504.0);
        assert_eq!(read(0x0001), 2f64.powi(-24));
        assert_eq!(read(0xfc00), f64::NEG_INFINITY);
        assert!(read(0x8000).is_sign_negative() && read(0x8000) == 0.0);
        assert!(read(0x7e00).is_nan());
    }

    /// `f32` is a `MiniFloat` like any other, and the standard library knows its values.
    #[test]
    fn any_small_float_decodes_as_the_hardware_does_for_f32() {
        let single = MiniFloat { exponent: 8, mantissa: 23, bias: 127, special: Special::Ieee };
        for bits in (0..=u32::MAX).step_by(65_521) {
            let (ours, theirs) = (single.decode(u64::from(bits)), f64::from(f32::from_bits(bits)));
            assert!(ours.to_bits() == theirs.to_bits() || (ours.is_nan() && theirs.is_nan()), "{bits:#x}");
        }
    }

    #[test]
    fn x87_numbers_round_once_to_the_nearest_double() {
        let number = |exponent: u128, mantissa: u64| x87(exponent << 64 | u128::from(mantissa));
        assert_eq!(number(16383, 1 << 63), 1.0);
        assert_eq!(number(0x8000 | 16384, 3 << 62), -3.0);
        assert_eq!(number(0x7fff, 1 << 63), f64::INFINITY);
        assert!(number(0x7fff, 3 << 62).is_nan());
        assert!(number(0x7fff, 0).is_nan() && number(16383, 1 << 62).is_nan());
        // One half of the last place is a tie, and goes to even; anything more goes up.
        assert_eq!(number(16383, 1 << 63 | 1 << 10), 1.0);
        assert_eq!(number(16383, 1 << 63 | 1 << 10 | 1), 1.0 + f64::EPSILON);
        assert_eq!(number(16383, 1 << 63 | 3 << 10), 1.0 + 2.0 * f64::EPSILON);
        assert_eq!(number(0x7ffe, u64::MAX), f64::INFINITY);
        // The smallest subnormal double, half of it (a tie with zero), and a little more than half.
        assert_eq!(number(16383 - 1074, 1 << 63), f64::from_bits(1));
        assert_eq!(number(16383 - 1075, 1 << 63), 0.0);
        assert_eq!(number(16383 - 1075, 1 << 63 | 1), f64::from_bits(1));
        assert_eq!(number(1, 1 << 63), 0.0);
    }

    #[test]
    fn quadruple_numbers_round_once_to_the_nearest_double() {
        let one = 16383u128 << 112;
        assert_eq!(binary128(one), 1.0);
        assert_eq!(binary128(1 << 127 | one | 1 << 111), -1.5);
        assert_eq!(binary128(one | 1 << 59), 1.0);
        assert_eq!(binary128(one | 1 << 59 | 1), 1.0 + f64::EPSILON);
        assert_eq!(binary128(0x7fff << 112), f64::INFINITY);
        assert!(binary128(0x7fff << 112 | 1).is_nan());
        assert_eq!(binary128(1), 0.0);
    }
}
