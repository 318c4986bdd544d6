//! Values to messages and back; arbitrary bytes to errors.

use proptest::prelude::*;

use crate::channel::message::Message;
use crate::channel::{DecodeError, MAX_DEPTH, Sender, Value, channel, token};

fn ends() -> (Sender, crate::Receiver) {
    channel(None)
}

/// A text in which a lone surrogate stands.
fn surrogates() -> impl Strategy<Value = Vec<u8>> {
    (".{0,4}", 0xd800_u32..0xe000, ".{0,4}").prop_map(|(before, surrogate, after)| {
        let unit = [0xed, 0x80 | (surrogate >> 6) as u8 & 0x3f, 0x80 | surrogate as u8 & 0x3f];
        [before.as_bytes(), &unit, after.as_bytes()].concat()
    })
}

fn attachment() -> impl Strategy<Value = Value> {
    prop_oneof![Just(()).prop_map(|()| ends().0.into()), Just(()).prop_map(|()| ends().1.into())]
}

fn value() -> impl Strategy<Value = Value> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..40);
    let leaf = prop_oneof![
        Just(Value::None),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-200_i64..200).prop_map(Value::from),
        bytes().prop_map(Value::BigInt),
        any::<f64>().prop_map(Value::from),
        any::<(f64, f64)>().prop_map(|(real, imaginary)| Value::Complex(real, imaginary)),
        ".{0,30}".prop_map(Value::from),
        surrogates().prop_map(Value::Surrogates),
        bytes().prop_map(Value::Bytes),
        attachment(),
        (bytes(), prop::collection::vec(attachment(), 0..3)).prop_map(|(stream, attachments)| Value::Pickle { stream, attachments }),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        let items = || prop::collection::vec(inner.clone(), 0..6);
        prop_oneof![
            items().prop_map(Value::Tuple),
            items().prop_map(Value::List),
            prop::collection::vec((inner.clone(), inner.clone()), 0..4).prop_map(Value::Dict),
        ]
    })
}

/// Equal values have equal texts: the text names each channel end's channel, and every bit of a number.
fn text(value: &Value) -> String {
    format!("{value:?}")
}

proptest! {
    #[test]
    fn values_come_back(value in value()) {
        let expected = text(&value);
        let message = Message::from(value);
        let head = message.head.clone();
        let back = message.value().unwrap();
        prop_assert_eq!(text(&back), expected);
        prop_assert_eq!(Message::from(back).head, head);
    }

    #[test]
    fn arbitrary_bytes_are_read_or_refused(head in prop::collection::vec(0_u8..20, 0..60), attached in prop::collection::vec(attachment(), 0..4)) {
        read(&head, attached);
    }

    #[test]
    fn altered_messages_are_read_or_refused(value in value(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let message = Message::from(value);
        let mut head = message.head.to_vec();
        let at = at.index(head.len());
        if cut { head.truncate(at) } else { head[at] = byte }
        reread(&head, message);
    }
}

fn read(head: &[u8], attached: Vec<Value>) {
    reread(head, Message::from(Value::List(attached)));
}

/// Whatever is accepted has one form only, so writing it again gives the same bytes.
fn reread(head: &[u8], attached: Message) {
    if let Ok(value) = Message::from_raw(head, attached).value() {
        assert_eq!(Message::from(value).head[..], *head);
    }
}

fn refused(head: &[u8]) -> DecodeError {
    Message::from_raw(head, Message::default()).value().unwrap_err()
}

#[test]
fn each_fault_has_its_error() {
    assert_eq!(refused(&[]), DecodeError::Truncated { at: 0 });
    assert_eq!(refused(&[99]), DecodeError::UnknownKind { kind: 99, at: 0 });
    assert_eq!(refused(&[token::STR, 2, b'a']), DecodeError::Truncated { at: 0 });
    assert_eq!(refused(&[token::LIST, 1, token::FLOAT, 0]), DecodeError::Truncated { at: 2 });
    assert_eq!(refused(&[token::LIST, 3, token::NONE]), DecodeError::BadCount { count: 3, left: 1, at: 0 });
    assert_eq!(refused(&[token::DICT, 1, token::NONE]), DecodeError::BadCount { count: 1, left: 1, at: 0 });
    assert_eq!(refused(&[token::STR, 1, 0xff]), DecodeError::BadText { at: 0 });
    assert_eq!(refused(&[token::SURROGATES, 1, 0xed]), DecodeError::BadText { at: 0 });
    assert_eq!(refused(&[token::INT, 0x80, 0]), DecodeError::BadNumber { at: 0 }, "padded");
    let too_large = [&[token::INT][..], &[0xff; 9], &[2]].concat();
    assert_eq!(refused(&too_large), DecodeError::BadNumber { at: 0 }, "65 bits");
    let endless = [&[token::INT][..], &[0xff; 12]].concat();
    assert_eq!(refused(&endless), DecodeError::BadNumber { at: 0 }, "more than ten bytes");
    assert_eq!(refused(&[token::ARRAY]), DecodeError::BadAttachment { at: 0 });
    assert_eq!(refused(&[token::PICKLE, 0, 1, token::NONE]), DecodeError::BadAttachment { at: 3 });
    assert_eq!(refused(&[token::NONE, token::NONE]), DecodeError::Trailing { bytes: 1, attachments: 0 });
    let unnamed = Message::from_raw(&[token::NONE], Message::from(ends().0));
    assert_eq!(unnamed.value().unwrap_err(), DecodeError::Trailing { bytes: 0, attachments: 1 });
    let swapped = Message::from_raw(&[token::RECEIVER], Message::from(ends().0));
    assert_eq!(swapped.value().unwrap_err(), DecodeError::BadAttachment { at: 0 });
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(Value::None, |inner, _| Value::List(vec![inner]))
}

#[test]
fn nesting_has_a_limit() {
    assert_eq!(text(&Message::from(nested(MAX_DEPTH)).value().unwrap()), text(&nested(MAX_DEPTH)));
    let at = 2 * MAX_DEPTH;
    let refused = Message::from(nested(MAX_DEPTH + 1)).value().unwrap_err();
    assert_eq!(refused, DecodeError::TooDeep { limit: MAX_DEPTH, at });
}

#[test]
fn hostile_nesting_needs_no_stack() {
    let message = Message::from(nested(1_000_000));
    assert!(matches!(message.value(), Err(DecodeError::TooDeep { .. })));
}

#[test]
fn small_values_stay_off_the_heap() {
    for value in [Value::None, (-7).into(), 1.5.into(), "twenty bytes of text".into(), ends().0.into()] {
        let message = Message::from(value);
        assert!(!message.head.spilled() && !message.attachments.spilled());
    }
}
