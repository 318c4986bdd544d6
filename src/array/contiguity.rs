//! Whether elements lie without gaps, as NumPy defines it: axes of length 1 have no neighbours, so their strides do not matter, and an array without
//! elements is contiguous in every order.

/// Elements lie in C order without gaps.
pub(super) fn is_c_contiguous(shape: &[usize], strides: &[isize], itemsize: usize) -> bool {
    is_gapless(shape.iter().zip(strides).rev(), itemsize) || shape.contains(&0)
}

/// Elements lie in Fortran order without gaps.
pub(super) fn is_f_contiguous(shape: &[usize], strides: &[isize], itemsize: usize) -> bool {
    is_gapless(shape.iter().zip(strides), itemsize) || shape.contains(&0)
}

/// `axes` from the fastest to the slowest.
fn is_gapless<'a>(axes: impl Iterator<Item = (&'a usize, &'a isize)>, itemsize: usize) -> bool {
    let mut expected = itemsize as isize;
    for (&length, &stride) in axes.filter(|&(&length, _)| length != 1) {
        if stride != expected {
            return false;
        }
        // A length of 0 makes this meaningless, and the caller's answer true.
        expected = expected.wrapping_mul(length as isize);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contiguity_is_numpys() {
        let check = |shape: &[usize], strides: &[isize], c: bool, f: bool| {
            assert_eq!((is_c_contiguous(shape, strides, 8), is_f_contiguous(shape, strides, 8)), (c, f), "{shape:?} {strides:?}");
        };
        check(&[], &[], true, true);
        check(&[3], &[8], true, true);
        check(&[3], &[16], false, false);
        check(&[3], &[-8], false, false);
        check(&[2, 3], &[24, 8], true, false);
        check(&[2, 3], &[8, 16], false, true);
        check(&[2, 1, 3], &[24, 999, 8], true, false);
        check(&[1], &[0], true, true);
        check(&[5, 0, 7], &[1, 2, 3], true, true);
    }
}
