//! Rust types that can stand for elements.

use crate::array::{ByteOrder, DType, Kind};
use crate::error::{Error, Result};

/// A Rust type with the bits and the meaning of a dtype, in this machine's byte order.
///
/// Implemented for `u8` to `u64`, `i8` to `i64`, `f32` and `f64`. Arrays of other dtypes are read through
/// [`Array::bytes`](crate::Array::bytes).
pub trait Element: bytemuck::Pod {
    /// What the dtype must be.
    const KIND: Kind;

    /// The dtype whose elements are of this type.
    fn dtype() -> DType;

    /// # Errors
    /// [`Error::BadLayout`] unless elements of `dtype` are of this type.
    fn check(dtype: &DType) -> Result<()> {
        if *dtype.kind() == Self::KIND && dtype.itemsize() == size_of::<Self>() && dtype.is_native() {
            return Ok(());
        }
        Err(Error::BadLayout {
            reason: format!("elements are {dtype}, not {}; ask for the type that fits or read the bytes", std::any::type_name::<Self>()),
        })
    }
}

macro_rules! elements {
    ($($kind:ident $make:ident: $($type:ty)*),*) => {
        $($(impl Element for $type {
            const KIND: Kind = Kind::$kind;

            fn dtype() -> DType {
                DType::$make(size_of::<$type>(), ByteOrder::NATIVE).expect("a size that the kind has")
            }
        })*)*
    };
}
elements!(UInt uint: u8 u16 u32 u64, Int int: i8 i16 i32 i64, Float float: f32 f64);
