//! Values as Rust programs see them.

use crate::Array;

use super::receiver::Receiver;
use super::sender::Sender;

/// How deep containers may lie within each other.
pub const MAX_DEPTH: usize = 500;

/// A value of a message: what Python has natively, and what crossbuf adds.
///
/// ```
/// use crossbuf::channel::Value;
///
/// let frame = Value::from(vec![
///     ("name".into(), "left".into()),
///     ("times".into(), Value::Tuple(vec![0.5.into(), 0.75.into()])),
/// ]);
/// let (sender, receiver) = crossbuf::channel(None);
/// sender.send(frame)?;
/// let Value::Dict(pairs) = receiver.recv()?.value()? else { panic!("a dict was sent") };
/// assert_eq!(pairs[0].1.as_str(), Some("left"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Sending takes a value apart without recursion, however deep it is, but a receiver refuses one deeper than [`MAX_DEPTH`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Value {
    /// Python's `None`.
    #[default]
    None,
    /// `bool`.
    Bool(bool),
    /// An `int` that fits.
    Int(i64),
    /// A larger `int`: two's complement, low bytes first.
    BigInt(Vec<u8>),
    /// `float`.
    Float(f64),
    /// `complex`: the real and the imaginary part.
    Complex(f64, f64),
    /// `str`.
    Str(String),
    /// A `str` with lone surrogates, in UTF-8 with three bytes for each of those (Python's `surrogatepass`).
    Surrogates(Vec<u8>),
    /// `bytes`.
    Bytes(Vec<u8>),
    /// `tuple`.
    Tuple(Vec<Value>),
    /// `list`.
    List(Vec<Value>),
    /// `dict`, in its order.
    Dict(Vec<(Value, Value)>),
    /// An array; Python gets a `crossbuf.Array`.
    Array(Array),
    /// An array; Python gets an `ndarray` where NumPy can be imported.
    NdArray(Array),
    /// A channel's sending end.
    Sender(Sender),
    /// A channel's receiving end.
    Receiver(Receiver),
    /// A pickled Python object.
    Pickle {
        /// The pickle, of protocol 5.
        stream: Vec<u8>,
        /// Its out-of-band buffers: arrays and channel ends, nothing else.
        attachments: Vec<Value>,
    },
}

impl Value {
    /// The number, if it is an `Int`.
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Value::Int(value) => Some(value),
            _ => None,
        }
    }

    /// The number, if it is a `Float`.
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Value::Float(value) => Some(value),
            _ => None,
        }
    }

    /// The text, if it is a `Str`.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes, if it is `Bytes`.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The array, whichever way it is to arrive.
    pub fn as_array(&self) -> Option<&Array> {
        match self {
            Value::Array(array) | Value::NdArray(array) => Some(array),
            _ => None,
        }
    }
}

/// Implements `From` for what becomes a variant as it is, or after a conversion without loss.
macro_rules! value_from {
    ($($type:ty => $variant:ident),* $(,)?) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Value {
                Value::$variant(value.into())
            }
        }
    )*};
}
value_from! {
    bool => Bool,
    i8 => Int, i16 => Int, i32 => Int, i64 => Int, u8 => Int, u16 => Int, u32 => Int,
    f32 => Float, f64 => Float,
    &str => Str, String => Str,
    &[u8] => Bytes, Vec<u8> => Bytes,
    Vec<Value> => List, Vec<(Value, Value)> => Dict,
    Array => Array, Sender => Sender, Receiver => Receiver,
}

impl From<()> for Value {
    fn from((): ()) -> Value {
        Value::None
    }
}
