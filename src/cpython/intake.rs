//! Arrays out of other objects.
//!
//! | object | becomes |
//! |---|---|
//! | `crossbuf.Array` | itself |
//! | ndarray, also `matrix`, `recarray`, `memmap` | its memory where that lies in an arena, else a copy |
//! | exporter of a buffer | the same, by its PEP 3118 format |
//! | object with `__array__` or the like | what `numpy.asarray` makes of it |
//! | all else, other classes of ndarrays too | NotShareable, with the way out |
//!
//! A copy is compact: Fortran order stays, all else becomes C order. What lies in an arena keeps its strides. It is copied
//! only into another arena that was named: whoever takes the process's own arena does not care which one it is.

use std::cell::OnceCell;
use std::sync::Arc;

use super::intake_buffer::from_buffer;
use super::numpy_api;
use super::numpy_dtypes::{builtin, from_numpy};
use super::numpy_layout::{Descr, NdArray};
use super::safe::{Attached, Borrowed, BufferView, Owned, PyResult, Raised, detach};
use super::state::State;
use super::types::array;
use crate::arena;
use crate::array::{ArrayMeta, DType};
use crate::buffer::LONG_COPY;
use crate::{Arena, Array};

/// Where copies for a message go: the arena that its channel names, or else the process's own, once one is needed.
pub(super) struct ForCopies<'a> {
    named: Option<&'a Arena>,
    own: OnceCell<Arena>,
}

impl<'a> ForCopies<'a> {
    pub(super) fn new(named: Option<&'a Arena>) -> ForCopies<'a> {
        ForCopies { named, own: OnceCell::new() }
    }

    fn get(&self, py: Attached<'_>, state: &State) -> PyResult<&Arena> {
        if let Some(arena) = self.named.or(self.own.get()) {
            return Ok(arena);
        }
        let own = Arena::shared().map_err(|error| state.errors.raise(py, &error))?;
        Ok(self.own.get_or_init(|| own))
    }
}

/// The Array with the elements of `object`: the very memory where it lies in an arena already, else a copy in `arena`.
pub(super) fn share(py: Attached<'_>, state: &State, object: Borrowed<'_>, arena: &Arena) -> PyResult<Array> {
    if let Some(own) = array::cast(py, state, object) {
        let array = own.get(py)?.clone();
        if will_do(&array, arena) {
            return Ok(array);
        }
        // SAFETY: an Array's elements are readable as long as it lives.
        return unsafe { copied(py, state, arena, array.shared_meta().clone(), array.as_ptr()) };
    }
    let api = numpy_api::loaded(py, state)?;
    if let Some(ndarray) = api.and_then(|api| api.as_ndarray(py, object)) {
        return from_ndarray(py, state, ndarray, arena);
    }
    // NumPy's scalars export buffers, but are values as Python's own numbers are.
    if api.is_some_and(|api| api.is_scalar(py, object)) {
        return Err(not_an_array(py, state, object));
    }
    if BufferView::exports(object) {
        return from_buffer(py, state, object, arena);
    }
    match api {
        Some(api) if converts(py, object)? => {
            let made = Owned::import(py, c"numpy")?.get().invoke(py, c"asarray", [object])?;
            match api.as_ndarray(py, made.get()) {
                Some(ndarray) => from_ndarray(py, state, ndarray, arena),
                None => Err(not_an_array(py, state, object)),
            }
        }
        _ => Err(not_an_array(py, state, object)),
    }
}

/// As [`share`], into the arena for the message; what lies in any arena stays there.
pub(super) fn share_for_message(py: Attached<'_>, state: &State, object: Borrowed<'_>, arena: &ForCopies<'_>) -> PyResult<Array> {
    let Some(ndarray) = exact(py, state, object)? else { return share(py, state, object, arena.get(py, state)?) };
    let (meta, start) = located(py, state, ndarray)?;
    match Array::at_address(start.addr(), meta) {
        Ok(array) => Ok(array),
        // SAFETY: NumPy vouches for the elements of an ndarray, which the caller's reference keeps alive.
        Err(meta) => unsafe { copied(py, state, arena.get(py, state)?, meta, start) },
    }
}

/// The Array behind an ndarray (no derived class) whose memory lies in an arena.
pub(super) fn existing(py: Attached<'_>, state: &State, object: Borrowed<'_>) -> PyResult<Option<Array>> {
    let Some(ndarray) = exact(py, state, object)? else { return Ok(None) };
    // Most ndarrays lie in no arena, which their address tells at once.
    if !arena::may_have(ndarray.start(py).addr()) {
        return dtype_of(py, state, ndarray).map(|_| None);
    }
    let (meta, start) = located(py, state, ndarray)?;
    Ok(Array::at_address(start.addr(), meta).ok())
}

/// `object` as an ndarray, unless it is of a derived class.
fn exact<'a>(py: Attached<'_>, state: &State, object: Borrowed<'a>) -> PyResult<Option<NdArray<'a>>> {
    let api = numpy_api::loaded(py, state)?;
    Ok(api.filter(|api| api.is_exactly_ndarray(py, object)).and_then(|api| api.as_ndarray(py, object)))
}

fn from_ndarray(py: Attached<'_>, state: &State, ndarray: NdArray<'_>, arena: &Arena) -> PyResult<Array> {
    refuse_more_than_elements(py, state, ndarray.object())?;
    let (meta, start) = located(py, state, ndarray)?;
    // SAFETY: NumPy vouches for the elements of an ndarray, which the caller's reference keeps alive.
    unsafe { taken(py, state, arena, meta, start) }
}

/// Layout and first element of an ndarray. No Python code runs afterwards that could change them.
fn located(py: Attached<'_>, state: &State, ndarray: NdArray<'_>) -> PyResult<(Arc<ArrayMeta>, *const u8)> {
    let layouts = &state.numpy.layouts;
    let meta = match layouts.find(py, ndarray) {
        Some(meta) => meta,
        None => {
            let dtype = dtype_of(py, state, ndarray)?;
            let (shape, strides) = ndarray.layout(py);
            let meta = ArrayMeta::of_parts(dtype, shape, strides).map_err(|error| state.errors.raise(py, &error))?;
            layouts.learn(py, ndarray, Arc::new(meta))
        }
    };
    Ok((meta, ndarray.start(py)))
}

/// The dtype of an ndarray. No Python code runs afterwards that could change it. Errors with NotShareable.
fn dtype_of(py: Attached<'_>, state: &State, ndarray: NdArray<'_>) -> PyResult<DType> {
    // Numbers without a reference to their dtype object: reading them runs no Python code.
    let (number, order) = ndarray.number(py);
    if let Some(dtype) = builtin(number, order) {
        return Ok(dtype);
    }
    let object = ndarray.descr(py);
    // SAFETY: the dtype of an ndarray.
    let dtype = from_numpy(py, state, unsafe { Descr::new(object.get()) })?;
    if !ndarray.descr(py).get().is(object.get()) {
        return Err(Raised::buffer_error(py, "somebody assigned another dtype to this ndarray while it was being shared"));
    }
    Ok(dtype)
}

/// The elements at `start`: where they are, if that is in an arena that will do, else copied into `arena`.
///
/// # Safety
/// Every element of `meta`, counted from `start`, is readable during the call.
pub(super) unsafe fn taken(py: Attached<'_>, state: &State, arena: &Arena, meta: Arc<ArrayMeta>, start: *const u8) -> PyResult<Array> {
    let meta = match Array::at_address(start.addr(), meta) {
        Ok(array) if will_do(&array, arena) => return Ok(array),
        Ok(array) => array.shared_meta().clone(),
        Err(meta) => meta,
    };
    // SAFETY: the caller vouches for the elements.
    unsafe { copied(py, state, arena, meta, start) }
}

/// Whether an Array need not be copied when `arena` is asked for.
fn will_do(array: &Array, arena: &Arena) -> bool {
    array.arena().is_some_and(|home| home.id() == arena.id()) || Arena::shared().is_ok_and(|own| own.id() == arena.id())
}

/// A compact copy in `arena`.
///
/// # Safety
/// As for [`taken`].
unsafe fn copied(py: Attached<'_>, state: &State, arena: &Arena, meta: Arc<ArrayMeta>, start: *const u8) -> PyResult<Array> {
    let is_long = meta.nbytes() >= LONG_COPY;
    let source = start.expose_provenance();
    let copy = || {
        let source = std::ptr::with_exposed_provenance(source);
        // SAFETY: the caller vouches for the elements.
        unsafe { arena.share_from(meta, source) }
    };
    let made = if is_long { detach(py, copy) } else { copy() };
    made.map_err(|error| state.errors.raise(py, &error))
}

/// Errors with NotShareable on instances of derived classes, but for NumPy's own which only behave differently.
fn refuse_more_than_elements(py: Attached<'_>, state: &State, object: Borrowed<'_>) -> PyResult<()> {
    if numpy_api::is_ndarray(py, state, object)? {
        return Ok(());
    }
    let module = object.class(py).attribute(py, c"__module__")?.get().words(py)?;
    let class = object.class_name(py);
    let mut parts = module.split('.');
    let reason = match (parts.next(), parts.next()) {
        (Some("numpy"), Some("ma")) => "the mask would be lost: share `.data` and `.mask`",
        (Some("numpy"), _) => return Ok(()),
        _ => "what the class adds to the elements would be lost: share `numpy.asarray(object)`",
    };
    Err(state.errors.not_shareable(py, &format!("a {module}.{class} is not shared as a plain array, {reason}, or send it in a message")))
}

/// Whether it has one of the methods by which objects become ndarrays.
fn converts(py: Attached<'_>, object: Borrowed<'_>) -> PyResult<bool> {
    if object.is_class() {
        return Ok(false);
    }
    for name in [c"__array__", c"__array_interface__", c"__array_struct__"] {
        if object.find_attribute(py, name)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn not_an_array(py: Attached<'_>, state: &State, object: Borrowed<'_>) -> Raised {
    let class = object.class_name(py);
    let message = format!("objects of class {class} have no buffer of elements; share numpy.asarray(object), or send it in a message");
    state.errors.not_shareable(py, &message)
}
