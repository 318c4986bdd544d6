//! Writes tokens. A container's items are written after it by whoever walks the value; nothing here recurses.

use crate::Array;

use super::message::{Attachment, Message};
use super::receiver::Receiver;
use super::sender::Sender;
use super::token::{self, fold};

/// A message in the making.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    message: Message,
}

impl Encoder {
    pub(crate) fn none(&mut self) {
        self.byte(token::NONE);
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.byte(if value { token::TRUE } else { token::FALSE });
    }

    pub(crate) fn int(&mut self, value: i64) {
        self.counted(token::INT, fold(value));
    }

    /// Two's complement, low bytes first.
    pub(crate) fn big_int(&mut self, bytes: &[u8]) {
        self.run(token::BIG_INT, bytes);
    }

    pub(crate) fn float(&mut self, value: f64) {
        self.byte(token::FLOAT);
        self.message.head.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn complex(&mut self, real: f64, imaginary: f64) {
        self.byte(token::COMPLEX);
        self.message.head.extend_from_slice(&real.to_le_bytes());
        self.message.head.extend_from_slice(&imaginary.to_le_bytes());
    }

    pub(crate) fn str(&mut self, text: &str) {
        self.run(token::STR, text.as_bytes());
    }

    /// UTF-8, but lone surrogates are allowed, in three bytes each.
    pub(crate) fn surrogates(&mut self, text: &[u8]) {
        self.run(token::SURROGATES, text);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.run(token::BYTES, bytes);
    }

    /// `len` values follow.
    pub(crate) fn tuple(&mut self, len: usize) {
        self.counted(token::TUPLE, len as u64);
    }

    /// `len` values follow.
    pub(crate) fn list(&mut self, len: usize) {
        self.counted(token::LIST, len as u64);
    }

    /// `len` times a key and its value follow.
    pub(crate) fn dict(&mut self, len: usize) {
        self.counted(token::DICT, len as u64);
    }

    pub(crate) fn array(&mut self, array: Array) {
        self.attach(token::ARRAY, Attachment::Array(array));
    }

    /// Arrives as an ndarray where NumPy can be imported.
    pub(crate) fn ndarray(&mut self, array: Array) {
        self.attach(token::NDARRAY, Attachment::Array(array));
    }

    pub(crate) fn sender(&mut self, sender: Sender) {
        self.attach(token::SENDER, Attachment::Sender(sender));
    }

    pub(crate) fn receiver(&mut self, receiver: Receiver) {
        self.attach(token::RECEIVER, Attachment::Receiver(receiver));
    }

    /// `attachments` arrays or channel ends follow, for the stream's out-of-band buffers.
    pub(crate) fn pickle(&mut self, stream: &[u8], attachments: usize) {
        self.run(token::PICKLE, stream);
        self.number(attachments as u64);
    }

    pub(crate) fn finish(self) -> Message {
        self.message
    }

    fn byte(&mut self, byte: u8) {
        self.message.head.push(byte);
    }

    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.byte(number as u8 | 0x80);
            number >>= 7;
        }
        self.byte(number as u8);
    }

    fn counted(&mut self, kind: u8, number: u64) {
        self.byte(kind);
        self.number(number);
    }

    fn run(&mut self, kind: u8, bytes: &[u8]) {
        self.counted(kind, bytes.len() as u64);
        self.message.head.extend_from_slice(bytes);
    }

    fn attach(&mut self, kind: u8, attachment: Attachment) {
        self.byte(kind);
        attachment.adopt_inherited();
        self.message.attachments.push(attachment);
    }
}
