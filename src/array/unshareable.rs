//! Why some dtypes cannot lie in shared memory, and what to do instead.

use crate::error::Error;

fn refuse(dtype: &str, reason: &str) -> Error {
    Error::NotShareable { dtype: dtype.into(), reason: reason.into() }
}

/// NumPy's `object`.
pub(super) fn object(dtype: &str) -> Error {
    refuse(
        dtype,
        "its elements are pointers to Python objects of one interpreter; convert the array to a number, S or U dtype, \
         or send `array.tolist()` in a message",
    )
}

/// NumPy's `StringDType`.
pub(super) fn strings(dtype: &str) -> Error {
    refuse(
        dtype,
        "its strings lie in memory that belongs to one interpreter; convert the array with `array.astype('U')` or `array.astype('S')`, \
         or send `array.tolist()` in a message",
    )
}

/// Pointers of any kind.
pub(super) fn pointer(dtype: &str) -> Error {
    refuse(dtype, "its elements are pointers, and what they point to would not travel with them; copy the data into arrays and share those")
}

/// PEP 3118's `u`.
pub(super) fn ucs2(format: &str) -> Error {
    refuse(format, "u means UCS-2 text, for which NumPy has no dtype; export it as UCS-4 (w), or as integers (H)")
}
