//! A position in a text being parsed, and errors that name it.

use crate::error::{Error, Result};

/// Reads a text from left to right. The position is always on a character boundary.
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Cursor<'a> {
        Cursor { text, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Reads `token` if it comes next.
    pub(super) fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    pub(super) fn expect(&mut self, token: &str) -> Result<()> {
        if self.eat(token) { Ok(()) } else { Err(self.error(format!("expected {token:?}"))) }
    }

    /// The longest run of characters that `accept` takes, perhaps none.
    pub(super) fn word(&mut self, accept: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let word = &rest[..rest.find(|c| !accept(c)).unwrap_or(rest.len())];
        self.at += word.len();
        word
    }

    /// Everything up to `end`, which is read too.
    pub(super) fn until(&mut self, end: char) -> Result<&'a str> {
        let Some(length) = self.rest().find(end) else {
            return Err(self.error(format!("expected {end:?} somewhere after this")));
        };
        let word = &self.rest()[..length];
        self.at += length + end.len_utf8();
        Ok(word)
    }

    /// A decimal number, if a digit comes next.
    pub(super) fn number(&mut self) -> Result<Option<usize>> {
        let start = self.at;
        match self.word(|c| c.is_ascii_digit()) {
            "" => Ok(None),
            digits => match digits.parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(self.error_at(start, format!("{digits} is too large"))),
            },
        }
    }

    /// A decimal number; `what` names it.
    pub(super) fn required_number(&mut self, what: &str) -> Result<usize> {
        self.number()?.ok_or_else(|| self.error(format!("expected {what}, a number")))
    }

    pub(super) fn error(&self, reason: impl Into<String>) -> Error {
        self.error_at(self.at, reason)
    }

    pub(super) fn error_at(&self, at: usize, reason: impl Into<String>) -> Error {
        Error::BadDType { text: self.text.into(), at, reason: reason.into() }
    }
}
