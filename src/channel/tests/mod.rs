//! Tests of what only this crate can reach: supervised waits and the bytes of messages.

mod bytes;
mod supervised;
