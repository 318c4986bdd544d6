//! Reads tokens. Nothing is believed: a length is compared with what is left before anything is taken or made for it, so
//! arbitrary bytes give an error and never a panic or a large allocation.

use crate::Array;

use super::error::DecodeError;
use super::message::{Attachment, Attachments};
use super::token::{self, Token, unfold};

/// A message being read. Tokens borrow its bytes; attachments are given out for good.
#[derive(Debug)]
pub(crate) struct Decoder<'m> {
    head: &'m [u8],
    /// What was read of it.
    at: usize,
    attachments: smallvec::IntoIter<[Attachment; 1]>,
}

impl<'m> Decoder<'m> {
    pub(super) fn new(head: &'m [u8], attachments: Attachments) -> Decoder<'m> {
        Decoder { head, at: 0, attachments: attachments.into_iter() }
    }

    /// The place of the next token.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// The next token. A container's items are the tokens after it; how deep they may lie is for the reader to say.
    pub(crate) fn next(&mut self) -> Result<Token<'m>, DecodeError> {
        let at = self.at;
        let [kind] = self.fixed(at)?;
        Ok(match kind {
            token::NONE => Token::None,
            token::FALSE => Token::Bool(false),
            token::TRUE => Token::Bool(true),
            token::INT => Token::Int(unfold(self.number(at)?)),
            token::BIG_INT => Token::BigInt(self.run(at)?),
            token::FLOAT => Token::Float(self.float(at)?),
            token::COMPLEX => Token::Complex(self.float(at)?, self.float(at)?),
            token::STR => Token::Str(std::str::from_utf8(self.run(at)?).map_err(|_| DecodeError::BadText { at })?),
            token::SURROGATES => {
                let text = self.run(at)?;
                if !is_text_with_surrogates(text) {
                    return Err(DecodeError::BadText { at });
                }
                Token::Surrogates(text)
            }
            token::BYTES => Token::Bytes(self.run(at)?),
            token::TUPLE => Token::Tuple(self.count(at, 1)?),
            token::LIST => Token::List(self.count(at, 1)?),
            token::DICT => Token::Dict(self.count(at, 2)?),
            token::ARRAY => Token::Array(self.array(at)?),
            token::NDARRAY => Token::NdArray(self.array(at)?),
            token::SENDER => match self.attachments.next() {
                Some(Attachment::Sender(sender)) => Token::Sender(sender),
                _ => return Err(DecodeError::BadAttachment { at }),
            },
            token::RECEIVER => match self.attachments.next() {
                Some(Attachment::Receiver(receiver)) => Token::Receiver(receiver),
                _ => return Err(DecodeError::BadAttachment { at }),
            },
            token::PICKLE => Token::Pickle { stream: self.run(at)?, attachments: self.count(at, 1)? },
            kind => return Err(DecodeError::UnknownKind { kind, at }),
        })
    }

    /// One of the attachments that follow a pickle.
    pub(crate) fn next_attachment(&mut self) -> Result<Token<'m>, DecodeError> {
        let at = self.at;
        match self.next()? {
            token @ (Token::Array(_) | Token::NdArray(_) | Token::Sender(_) | Token::Receiver(_)) => Ok(token),
            _ => Err(DecodeError::BadAttachment { at }),
        }
    }

    /// Checks that nothing is left.
    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        match (self.left(), self.attachments.len()) {
            (0, 0) => Ok(()),
            (bytes, attachments) => Err(DecodeError::Trailing { bytes, attachments }),
        }
    }

    fn left(&self) -> usize {
        self.head.len() - self.at
    }

    fn fixed<const N: usize>(&mut self, at: usize) -> Result<[u8; N], DecodeError> {
        let bytes = *self.head[self.at..].first_chunk().ok_or(DecodeError::Truncated { at })?;
        self.at += N;
        Ok(bytes)
    }

    fn float(&mut self, at: usize) -> Result<f64, DecodeError> {
        self.fixed(at).map(f64::from_le_bytes)
    }

    /// Only the shortest form is taken, so that equal messages have equal bytes.
    fn number(&mut self, at: usize) -> Result<u64, DecodeError> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let [byte] = self.fixed(at)?;
            let bits = u64::from(byte & 0x7f);
            let shifted = bits << shift;
            let cut = shifted >> shift != bits;
            let padded = byte == 0 && shift > 0;
            if cut || padded {
                return Err(DecodeError::BadNumber { at });
            }
            number |= shifted;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(DecodeError::BadNumber { at })
    }

    fn run(&mut self, at: usize) -> Result<&'m [u8], DecodeError> {
        let len = self.number(at)?;
        let rest = &self.head[self.at..];
        let run = usize::try_from(len).ok().and_then(|len| rest.get(..len)).ok_or(DecodeError::Truncated { at })?;
        self.at += run.len();
        Ok(run)
    }

    /// How many items follow: each takes at least a byte for each of its `parts`.
    fn count(&mut self, at: usize, parts: usize) -> Result<usize, DecodeError> {
        let count = self.number(at)?;
        let left = self.left();
        usize::try_from(count).ok().filter(|&count| count <= left / parts).ok_or(DecodeError::BadCount { count, left, at })
    }

    fn array(&mut self, at: usize) -> Result<Array, DecodeError> {
        match self.attachments.next() {
            Some(Attachment::Array(array)) => Ok(array),
            _ => Err(DecodeError::BadAttachment { at }),
        }
    }
}

/// UTF-8, apart from surrogates (U+D800 to U+DFFF), which may stand in the three bytes that UTF-8 denies them.
fn is_text_with_surrogates(mut text: &[u8]) -> bool {
    while let Err(error) = std::str::from_utf8(text) {
        match text[error.valid_up_to()..] {
            [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..] => text = &text[error.valid_up_to() + 3..],
            _ => return false,
        }
    }
    true
}
