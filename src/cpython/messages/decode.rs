//! Message to Python object, without recursion: values wait on a stack until their container is complete.

use super::pickled;
use crate::channel::{DecodeError, Decoder, MAX_DEPTH, Message, Token};
use crate::cpython::numpy_api;
use crate::cpython::safe::{Attached, Owned, PyResult, Raised};
use crate::cpython::state::State;
use crate::cpython::types::{array, ends};

/// The object that a message stands for. Errors with what unpickling raises, where it was pickled.
pub(in crate::cpython) fn decode(py: Attached<'_>, state: &State, mut message: Message) -> PyResult<Owned> {
    let mut decoder = message.decoder();
    let mut values = Vec::new();
    let mut open: Vec<Container> = Vec::new();
    let value = loop {
        let at = decoder.position();
        let token = decoder.next().map_err(|error| malformed(py, error))?;
        let container = match token {
            Token::Tuple(len) => Some((Kind::Tuple, len)),
            Token::List(len) => Some((Kind::List, len)),
            Token::Dict(len) => Some((Kind::Dict, len * 2)),
            token => {
                let value = leaf(py, state, &mut decoder, token)?;
                if open.is_empty() {
                    // The most common message: it is all there is.
                    break value;
                }
                values.push(value);
                None
            }
        };
        if let Some((kind, len)) = container {
            if open.len() == MAX_DEPTH {
                return Err(malformed(py, DecodeError::TooDeep { limit: MAX_DEPTH, at }));
            }
            open.push(Container { kind, start: values.len(), end: values.len() + len });
        }
        while let Some(container) = open.pop_if(|container| container.end == values.len()) {
            let whole = container.build(py, values.drain(container.start..))?;
            values.push(whole);
        }
        if open.is_empty()
            && let Some(value) = values.pop()
        {
            break value;
        }
    };
    decoder.finish().map_err(|error| malformed(py, error))?;
    Ok(value)
}

#[derive(Clone, Copy)]
enum Kind {
    Tuple,
    List,
    /// Keys and values in turn.
    Dict,
}

/// A container whose items are on the stack from `start` on, and complete when that reaches `end`.
struct Container {
    kind: Kind,
    start: usize,
    end: usize,
}

impl Container {
    fn build(&self, py: Attached<'_>, mut items: std::vec::Drain<'_, Owned>) -> PyResult<Owned> {
        match self.kind {
            Kind::Tuple => Owned::tuple(py, items),
            Kind::List => Owned::list(py, items),
            Kind::Dict => {
                let dict = Owned::dict(py)?;
                while let (Some(key), Some(value)) = (items.next(), items.next()) {
                    dict.get().set_item(py, key.get(), value.get())?;
                }
                Ok(dict)
            }
        }
    }
}

/// A value that is no container.
fn leaf(py: Attached<'_>, state: &State, decoder: &mut Decoder<'_>, token: Token<'_>) -> PyResult<Owned> {
    match token {
        Token::None => Ok(Owned::none(py)),
        Token::Bool(value) => Ok(Owned::bool(py, value)),
        Token::Int(value) => Owned::int(py, value),
        Token::BigInt(bytes) => Owned::big_int(py, bytes),
        Token::Float(value) => Owned::float(py, value),
        Token::Complex(real, imaginary) => Owned::complex(py, real, imaginary),
        Token::Str(text) => Owned::text(py, text),
        Token::Surrogates(text) => Owned::surrogates(py, text),
        Token::Bytes(bytes) => Owned::bytes(py, bytes),
        Token::Pickle { stream, attachments } => {
            let attached = (0..attachments).map(|_| {
                let token = decoder.next_attachment().map_err(|error| malformed(py, error))?;
                attachment(py, state, token)
            });
            pickled::decode(py, state, stream, attached.collect::<PyResult<Vec<_>>>()?)
        }
        token => attachment(py, state, token),
    }
}

/// An array or channel end.
fn attachment(py: Attached<'_>, state: &State, token: Token<'_>) -> PyResult<Owned> {
    match token {
        Token::Array(array) => array::wrap(py, state, array),
        // Asking first is cheaper than catching an ImportError for each message.
        Token::NdArray(array) if !numpy_api::is_available(py, state) => array::wrap_for_ndarray(py, state, array),
        Token::NdArray(array) => {
            let array = array::wrap_for_ndarray(py, state, array)?;
            match array::cast(py, state, array.get()).map(|array| array::numpy(array, py)) {
                Some(Ok(ndarray)) => Ok(ndarray),
                // A package that the dtype needs is missing.
                Some(Err(raised)) if raised.is_import_error(py) => {
                    drop(raised.take(py));
                    Ok(array)
                }
                Some(Err(raised)) => Err(raised),
                None => Ok(array),
            }
        }
        Token::Sender(sender) => ends::wrap(py, state, sender),
        Token::Receiver(receiver) => ends::wrap(py, state, receiver),
        other => Err(Raised::runtime_error(py, &format!("crossbuf has a bug, please report it: {other:?} is no attachment"))),
    }
}

fn malformed(py: Attached<'_>, error: DecodeError) -> Raised {
    Raised::value_error(py, &error.to_string())
}
