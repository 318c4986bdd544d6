//! `crossbuf.Draft`.

use std::cell::{Cell, Ref, RefCell};
use std::ffi::{c_int, c_void};

use pyo3_ffi as ffi;

use crate::array::ArrayMeta;
use crate::cpython::buffer_protocol::{self, Exported};
use crate::cpython::numpy_api;
use crate::cpython::safe::entry::{unary, unary_slot};
use crate::cpython::safe::{Attached, Borrowed, ClassSpec, Instance, Owned, PyResult, Raised, This, getters, methods};
use crate::cpython::state::State;
use crate::cpython::types::array;
use crate::cpython::types::layout::{self, Layout};

/// The value of an instance.
pub(in crate::cpython) struct DraftValue {
    /// Empty once frozen or released.
    draft: RefCell<Option<crate::Draft>>,
    /// Writable views that are alive; while there are any, the draft stays.
    views: Cell<usize>,
}

type Me<'a> = This<'a, DraftValue>;

/// A new instance in this interpreter.
pub(in crate::cpython) fn wrap(py: Attached<'_>, state: &State, draft: crate::Draft) -> PyResult<Owned> {
    let value = DraftValue { draft: RefCell::new(Some(draft)), views: Cell::new(0) };
    // SAFETY: `class` made it for this value.
    unsafe { Instance::create(py, state.types.draft.get(), value) }
}

impl DraftValue {
    /// Errors with ValueError once frozen or released.
    fn get(&self, py: Attached<'_>) -> PyResult<Ref<'_, crate::Draft>> {
        Ref::filter_map(self.draft.borrow(), Option::as_ref).map_err(|_| gone(py))
    }

    /// As `get`, to be filled or frozen. Errors with ValueError also in a forked child, for a Draft of its parent.
    fn own(&self, py: Attached<'_>) -> PyResult<Ref<'_, crate::Draft>> {
        let draft = self.get(py)?;
        if draft.is_inherited() {
            let text = "this Draft is of the process that this one was forked from, which may go on filling it; make a new Draft here";
            return Err(Raised::value_error(py, text));
        }
        Ok(draft)
    }

    /// Takes the draft out. Errors with BufferError while writable views are alive.
    fn take(&self, py: Attached<'_>, verb: &str) -> PyResult<crate::Draft> {
        match self.views.get() {
            0 => self.draft.take().ok_or_else(|| gone(py)),
            1 => Err(Raised::buffer_error(py, &format!("cannot {verb} this Draft: 1 writable view of it is alive; delete it first"))),
            n => Err(Raised::buffer_error(py, &format!("cannot {verb} this Draft: {n} writable views of it are alive; delete them first"))),
        }
    }
}

impl Layout for DraftValue {
    fn layout(&self, py: Attached<'_>) -> PyResult<ArrayMeta> {
        self.get(py).map(|draft| draft.meta().clone())
    }
}

fn gone(py: Attached<'_>) -> Raised {
    Raised::value_error(py, "this Draft was frozen or released; use the Array that freeze() gave, or make a new Draft")
}

pub(in crate::cpython) fn class(py: Attached<'_>, module: Borrowed<'_>) -> PyResult<Owned> {
    let spec = ClassSpec {
        name: c"crossbuf.Draft",
        doc: c"Shared memory being filled by its one owner.\n\n\
            Made by crossbuf.empty. numpy.asarray(draft) and memoryview(draft) are writable;\n\
            freeze() turns the same memory into an immutable Array.",
        methods: METHODS.0,
        getters: GETTERS.0,
        slots: vec![
            (ffi::Py_tp_repr, unary_slot!(Me<'_>, repr)),
            (ffi::Py_bf_getbuffer, get_buffer as *mut c_void),
            (ffi::Py_bf_releasebuffer, release_buffer as *mut c_void),
        ],
    };
    // SAFETY: all functions take instances as `DraftValue`.
    unsafe { spec.make::<DraftValue>(py, module) }
}

methods! {
    static METHODS for Me<'_> {
        noargs "numpy" => numpy, "numpy($self, /)\n--\n\nA writable ndarray on the same memory; freeze() refuses while it is alive.";
        noargs "freeze" => freeze, "freeze($self, /)\n--\n\nThe immutable Array on the same memory, without a copy. The Draft is used up.\n\nRaises BufferError while writable views are alive, ValueError when it was frozen before.";
        noargs "release" => release, "release($self, /)\n--\n\nGives the memory back without an Array. Raises BufferError while writable views are alive.";
    }
}

getters! {
    static GETTERS for Me<'_> {
        "dtype" => layout::dtype, "The dtype as NumPy writes it, such as '<f8'.";
        "itemsize" => layout::itemsize, "Bytes of one element.";
        "ndim" => layout::ndim, "Number of axes.";
        "shape" => layout::shape, "Lengths of the axes.";
        "strides" => layout::strides, "Bytes from one element to the next, by axis.";
        "size" => layout::size, "Number of elements.";
        "nbytes" => layout::nbytes, "size * itemsize.";
    }
}

fn numpy(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    let (start, meta) = {
        let draft = this.own(py)?;
        (draft.writable(), draft.meta().clone())
    };
    // The memoryview counts as a view for as long as the ndarray lives.
    // SAFETY: attached, the object is alive.
    let view = unsafe { Owned::from_result(py, ffi::PyMemoryView_FromObject(this.object().as_ptr())) }?;
    numpy_api::ndarray(py, State::of(py, this)?, start, &meta, true, view.get())
}

fn freeze(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    let state = State::of(py, this)?;
    drop(this.own(py)?);
    array::wrap(py, state, this.take(py, "freeze")?.freeze())
}

fn release(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    if this.draft.borrow().is_some() {
        drop(this.take(py, "release")?);
    }
    Ok(Owned::none(py))
}

fn repr(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    let Some(meta) = this.draft.borrow().as_ref().map(|draft| draft.meta().clone()) else {
        return Owned::text(py, "<frozen or released crossbuf.Draft>");
    };
    let shape = Owned::sizes(py, meta.shape())?.get().describe(py);
    Owned::text(py, &format!("<crossbuf.Draft shape={shape} dtype='{}' writable views: {}>", meta.dtype(), this.views.get()))
}

unsafe extern "C" fn get_buffer(slf: *mut ffi::PyObject, view: *mut ffi::Py_buffer, flags: c_int) -> c_int {
    // SAFETY: CPython calls a slot with its own live `self` and a view to fill, on an attached thread; `obj` is NULL where it fails.
    unsafe {
        (*view).obj = std::ptr::null_mut();
        unary(slf, |this: Me<'_>, py| {
            let (start, meta) = {
                let draft = this.own(py)?;
                (draft.writable(), draft.meta().clone())
            };
            buffer_protocol::fill(py, this.object(), Exported { start, writable: true, meta, keeper: None }, &mut *view, flags)?;
            this.views.set(this.views.get() + 1);
            Ok(())
        })
    }
}

unsafe extern "C" fn release_buffer(slf: *mut ffi::PyObject, view: *mut ffi::Py_buffer) {
    // SAFETY: CPython passes the exporter and a view that `get_buffer` filled, once.
    unsafe {
        let this = Me::from_ptr(slf);
        this.views.set(this.views.get() - 1);
        buffer_protocol::release((*view).internal);
    }
}
