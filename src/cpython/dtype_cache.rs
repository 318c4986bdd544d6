//! Dtypes that were translated before, both ways.
//!
//! A `numpy.dtype` never changes, with one exception: `dtype.names` of a record can be assigned to. So what was learned of a
//! record holds only as long as the tuples of names in it are the objects they were.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::c_int;
use std::hash::Hash;
use std::rc::Rc;

use super::numpy_layout::Descr;
use super::safe::{Attached, Owned, PyResult};
use crate::array::DType;

/// A dtype in both forms.
pub(super) struct Known {
    /// A `numpy.dtype`.
    object: Owned,
    pub(super) dtype: DType,
    /// The records in `object`, itself perhaps, each with the tuple of its names when it was read.
    pub(super) records: Vec<(Owned, Owned)>,
}

/// What one interpreter has translated lately.
#[derive(Default)]
pub(super) struct DTypeCache {
    /// By the address of `Known::object`, which cannot be used again as long as it is kept here.
    by_object: Table<usize>,
    by_dtype: Table<DType>,
}

/// Forgets everything when it is full: a program has few dtypes, or makes them up without end.
///
/// Invariant 1: each `Known` is in one table only, so that the garbage collector is shown each reference once.
struct Table<K>(RefCell<HashMap<K, Rc<Known>>>);

impl<K> Default for Table<K> {
    fn default() -> Self {
        Table(RefCell::default())
    }
}

impl Known {
    /// # Safety
    /// `object` is a `numpy.dtype`.
    pub(super) unsafe fn new(object: Owned, dtype: DType, records: Vec<(Owned, Owned)>) -> Known {
        Known { object, dtype, records }
    }

    pub(super) fn descr(&self) -> Descr<'_> {
        // SAFETY: `new` was promised a dtype.
        unsafe { Descr::new(self.object.get()) }
    }

    /// Whether the two forms still mean the same.
    fn holds(&self, py: Attached<'_>) -> PyResult<bool> {
        for (record, names) in &self.records {
            if !record.get().attribute(py, c"names")?.get().is(names.get()) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl<K: Hash + Eq> Table<K> {
    const MOST: usize = 256;

    fn get(&self, py: Attached<'_>, key: &K) -> PyResult<Option<Rc<Known>>> {
        // Not borrowed any more when Python code may run.
        let Some(known) = self.0.borrow().get(key).cloned() else { return Ok(None) };
        Ok(if known.holds(py)? { Some(known) } else { None })
    }

    fn insert(&self, key: K, known: Known) {
        let mut table = self.0.borrow_mut();
        let full = if table.len() < Table::<K>::MOST { HashMap::new() } else { std::mem::take(&mut *table) };
        let replaced = table.insert(key, Rc::new(known));
        drop(table);
        // Objects go only now: their end may run Python code.
        drop((full, replaced));
    }

    /// The collector may come at any allocation, but none happens while the table is borrowed to be changed.
    fn visit(&self, visit: &mut dyn FnMut(&Owned) -> c_int) -> c_int {
        let table = self.0.borrow();
        let mut objects = table.values().flat_map(|known| {
            let records = known.records.iter().flat_map(|(record, names)| [record, names]);
            std::iter::once(&known.object).chain(records)
        });
        objects.find_map(|object| Some(visit(object)).filter(|&code| code != 0)).unwrap_or(0)
    }
}

impl DTypeCache {
    pub(super) fn of_object(&self, py: Attached<'_>, descr: Descr<'_>) -> PyResult<Option<Rc<Known>>> {
        self.by_object.get(py, &descr.object().as_ptr().addr())
    }

    pub(super) fn of_dtype(&self, py: Attached<'_>, dtype: &DType) -> PyResult<Option<Rc<Known>>> {
        self.by_dtype.get(py, dtype)
    }

    pub(super) fn learn_object(&self, known: Known) {
        self.by_object.insert(known.object.as_ptr().addr(), known);
    }

    pub(super) fn learn_dtype(&self, known: Known) {
        self.by_dtype.insert(known.dtype.clone(), known);
    }

    pub(super) fn visit(&self, visit: &mut dyn FnMut(&Owned) -> c_int) -> c_int {
        match self.by_object.visit(visit) {
            0 => self.by_dtype.visit(visit),
            code => code,
        }
    }
}
