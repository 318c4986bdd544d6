//! `crossbuf.Arena`.

use pyo3_ffi as ffi;

use crate::Budget;
use crate::cpython::safe::entry::{guarded, unary_slot};
use crate::cpython::safe::{
    Arguments, Attached, Borrowed, ClassSpec, Instance, Owned, PyResult, Raised, Signature, This, getters, methods,
};
use crate::cpython::state::State;
use crate::cpython::types::{array, draft};
use crate::cpython::{dtypes, intake, records};

type Me<'a> = This<'a, crate::Arena>;

pub(in crate::cpython) fn class(py: Attached<'_>, module: Borrowed<'_>) -> PyResult<Owned> {
    let spec = ClassSpec {
        name: c"crossbuf.Arena",
        doc: c"Arena(budget=None)\n--\n\nShared memory of at most `budget` bytes (default: half of the memory that this machine or cgroup has).\n\n\
            crossbuf.share and crossbuf.empty use one that all interpreters of the process have in common.",
        methods: METHODS.0,
        getters: GETTERS.0,
        slots: vec![(ffi::Py_tp_new, new as *mut _), (ffi::Py_tp_repr, unary_slot!(Me<'_>, repr))],
    };
    // SAFETY: all functions take instances as `crate::Arena`.
    unsafe { spec.make::<crate::Arena>(py, module) }
}

methods! {
    static METHODS for Me<'_> {
        one "share" => share, "share($self, object, /)\n--\n\nAn Array with a copy of the elements of an ndarray or any exporter of buffers.";
        fast "empty" => empty, "empty($self, shape, dtype='f8', *, order='C')\n--\n\nA Draft with arbitrary content.";
        noargs "statistics" => statistics, "statistics($self, /)\n--\n\nAn ArenaStatistics: blocks and bytes in use now.";
        noargs "trim" => trim, "trim($self, /)\n--\n\nGives free memory back to the system; returns how many bytes.";
        noargs "close" => close, "close($self, /)\n--\n\nEnds making and opening Arrays here; those that exist stay readable. Twice is fine.";
    }
}

getters! {
    static GETTERS for Me<'_> {
        "closed" => closed, "Whether close was called.";
    }
}

/// `Arena(budget=None)`
unsafe extern "C" fn new(class: *mut ffi::PyTypeObject, places: *mut ffi::PyObject, names: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython calls `tp_new` attached, with the class, a tuple and a dict or NULL.
    unsafe {
        guarded(|py| {
            let (class, places) = (Borrowed::from_ptr(class.cast()), Borrowed::from_ptr(places));
            let names = (!names.is_null()).then(|| Borrowed::from_ptr(names));
            let arena = made(py, places, names)?;
            Instance::create(py, class, arena)
        })
    }
}

fn made(py: Attached<'_>, places: Borrowed<'_>, names: Option<Borrowed<'_>>) -> PyResult<crate::Arena> {
    const SIGNATURE: Signature<1> = Signature { function: "Arena", names: ["budget"], required: 0, positional: 1 };
    let budget = Arguments::unpack(py, places, names, |arguments| match arguments.bind(py, &SIGNATURE)? {
        [Some(budget)] if !budget.is_none() => bytes(py, budget).map(Budget::bytes),
        _ => Ok(Budget::default()),
    })?;
    crate::Arena::new(budget).or_else(|error| Err(State::current(py)?.state(py)?.errors.raise(py, &error)))
}

fn bytes(py: Attached<'_>, budget: Borrowed<'_>) -> PyResult<u64> {
    match budget.as_u64(py) {
        Ok(bytes) if bytes > 0 => Ok(bytes),
        Ok(_) => Err(Raised::value_error(py, "budget=0 leaves no room; give bytes, such as 1 << 30")),
        Err(raised) => {
            drop(raised.take(py));
            let seen = budget.describe(py);
            Err(Raised::value_error(py, &format!("budget={seen} is not a positive number of bytes below 2**64")))
        }
    }
}

/// `object` as an arena; the process's own one for `None` or nothing. Errors with TypeError on other classes.
pub(in crate::cpython) fn chosen(py: Attached<'_>, state: &State, object: Option<Borrowed<'_>>) -> PyResult<crate::Arena> {
    let Some(object) = object.filter(|object| !object.is_none()) else {
        return crate::Arena::shared().map_err(|error| state.errors.raise(py, &error));
    };
    // SAFETY: `class` made it for `crate::Arena`.
    let this: Option<Me<'_>> = unsafe { This::of(py, object, state.types.arena.get()) };
    this.map(|this| this.value().clone())
        .ok_or_else(|| Raised::type_error(py, &format!("arena={} is not a crossbuf.Arena", object.describe(py))))
}

fn share(this: Me<'_>, py: Attached<'_>, object: Borrowed<'_>) -> PyResult<Owned> {
    share_in(py, State::of(py, this)?, object, &this)
}

/// A new Array in `arena` with the elements of `object`.
pub(in crate::cpython) fn share_in(py: Attached<'_>, state: &State, object: Borrowed<'_>, arena: &crate::Arena) -> PyResult<Owned> {
    array::wrap(py, state, intake::share(py, state, object, arena)?)
}

fn empty(this: Me<'_>, py: Attached<'_>, arguments: Arguments<'_>) -> PyResult<Owned> {
    const SIGNATURE: Signature<3> = Signature { function: "empty", names: ["shape", "dtype", "order"], required: 1, positional: 2 };
    let [shape, dtype, order] = arguments.bind(py, &SIGNATURE)?;
    empty_in(py, State::of(py, this)?, shape.expect("bind checks what is required"), dtype, order, &this)
}

/// A new Draft in `arena`.
pub(in crate::cpython) fn empty_in(
    py: Attached<'_>,
    state: &State,
    shape: Borrowed<'_>,
    dtype: Option<Borrowed<'_>>,
    order: Option<Borrowed<'_>>,
    arena: &crate::Arena,
) -> PyResult<Owned> {
    let meta = dtypes::requested(py, state, shape, dtype, order)?;
    let made = arena.draft(meta).map_err(|error| state.errors.raise(py, &error))?;
    draft::wrap(py, state, made)
}

fn statistics(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    records::arena(py, State::of(py, this)?, &crate::Arena::statistics(&this))
}

fn trim(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    Owned::unsigned(py, this.value().trim())
}

fn close(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    this.value().close();
    Ok(Owned::none(py))
}

fn closed(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    Ok(Owned::bool(py, this.value().is_closed()))
}

fn repr(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    let statistics = crate::Arena::statistics(&this);
    let state = if this.value().is_closed() { " closed" } else { "" };
    let text = format!("<crossbuf.Arena{state} blocks={} used={} budget={}>", statistics.blocks, statistics.used, statistics.budget);
    Owned::text(py, &text)
}
