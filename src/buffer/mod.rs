//! Memory with a shape: a `Draft` being filled, an `Array` for all to read.
//!
//! ```text
//! Draft --freeze--> Array --last drop--> free block (generation + 1)
//! ```

mod array;
mod copy;
mod draft;
mod element;

/// Copies from this many bytes on let the interpreter's other threads run; for a shorter one that costs more than the copy.
#[cfg(any(feature = "cpython", feature = "numpy"))]
pub(crate) const LONG_COPY: usize = 64 << 10;

pub use array::Array;
pub use draft::Draft;
pub use element::Element;
