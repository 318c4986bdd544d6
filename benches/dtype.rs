//! What texts of dtypes cost: reading ours, reading and writing those of PEP 3118.
//!
//! `cargo bench --bench dtype`.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use crossbuf::DType;

/// Names of what is read, our text for it, and the format and itemsize that NumPy exports it with.
const DTYPES: [(&str, &str, &str, usize); 4] = [
    ("float64", "<f8", "d", 8),
    ("text", "<U12", "12w", 48),
    ("record of two", "{x:<f8@0,y:<f8@8;16}", "T{d:x:d:y:}", 16),
    ("nested record", "{id:<i8@0,place:{x:<f4@0,y:<f4@4;8}@8,matrix:(3,3)<f8@16;88}", "T{l:id:T{f:x:f:y:}:place:(3,3)d:matrix:}", 88),
];

fn read(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read a dtype");
    for (name, text, ..) in DTYPES {
        group.bench_with_input(BenchmarkId::from_parameter(name), text, |bencher, text| {
            bencher.iter(|| text.parse::<DType>().expect("a dtype"));
        });
    }
    group.finish();
}

fn read_format(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read a format");
    for (name, text, format, itemsize) in DTYPES {
        assert_eq!(DType::from_format(format, itemsize).expect("a format"), text.parse().expect("a dtype"));
        group.bench_with_input(BenchmarkId::from_parameter(name), format, |bencher, format| {
            bencher.iter(|| DType::from_format(format, itemsize).expect("a format"));
        });
    }
    group.finish();
}

fn write_format(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("write a format");
    for (name, text, ..) in DTYPES {
        let dtype: DType = text.parse().expect("a dtype");
        group.bench_with_input(BenchmarkId::from_parameter(name), &dtype, |bencher, dtype| {
            bencher.iter(|| dtype.to_format().expect("it has a format"));
        });
    }
    group.finish();
}

criterion_group!(benches, read, read_format, write_format);
criterion_main!(benches);
