//! dtypes and their two texts: crossbuf's own and PEP 3118's.

use crossbuf::array::{ByteOrder, DType, Field, MAX_NESTING, TimeUnit};
use proptest::collection::vec;
use proptest::prelude::*;

fn order() -> impl Strategy<Value = ByteOrder> + Clone {
    prop_oneof![Just(ByteOrder::Little), Just(ByteOrder::Big)]
}

fn unit() -> impl Strategy<Value = TimeUnit> {
    let names = ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as"];
    let counted = (prop::sample::select(names.to_vec()), 1..=i32::MAX as u32).prop_map(|(name, count)| TimeUnit::new(name, count).unwrap());
    prop_oneof![counted, Just(TimeUnit::GENERIC)]
}

/// Dtypes without parts. Those of the second group lose their meaning in a format string.
fn leaf() -> impl Strategy<Value = DType> {
    let sized = (prop::sample::select(vec![1usize, 2, 4, 8]), order());
    let plain = prop_oneof![
        Just(DType::bool()),
        sized.clone().prop_map(|(size, order)| DType::int(size, order).unwrap()),
        sized.clone().prop_map(|(size, order)| DType::uint(size, order).unwrap()),
        sized.clone().prop_map(|(size, order)| DType::float(2 * size, order).unwrap()),
        sized.prop_map(|(size, order)| DType::complex(if size == 1 { 8 } else { 4 * size }, order).unwrap()),
        (0..9usize).prop_map(|length| DType::bytes(length).unwrap()),
        (0..9usize, order()).prop_map(|(length, order)| DType::text(length, order).unwrap()),
        (0..9usize).prop_map(|length| DType::void(length).unwrap()),
    ];
    let reduced = prop_oneof![
        (unit(), order()).prop_map(|(unit, order)| DType::datetime(unit, order)),
        (unit(), order()).prop_map(|(unit, order)| DType::timedelta(unit, order)),
        prop::sample::select(vec!["bfloat16", "float8_e4m3fn", "int4", "complex32"]).prop_map(|name| DType::named(name).unwrap()),
    ];
    prop_oneof![4 => plain, 1 => reduced]
}

/// Fields one after another with gaps between them, as PEP 3118 needs them; `aligned` to C's rules or not.
fn in_order(parts: Vec<(DType, usize)>, padding: usize, aligned: bool) -> DType {
    let (mut fields, mut end, mut alignment) = (Vec::new(), 0usize, 1);
    for (at, (dtype, gap)) in parts.into_iter().enumerate() {
        let natural = if aligned { dtype.alignment() } else { 1 };
        alignment = alignment.max(natural);
        let offset = (end + gap).next_multiple_of(natural);
        end = offset + dtype.itemsize();
        fields.push(Field { name: format!("field {at}"), title: None, offset, dtype });
    }
    DType::record(fields, (end + padding).next_multiple_of(alignment), aligned).unwrap()
}

fn sub_array(inner: impl Strategy<Value = DType>) -> impl Strategy<Value = DType> {
    (inner, vec(0..4usize, 1..4)).prop_map(|(dtype, shape)| DType::sub_array(dtype, &shape).unwrap())
}

/// What PEP 3118 can say, or nearly.
fn sayable() -> impl Strategy<Value = DType> {
    let gap = || prop_oneof![4 => Just(0usize), 1 => 1..9usize, 1 => Just(3000)];
    leaf().prop_recursive(4, 24, 5, move |inner| {
        let parts = (vec((inner.clone(), gap()), 0..5), gap(), any::<bool>());
        prop_oneof![2 => parts.prop_map(|(parts, padding, aligned)| in_order(parts, padding, aligned)), 1 => sub_array(inner)]
    })
}

/// Everything NumPy has: also titles, odd names, and fields that overlap or are out of order.
fn anything() -> impl Strategy<Value = DType> {
    leaf().prop_recursive(4, 24, 5, |inner| {
        let field = (inner.clone(), 0..20usize, ".{0,3}", prop::option::of(".{0,3}"));
        let record = (vec(field, 0..5), 0..9usize).prop_map(|(parts, padding)| {
            let numbered = parts.into_iter().enumerate().map(|(at, (dtype, offset, name, title))| Field {
                name: format!("{name}{at}"),
                title: title.map(|title| format!("{title}title{at}")),
                offset,
                dtype,
            });
            let fields: Vec<Field> = numbered.collect();
            let end = fields.iter().map(|field| field.offset + field.dtype.itemsize()).max().unwrap_or(0);
            DType::record(fields, end + padding, false).unwrap()
        });
        prop_oneof![2 => record, 1 => sub_array(inner)]
    })
}

/// Texts that look enough like formats and dtypes to reach every corner of the parsers.
fn scribble() -> impl Strategy<Value = String> {
    let tokens = "T{ } ( ) , 2 0 3 4294967296 18446744073709551615 99999999999999999999 @ < > = ! ^ | x i d Z Zd g s w u c :a: :é: : { {a: ; ;aligned f8 \
                  M8[ ns] @0 ' \\ / O bfloat16 é";
    let tokens: Vec<&str> = tokens.split(' ').collect();
    let token = prop::sample::select(tokens);
    prop_oneof![
        3 => vec(token.clone(), 0..24).prop_map(|parts| parts.concat()),
        1 => vec(token.clone(), 0..9).prop_map(|parts| parts.join(" ")),
        1 => any::<String>(),
        1 => (token, 0..2000usize).prop_map(|(token, times)| token.repeat(times)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn parsing_the_text_of_a_dtype_gives_the_same_dtype(dtype in prop_oneof![sayable(), anything()]) {
        prop_assert_eq!(dtype.to_string().parse::<DType>().unwrap(), dtype);
    }

    #[test]
    fn reading_the_format_of_a_dtype_gives_what_was_exported(dtype in sayable()) {
        let format = dtype.to_format().unwrap();
        prop_assert_eq!(DType::from_format(&format, dtype.itemsize()).unwrap(), dtype.as_exported(), "{}", format);
    }

    #[test]
    fn a_dtype_without_a_format_is_refused_and_any_other_is_read_back(dtype in anything()) {
        if let Ok(format) = dtype.to_format() {
            prop_assert_eq!(DType::from_format(&format, dtype.itemsize()).unwrap(), dtype.as_exported(), "{}", format);
        }
    }

    #[test]
    fn what_is_exported_keeps_its_size_and_is_exported_as_itself(dtype in anything()) {
        let exported = dtype.as_exported();
        prop_assert_eq!(exported.itemsize(), dtype.itemsize());
        prop_assert_eq!(exported.as_exported(), exported);
    }

    #[test]
    fn any_string_is_a_dtype_or_an_error(text in scribble()) {
        if let Ok(dtype) = text.parse::<DType>() {
            prop_assert_eq!(dtype.to_string().parse::<DType>().unwrap(), dtype);
        }
    }

    #[test]
    fn any_string_is_a_format_or_an_error(format in scribble(), itemsize in prop_oneof![0..40usize, any::<usize>()]) {
        if let Ok(dtype) = DType::from_format(&format, itemsize) {
            prop_assert_eq!(dtype.itemsize(), itemsize);
            prop_assert_eq!(dtype.to_string().parse::<DType>().unwrap(), dtype);
        }
    }
}

#[test]
fn the_deepest_possible_dtype_has_both_texts() {
    let mut dtype = DType::bool();
    for level in 0..MAX_NESTING {
        dtype = if level % 2 == 0 { in_order(vec![(dtype, 0)], 0, false) } else { DType::sub_array(dtype, &[1]).unwrap() };
    }
    assert_eq!(dtype.to_string().parse::<DType>().unwrap(), dtype);
    assert_eq!(DType::from_format(&dtype.to_format().unwrap(), 1).unwrap(), dtype);
}
