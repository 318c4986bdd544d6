//! Packets of any content: refused, or read as they are; and said to this process by another one, they leave nothing behind.
#![no_main]

use crossbuf::process::fuzz::{Step, conversation, packet};
use libfuzzer_sys::fuzz_target;

type Raw = ((u8, u8, u8, u8), u8, Vec<u8>);

fuzz_target!(|input: (Vec<u8>, Vec<Raw>)| {
    let (bytes, steps) = input;
    packet(&bytes);
    let steps: Vec<Step> = steps.into_iter().map(|(header, shape, rest)| Step { header, shape, rest }).collect();
    conversation(&steps);
});
