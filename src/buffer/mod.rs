//! Memory with a shape: a `Draft` being filled, an `Array` for all to read.
//!
//! ```text
//! Draft --freeze--> Array --last drop--> free block (generation + 1)
//! ```

mod array;
mod copy;
mod draft;
mod element;

pub use array::Array;
pub use draft::Draft;
pub use element::Element;
