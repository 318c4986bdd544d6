//! Walks values to tokens and back, with stacks of its own instead of recursion.

use super::decode::Decoder;
use super::encode::Encoder;
use super::error::DecodeError;
use super::token::Token;
use super::value::{MAX_DEPTH, Value};

/// A container may claim any length; room for more than this is made only as its items appear.
const TRUSTED: usize = 16;

pub(super) fn write(value: Value, out: &mut Encoder) {
    // What is still to be written, last first. It stays empty, and off the heap, for a value without items.
    let mut rest = Vec::new();
    let mut next = Some(value);
    while let Some(value) = next {
        match value {
            Value::None => out.none(),
            Value::Bool(value) => out.bool(value),
            Value::Int(value) => out.int(value),
            Value::BigInt(bytes) => out.big_int(&bytes),
            Value::Float(value) => out.float(value),
            Value::Complex(real, imaginary) => out.complex(real, imaginary),
            Value::Str(text) => out.str(&text),
            Value::Surrogates(text) => out.surrogates(&text),
            Value::Bytes(bytes) => out.bytes(&bytes),
            Value::Array(array) => out.array(array),
            Value::NdArray(array) => out.ndarray(array),
            Value::Sender(sender) => out.sender(sender),
            Value::Receiver(receiver) => out.receiver(receiver),
            Value::Tuple(items) => {
                out.tuple(items.len());
                rest.extend(items.into_iter().rev());
            }
            Value::List(items) => {
                out.list(items.len());
                rest.extend(items.into_iter().rev());
            }
            Value::Dict(pairs) => {
                out.dict(pairs.len());
                rest.extend(pairs.into_iter().rev().flat_map(|(key, value)| [value, key]));
            }
            Value::Pickle { stream, attachments } => {
                out.pickle(&stream, attachments.len());
                rest.extend(attachments.into_iter().rev());
            }
        }
        next = rest.pop();
    }
}

/// A container of which items are still missing.
struct Open<'m> {
    kind: Kind<'m>,
    items: Vec<Value>,
    missing: usize,
}

enum Kind<'m> {
    Tuple,
    List,
    /// Keys and values in turn.
    Dict,
    Pickle(&'m [u8]),
}

impl<'m> Open<'m> {
    fn new(kind: Kind<'m>, len: usize) -> Open<'m> {
        Open { kind, items: Vec::with_capacity(len.min(TRUSTED)), missing: len }
    }

    fn close(self) -> Value {
        match self.kind {
            Kind::Tuple => Value::Tuple(self.items),
            Kind::List => Value::List(self.items),
            Kind::Dict => {
                let mut items = self.items.into_iter();
                Value::Dict(std::iter::from_fn(|| items.next().zip(items.next())).collect())
            }
            Kind::Pickle(stream) => Value::Pickle { stream: stream.to_vec(), attachments: self.items },
        }
    }
}

pub(super) fn read(decoder: &mut Decoder<'_>) -> Result<Value, DecodeError> {
    let mut open: Vec<Open<'_>> = Vec::new();
    loop {
        let at = decoder.position();
        let token = match open.last() {
            Some(Open { kind: Kind::Pickle(_), .. }) => decoder.next_attachment()?,
            _ => decoder.next()?,
        };
        let mut done = match token {
            Token::None => Value::None,
            Token::Bool(value) => Value::Bool(value),
            Token::Int(value) => Value::Int(value),
            Token::BigInt(bytes) => Value::BigInt(bytes.to_vec()),
            Token::Float(value) => Value::Float(value),
            Token::Complex(real, imaginary) => Value::Complex(real, imaginary),
            Token::Str(text) => Value::Str(text.to_owned()),
            Token::Surrogates(text) => Value::Surrogates(text.to_vec()),
            Token::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
            Token::Array(array) => Value::Array(array),
            Token::NdArray(array) => Value::NdArray(array),
            Token::Sender(sender) => Value::Sender(sender),
            Token::Receiver(receiver) => Value::Receiver(receiver),
            Token::Tuple(len) => match begin(&mut open, Open::new(Kind::Tuple, len), at)? {
                Some(empty) => empty,
                None => continue,
            },
            Token::List(len) => match begin(&mut open, Open::new(Kind::List, len), at)? {
                Some(empty) => empty,
                None => continue,
            },
            Token::Dict(len) => match begin(&mut open, Open::new(Kind::Dict, 2 * len), at)? {
                Some(empty) => empty,
                None => continue,
            },
            Token::Pickle { stream, attachments } => match begin(&mut open, Open::new(Kind::Pickle(stream), attachments), at)? {
                Some(empty) => empty,
                None => continue,
            },
        };
        // A finished value may be the last item of its container, and so on outwards.
        loop {
            let Some(innermost) = open.last_mut() else { return Ok(done) };
            innermost.items.push(done);
            innermost.missing -= 1;
            match open.pop_if(|innermost| innermost.missing == 0) {
                Some(full) => done = full.close(),
                None => break,
            }
        }
    }
}

/// Opens a container; one without items is finished at once.
fn begin<'m>(open: &mut Vec<Open<'m>>, container: Open<'m>, at: usize) -> Result<Option<Value>, DecodeError> {
    if open.len() == MAX_DEPTH {
        return Err(DecodeError::TooDeep { limit: MAX_DEPTH, at });
    }
    if container.missing == 0 {
        return Ok(Some(container.close()));
    }
    open.push(container);
    Ok(None)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn claims_make_no_room() {
        assert!(Open::new(Kind::List, usize::MAX).items.capacity() <= TRUSTED);
    }
}
