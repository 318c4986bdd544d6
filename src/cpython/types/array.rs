//! `crossbuf.Array`.

use std::cell::{Cell, Ref, RefCell};
use std::ffi::{c_int, c_void};

use pyo3_ffi as ffi;

use crate::array::{ArrayMeta, Index};
use crate::buffer::LONG_COPY;
use crate::channel::Encoder;
use crate::cpython::buffer_protocol::{self, Exported};
use crate::cpython::safe::entry::{binary, binary_slot, length_slot, unary, unary_slot};
use crate::cpython::safe::{Arguments, Attached, Borrowed, ClassSpec, Instance, Owned, PyResult, Raised, This, detach, getters, methods};
use crate::cpython::state::State;
use crate::cpython::types::layout::{self, Layout};
use crate::cpython::{handles, indexing, numpy_api, scalars, tickets};
use crate::process;

/// The value of an instance. A buffer view has a reference to the block of its own; an ndarray has one to the instance.
pub(in crate::cpython) struct ArrayValue {
    /// Empty once released.
    array: RefCell<Option<crate::Array>>,
    /// Whether an ndarray may be looking: the block must then live as long as the instance.
    pinned: Cell<bool>,
    released: Cell<bool>,
    /// Whether it stands in for an ndarray, in an interpreter without NumPy. It is an ndarray again where that is sent on to.
    for_ndarray: bool,
}

type Me<'a> = This<'a, ArrayValue>;

/// A new instance in this interpreter.
pub(in crate::cpython) fn wrap(py: Attached<'_>, state: &State, array: crate::Array) -> PyResult<Owned> {
    create(py, state, array, false)
}

/// A new instance in the place of an ndarray.
pub(in crate::cpython) fn wrap_for_ndarray(py: Attached<'_>, state: &State, array: crate::Array) -> PyResult<Owned> {
    create(py, state, array, true)
}

fn create(py: Attached<'_>, state: &State, array: crate::Array, for_ndarray: bool) -> PyResult<Owned> {
    let value = ArrayValue { array: RefCell::new(Some(array)), pinned: Cell::new(false), released: Cell::new(false), for_ndarray };
    // SAFETY: `class` made it for this value.
    unsafe { Instance::create(py, state.types.array.get(), value) }
}

/// `object` as one of our instances, if it is one.
pub(in crate::cpython) fn cast<'a>(py: Attached<'_>, state: &State, object: Borrowed<'a>) -> Option<Me<'a>> {
    // SAFETY: `class` made it for this value.
    unsafe { This::of(py, object, state.types.array.get()) }
}

impl ArrayValue {
    /// Errors with ValueError once released.
    pub(in crate::cpython) fn get(&self, py: Attached<'_>) -> PyResult<Ref<'_, crate::Array>> {
        let array = (!self.released.get()).then(|| Ref::filter_map(self.array.borrow(), Option::as_ref).ok()).flatten();
        array.ok_or_else(|| Raised::value_error(py, "this Array was released; keep it longer, or open another reference before"))
    }

    /// Puts it into a message. Errors with ValueError once released.
    pub(in crate::cpython) fn write(&self, py: Attached<'_>, encoder: &mut Encoder) -> PyResult<()> {
        let array = self.get(py)?.clone();
        if self.for_ndarray {
            encoder.ndarray(array)
        } else {
            encoder.array(array)
        }
        Ok(())
    }

    /// The block stays until the instance goes, whatever `release` is asked for.
    pub(in crate::cpython) fn pin(&self) {
        self.pinned.set(true);
    }
}

impl Layout for ArrayValue {
    fn layout(&self, py: Attached<'_>) -> PyResult<ArrayMeta> {
        self.get(py).map(|array| array.meta().clone())
    }
}

pub(in crate::cpython) fn class(py: Attached<'_>, module: Borrowed<'_>) -> PyResult<Owned> {
    let spec = ClassSpec {
        name: c"crossbuf.Array",
        doc: c"An immutable N-dimensional array in shared memory, the same for every interpreter.\n\n\
            Made by crossbuf.share, Draft.freeze, Receiver.recv and crossbuf.open. Supports the buffer\n\
            protocol (read-only), basic indexing, iteration and comparison without NumPy.",
        methods: METHODS.0,
        getters: GETTERS.0,
        slots: vec![
            (ffi::Py_tp_repr, unary_slot!(Me<'_>, repr)),
            (ffi::Py_tp_iter, unary_slot!(Me<'_>, iterate)),
            (ffi::Py_tp_richcompare, rich_compare as *mut c_void),
            (ffi::Py_nb_positive, unary_slot!(Me<'_>, myself)),
            (ffi::Py_mp_length, length_slot!(Me<'_>, length)),
            (ffi::Py_sq_length, length_slot!(Me<'_>, length)),
            (ffi::Py_mp_subscript, binary_slot!(Me<'_>, subscript)),
            (ffi::Py_sq_item, item as *mut c_void),
            (ffi::Py_bf_getbuffer, get_buffer as *mut c_void),
            (ffi::Py_bf_releasebuffer, release_buffer as *mut c_void),
        ],
    };
    // SAFETY: all functions take instances as `ArrayValue`.
    unsafe { spec.make::<ArrayValue>(py, module) }
}

methods! {
    static METHODS for Me<'_> {
        noargs "numpy" => numpy, "numpy($self, /)\n--\n\nA read-only ndarray on the same memory; its base is this Array.";
        noargs "tolist" => to_list, "tolist($self, /)\n--\n\nNested lists of Python scalars, as numpy.ndarray.tolist gives them.";
        noargs "tobytes" => to_bytes, "tobytes($self, /)\n--\n\nA copy of all elements in C order.";
        noargs "handle" => handle, "handle($self, /)\n--\n\nThe name of this Array: a tuple for crossbuf.open. It does not keep the Array alive.";
        noargs "release" => release, "release($self, /)\n--\n\nGives this reference back now. Views that are alive keep the memory; once numpy() was called, the\nArray keeps it until it is itself gone, as its ndarrays cannot be counted. Twice is fine.";
        noargs "__copy__" => myself, "__copy__($self, /)\n--\n\nThis Array: it is immutable.";
        one "__deepcopy__" => deep_copy, "__deepcopy__($self, memo, /)\n--\n\nThis Array: it is immutable.";
        noargs "__reduce__" => reduce, "__reduce__($self, /)\n--\n\nThe same Array, for one unpickling in this process.";
        noargs "__enter__" => myself, "__enter__($self, /)\n--\n\nThis Array; leaving the block releases it.";
        fast "__exit__" => exit, "__exit__($self, /, *exception)\n--\n\nReleases this Array.";
    }
}

getters! {
    static GETTERS for Me<'_> {
        "dtype" => layout::dtype, "The dtype as NumPy writes it, such as '<f8'.";
        "format" => layout::format, "The PEP 3118 format of an element.";
        "itemsize" => layout::itemsize, "Bytes of one element.";
        "ndim" => layout::ndim, "Number of axes.";
        "shape" => layout::shape, "Lengths of the axes.";
        "strides" => layout::strides, "Bytes from one element to the next, by axis.";
        "suboffsets" => suboffsets, "Always (): elements are never behind pointers.";
        "size" => layout::size, "Number of elements.";
        "nbytes" => layout::nbytes, "size * itemsize.";
        "readonly" => readonly, "Always True.";
        "c_contiguous" => layout::c_contiguous, "Whether elements lie in C order without gaps.";
        "f_contiguous" => layout::f_contiguous, "Whether elements lie in Fortran order without gaps.";
        "contiguous" => layout::contiguous, "Whether elements lie in C or Fortran order without gaps.";
        "address" => address, "The address of the first element, the same in every interpreter of this process.";
        "T" => transposed, "The Array with its axes reversed, on the same memory.";
    }
}

pub(in crate::cpython) fn numpy(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    let array = this.get(py)?;
    let ndarray = numpy_api::ndarray(py, State::of(py, this)?, array.as_ptr(), array.meta(), false, this.object())?;
    this.pin();
    Ok(ndarray)
}

fn to_list(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    let array = this.get(py)?.clone();
    nested(py, &array, 0, 0)
}

/// Lists for the axes from `axis` on, scalars at the bottom; `distance` leads from the first element to the first of these.
fn nested(py: Attached<'_>, array: &crate::Array, axis: usize, distance: isize) -> PyResult<Owned> {
    let meta = array.meta();
    let Some(&length) = meta.shape().get(axis) else {
        return element(py, array, distance);
    };
    let stride = meta.strides()[axis];
    let parts = (0..length).map(|at| nested(py, array, axis + 1, distance + at as isize * stride));
    Owned::list(py, parts.collect::<PyResult<Vec<_>>>()?)
}

/// The Python value of one element.
fn element(py: Attached<'_>, array: &crate::Array, distance: isize) -> PyResult<Owned> {
    match array.scalar(distance) {
        Ok(scalar) => scalars::to_python(py, &scalar),
        Err(error) => Err(Raised::value_error(py, &error.to_string())),
    }
}

fn to_bytes(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    let array = this.get(py)?.clone();
    let nbytes = array.meta().nbytes();
    Owned::bytes_written(py, nbytes, |target| if nbytes < LONG_COPY { array.gather(target) } else { detach(py, || array.gather(target)) })
}

/// Others can ask for the Array from now on.
fn handle(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    let array = this.get(py)?.clone();
    let state = State::of(py, this)?;
    detach(py, process::serve).map_err(|error| state.errors.raise(py, &error))?;
    handles::to_python(py, &array.handle())
}

fn release(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    this.released.set(true);
    if !this.pinned.get() {
        // The block may be freed here, so the cell is left first. Somebody reading now keeps it until the instance goes.
        let array = this.array.try_borrow_mut().ok().and_then(|mut array| array.take());
        drop(array);
    }
    Ok(Owned::none(py))
}

fn exit(this: Me<'_>, py: Attached<'_>, _exception: Arguments<'_>) -> PyResult<Owned> {
    release(this, py)
}

fn myself(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    this.get(py)?;
    Ok(this.object().to_owned(py))
}

fn deep_copy(this: Me<'_>, py: Attached<'_>, _memo: Borrowed<'_>) -> PyResult<Owned> {
    myself(this, py)
}

fn reduce(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    tickets::reduce(py, State::of(py, this)?, this.object())
}

fn repr(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    if this.released.get() {
        return Owned::text(py, "<released crossbuf.Array>");
    }
    let array = this.get(py)?.clone();
    const SHOWN: usize = 6;
    let mut values = Vec::with_capacity(SHOWN + 1);
    for distance in array.distances().take(SHOWN) {
        values.push(element(py, &array, distance)?.get().describe(py));
    }
    if array.meta().size() > SHOWN {
        values.push("...".to_owned());
    }
    let shape = Owned::sizes(py, array.meta().shape())?.get().describe(py);
    Owned::text(py, &format!("<crossbuf.Array shape={shape} dtype='{}' values: {}>", array.meta().dtype(), values.join(" ")))
}

fn iterate(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    first_axis(py, &*this.get(py)?)?;
    // SAFETY: attached, the object is alive and is a sequence.
    unsafe { Owned::from_result(py, ffi::PySeqIter_New(this.object().as_ptr())) }
}

fn length(this: Me<'_>, py: Attached<'_>) -> PyResult<usize> {
    first_axis(py, &*this.get(py)?)
}

/// Length of the first axis. Errors with TypeError on a 0-d array.
fn first_axis(py: Attached<'_>, array: &crate::Array) -> PyResult<usize> {
    let first = array.meta().shape().first().copied();
    first.ok_or_else(|| Raised::type_error(py, "a 0-d Array has no length; index it with [()] for its scalar"))
}

fn subscript(this: Me<'_>, py: Attached<'_>, index: Borrowed<'_>) -> PyResult<Owned> {
    let indices = indexing::indices(py, index)?;
    select(this, py, &indices)
}

/// A scalar when an int is given for every axis, else an Array on the same memory.
fn select(this: Me<'_>, py: Attached<'_>, indices: &[Index]) -> PyResult<Owned> {
    let state = State::of(py, this)?;
    let part = this.get(py)?.slice(indices).map_err(|error| state.errors.raise(py, &error))?;
    let full = part.meta().ndim() == 0 && !indices.contains(&Index::Ellipsis);
    if full { element(py, &part, 0) } else { create(py, state, part, this.for_ndarray) }
}

/// `sq_item`, for iteration: CPython has added the length to negative numbers.
unsafe extern "C" fn item(slf: *mut ffi::PyObject, at: ffi::Py_ssize_t) -> *mut ffi::PyObject {
    // SAFETY: CPython calls a slot with its own live `self`, on an attached thread.
    unsafe { unary(slf, |this: Me<'_>, py| select(this, py, &[Index::At(at)])) }
}

/// `==` and `!=`: equal shapes and equal elements, whatever their dtypes.
unsafe extern "C" fn rich_compare(slf: *mut ffi::PyObject, other: *mut ffi::PyObject, operation: c_int) -> *mut ffi::PyObject {
    // SAFETY: CPython calls a slot with its own live `self` and a live object, on an attached thread.
    unsafe { binary(slf, other, |this: Me<'_>, py, other| compare(this, py, other, operation)) }
}

fn compare(this: Me<'_>, py: Attached<'_>, other: Borrowed<'_>, operation: c_int) -> PyResult<Owned> {
    let Some(other) = cast(py, State::of(py, this)?, other).filter(|_| matches!(operation, ffi::Py_EQ | ffi::Py_NE)) else {
        return Ok(Owned::not_implemented(py));
    };
    let (left, right) = (this.get(py)?.clone(), other.get(py)?.clone());
    let equal = detach(py, || left.equals(&right));
    Ok(Owned::bool(py, equal == (operation == ffi::Py_EQ)))
}

unsafe extern "C" fn get_buffer(slf: *mut ffi::PyObject, view: *mut ffi::Py_buffer, flags: c_int) -> c_int {
    // SAFETY: CPython calls a slot with its own live `self` and a view to fill, on an attached thread; `obj` is NULL where it fails.
    unsafe {
        (*view).obj = std::ptr::null_mut();
        unary(slf, |this: Me<'_>, py| {
            let array = this.get(py)?.clone();
            let exported = Exported { start: array.as_ptr().cast_mut(), writable: false, meta: array.meta().clone(), keeper: Some(array) };
            buffer_protocol::fill(py, this.object(), exported, &mut *view, flags)
        })
    }
}

unsafe extern "C" fn release_buffer(_: *mut ffi::PyObject, view: *mut ffi::Py_buffer) {
    // SAFETY: CPython passes a view that `get_buffer` filled, once.
    unsafe { buffer_protocol::release((*view).internal) }
}

fn suboffsets(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    this.get(py)?;
    Owned::tuple(py, [])
}

fn readonly(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    this.get(py)?;
    Ok(Owned::bool(py, true))
}

fn address(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    Owned::size(py, this.get(py)?.address())
}

fn transposed(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    create(py, State::of(py, this)?, this.get(py)?.transpose(), this.for_ndarray)
}
