//! dtype texts, PEP 3118 formats and element bytes: nothing panics, and what is read is written so that it reads the same.
#![no_main]

use crossbuf::DType;
use crossbuf::array::Scalar;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, usize, &[u8])| {
    let (text, itemsize, bytes) = input;
    for dtype in [text.parse::<DType>(), DType::from_format(text, itemsize % 4096)].into_iter().flatten() {
        let written = dtype.to_string();
        assert_eq!(written.parse::<DType>().as_ref(), Ok(&dtype), "{written}");
        if let Ok(format) = dtype.to_format() {
            assert_eq!(DType::from_format(&format, dtype.itemsize()), Ok(dtype.as_exported()), "{format}");
        }
        if let Some(element) = bytes.get(..dtype.itemsize()) {
            let _ = Scalar::decode(&dtype, element);
        }
    }
});
