//! Messages of any bytes: an error, or a value that is written and read again the same.
#![no_main]

use crossbuf::channel::{Message, Value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|head: &[u8]| {
    // One end lies beside the bytes, for tokens that name one.
    let (sender, _receiver) = crossbuf::channel(Some(1));
    if let Ok(value) = Message::from_raw(head, Message::from(Value::from(sender))).value() {
        let again = Message::from(value).value();
        assert!(again.is_ok(), "{again:?}");
    }
});
