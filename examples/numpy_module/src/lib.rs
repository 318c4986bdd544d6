//! A PyO3 module that makes ndarrays in shared memory and takes them back, without a copy.
//!
//! `maturin develop` in this folder makes it importable.

use std::sync::LazyLock;

use crossbuf::array::Order;
use crossbuf::{Arena, ArrayMeta, Budget};
use numpy::{PyArrayDyn, PyReadonlyArrayDyn};
use pyo3::prelude::*;

static ARENA: LazyLock<Arena> = LazyLock::new(|| Arena::new(Budget::default()).expect("memory for an arena"));

/// An ndarray `[0.0, 1.0, ...]` of that length, filled by Rust where it stays.
#[pyfunction]
fn ramp(py: Python<'_>, length: usize) -> PyResult<Bound<'_, PyArrayDyn<f64>>> {
    let mut draft = ARENA.draft(ArrayMeta::contiguous("<f8".parse()?, &[length], Order::C)?)?;
    for (at, element) in draft.as_mut_slice::<f64>()?.iter_mut().enumerate() {
        *element = at as f64;
    }
    draft.freeze().to_pyarray(py)
}

/// `(sum, copied)` of an ndarray of floats: the sum of its elements, and the bytes that had to be copied to share it.
#[pyfunction]
fn sum(ndarray: PyReadonlyArrayDyn<'_, f64>) -> PyResult<(f64, u64)> {
    let before = ARENA.statistics().copied;
    let array = ARENA.share_pyarray(&ndarray)?;
    let total = array.to_bytes().chunks_exact(8).map(|element| f64::from_ne_bytes(element.try_into().expect("8 bytes"))).sum();
    Ok((total, ARENA.statistics().copied - before))
}

/// Blocks that are alive in the module's arena.
#[pyfunction]
fn blocks() -> u64 {
    ARENA.statistics().blocks
}

#[pymodule]
fn numpy_module(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(ramp, module)?)?;
    module.add_function(wrap_pyfunction!(sum, module)?)?;
    module.add_function(wrap_pyfunction!(blocks, module)?)
}
