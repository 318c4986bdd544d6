//! Layouts of ndarrays that were read lately.
//!
//! Programs pass on many ndarrays of few layouts. All arrays of one layout have it in common, so that for most of them nothing has
//! to be read, checked and allocated but their elements.

use std::cell::RefCell;
use std::ffi::c_int;
use std::sync::Arc;

use super::numpy_dtypes::builtin;
use super::numpy_layout::NdArray;
use super::safe::Attached;
use crate::array::{ArrayMeta, ByteOrder};

/// Each shape has one place, which keeps the last layout that came to it. No Python code runs while one is looked at.
pub(super) struct LayoutCache([RefCell<Option<Seen>>; PLACES]);

const PLACES: usize = 64;

/// A layout whose elements are builtin numbers: all other dtypes are not told by number and byte order.
struct Seen {
    number: (c_int, ByteOrder),
    meta: Arc<ArrayMeta>,
}

impl Default for LayoutCache {
    fn default() -> LayoutCache {
        LayoutCache([const { RefCell::new(None) }; PLACES])
    }
}

impl LayoutCache {
    /// The layout of an ndarray, if it is known.
    pub(super) fn find(&self, py: Attached<'_>, ndarray: NdArray<'_>) -> Option<Arc<ArrayMeta>> {
        let seen = self.place(py, ndarray).borrow();
        let seen = seen.as_ref().filter(|seen| seen.number == ndarray.number(py) && ndarray.lies_as(py, &seen.meta))?;
        Some(seen.meta.clone())
    }

    /// Keeps the layout of an ndarray.
    pub(super) fn learn(&self, py: Attached<'_>, ndarray: NdArray<'_>, meta: Arc<ArrayMeta>) -> Arc<ArrayMeta> {
        let number = ndarray.number(py);
        if builtin(number.0, number.1).is_some() {
            *self.place(py, ndarray).borrow_mut() = Some(Seen { number, meta: meta.clone() });
        }
        meta
    }

    fn place(&self, py: Attached<'_>, ndarray: NdArray<'_>) -> &RefCell<Option<Seen>> {
        // The high bits are mixed best.
        &self.0[ndarray.shape_hash(py) >> (usize::BITS - PLACES.ilog2())]
    }
}
