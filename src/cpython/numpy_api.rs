//! NumPy's C API, looked up for each interpreter.
//!
//! ```text
//! numpy._core._multiarray_umath._ARRAY_API     a capsule with a table of addresses
//!     slots 0, 211       versions
//!     slots 2, 3, 10     the classes ndarray, dtype, generic
//!     slots 45, 94, 95, 282   PyArray_DescrFromType, _NewFromDescr, _DescrNew, _SetBaseObject
//! ```
//! The slots are the same in NumPy 1.26 and every NumPy 2. An interpreter may have a NumPy of its own, so the table is
//! never kept in a global. Nothing here imports NumPy to find out whether an object is an ndarray: where nobody has
//! imported it, no object is one.

use std::cell::OnceCell;
use std::ffi::{c_int, c_uint, c_void};

use pyo3_ffi as ffi;

use super::layout_cache::LayoutCache;
use super::numpy_dtypes::{self, DTypeCache};
use super::numpy_layout::{Descr, NdArray};
use super::safe::{Attached, Borrowed, Owned, PyResult, Raised};
use super::state::State;
use crate::array::ArrayMeta;

/// What one interpreter knows of NumPy.
#[derive(Default)]
pub(super) struct NumPy {
    /// Empty until somebody has imported NumPy.
    api: OnceCell<Api>,
    /// Why our own import failed, once it has. It is not tried again: that costs milliseconds in an interpreter where NumPy
    /// cannot live. A NumPy that somebody else brings in later is found all the same.
    refusal: OnceCell<String>,
    pub(super) dtypes: DTypeCache,
    pub(super) layouts: LayoutCache,
}

/// Addresses of NumPy's functions, with the types that `numpy/__multiarray_api.h` gives them.
///
/// Invariant 1: all come from the table of this interpreter's NumPy, whose versions were checked.
/// Invariant 2: `_module` keeps the library that holds them loaded.
pub(super) struct Api {
    ndarray: Owned,
    dtype: Owned,
    generic: Owned,
    descr_from_type: DescrFromType,
    descr_new: DescrNew,
    new_from_descr: NewFromDescr,
    set_base_object: SetBaseObject,
    _module: Owned,
}

type Version = unsafe extern "C" fn() -> c_uint;
/// type number
type DescrFromType = unsafe extern "C" fn(c_int) -> *mut ffi::PyObject;
/// dtype
type DescrNew = unsafe extern "C" fn(*mut ffi::PyObject) -> *mut ffi::PyObject;
/// ndarray, base (taken over)
type SetBaseObject = unsafe extern "C" fn(*mut ffi::PyObject, *mut ffi::PyObject) -> c_int;
/// class, dtype (taken over), axes, lengths, strides, memory, flags, object for `__array_finalize__`
type NewFromDescr = unsafe extern "C" fn(
    *mut ffi::PyTypeObject,
    *mut ffi::PyObject,
    c_int,
    *const isize,
    *const isize,
    *mut c_void,
    c_int,
    *mut ffi::PyObject,
) -> *mut ffi::PyObject;

/// `NPY_ARRAY_WRITEABLE`
const WRITEABLE: c_int = 0x0400;

/// Binary interfaces of NumPy 1 and NumPy 2, and the first feature versions in which all of this was as it is.
const KNOWN: [(c_uint, c_uint); 2] = [(0x0100_0009, 0x11), (0x0200_0000, 0x12)];

/// An ndarray on foreign memory, which `base` keeps alive. Errors with ImportError where NumPy cannot be imported.
pub(super) fn ndarray(
    py: Attached<'_>,
    state: &State,
    start: *const u8,
    meta: &ArrayMeta,
    writable: bool,
    base: Borrowed<'_>,
) -> PyResult<Owned> {
    let api = imported(py, state)?;
    let descr = match numpy_dtypes::number(meta.dtype()) {
        Some(number) => api.descr(py, number)?,
        None => numpy_dtypes::to_numpy(py, state, api, meta.dtype())?,
    };
    api.view(py, descr, start, meta, writable, base)
}

/// Whether ndarrays can be made in this interpreter. Imports NumPy when asked for the first time.
pub(super) fn is_available(py: Attached<'_>, state: &State) -> bool {
    let answer = match loaded(py, state) {
        Ok(None) if state.numpy.refusal.get().is_none() => imported(py, state).map(Some),
        answer => answer,
    };
    match answer {
        Ok(api) => api.is_some(),
        Err(raised) => {
            drop(raised.take(py));
            false
        }
    }
}

/// The API of a NumPy that somebody has imported in this interpreter.
pub(super) fn loaded<'s>(py: Attached<'_>, state: &'s State) -> PyResult<Option<&'s Api>> {
    if let Some(api) = state.numpy.api.get() {
        return Ok(Some(api));
    }
    Ok(match find(py)? {
        Some(Ok(api)) => Some(state.numpy.api.get_or_init(|| api)),
        // Arrays of a NumPy whose version is unknown can still be read by the buffer protocol.
        Some(Err(_)) | None => None,
    })
}

/// Whether `object` is an ndarray, not one of a derived class.
pub(super) fn is_ndarray(py: Attached<'_>, state: &State, object: Borrowed<'_>) -> PyResult<bool> {
    Ok(loaded(py, state)?.is_some_and(|api| api.is_exactly_ndarray(py, object)))
}

/// The API, importing NumPy where nobody has yet. Errors with ImportError.
fn imported<'s>(py: Attached<'_>, state: &'s State) -> PyResult<&'s Api> {
    let numpy = &state.numpy;
    if let Some(api) = loaded(py, state)? {
        return Ok(api);
    }
    if let Some(refusal) = numpy.refusal.get() {
        return Err(Raised::import_error(py, refusal));
    }
    let reason = match Owned::import(py, c"numpy") {
        Ok(_) => match find(py)? {
            Some(Ok(api)) => return Ok(numpy.api.get_or_init(|| api)),
            Some(Err(version)) => version,
            None => "the module has no _ARRAY_API".to_owned(),
        },
        Err(raised) if raised.is_import_error(py) => first_cause(py, raised.take(py))?,
        Err(raised) => return Err(raised),
    };
    let refusal = format!(
        "no ndarray can be made, as this interpreter cannot use NumPy: {reason}; an Array can be read without it: \
         by indexing, iteration, tolist(), tobytes() and memoryview()"
    );
    Err(Raised::import_error(py, numpy.refusal.get_or_init(|| refusal)))
}

/// What the first of a chain of exceptions says; NumPy wraps the one that matters in a page of advice.
fn first_cause(py: Attached<'_>, mut exception: Owned) -> PyResult<String> {
    loop {
        let cause = exception.get().attribute(py, c"__cause__")?;
        if cause.get().is_none() {
            return exception.get().words(py);
        }
        exception = cause;
    }
}

/// The API of the NumPy in `sys.modules`; the text says why it cannot be used.
fn find(py: Attached<'_>) -> PyResult<Option<Result<Api, String>>> {
    // Its modules can only be there when it is; asking for one name is cheaper than for two.
    if Owned::imported(py, "numpy")?.is_none() {
        return Ok(None);
    }
    // Up to 1.26 the package had another name.
    for name in ["numpy._core._multiarray_umath", "numpy.core._multiarray_umath"] {
        let Some(module) = Owned::imported(py, name)? else { continue };
        // Absent while another thread is in the midst of importing it.
        if let Some(capsule) = module.get().find_attribute(py, c"_ARRAY_API")? {
            let table = capsule.get().capsule(py, None)?;
            // SAFETY: NumPy's own capsule holds the address of its table, which lives as long as the module.
            return Ok(Some(unsafe { Api::read(py, table.cast(), module) }));
        }
    }
    Ok(None)
}

impl Api {
    /// # Safety
    /// `table` is what NumPy's `_ARRAY_API` holds, and `module` keeps it alive.
    unsafe fn read(py: Attached<'_>, table: *const *mut c_void, module: Owned) -> Result<Api, String> {
        // SAFETY: every NumPy has more slots than those asked for below.
        let slot = |at: usize| unsafe { table.wrapping_add(at).read() };
        // SAFETY: slots 0 and 211 are such functions in every NumPy since 1.4: `PyArray_GetNDArrayCVersion`, `..FeatureVersion`.
        let version = |at| unsafe { std::mem::transmute::<*mut c_void, Version>(slot(at)) };
        // SAFETY: attached.
        let abi = unsafe { version(0)() };
        // SAFETY: attached.
        let feature = unsafe { version(211)() };
        if !KNOWN.iter().any(|&(known, first)| abi == known && feature >= first) {
            return Err(format!(
                "its C API has version {abi:#x} with features {feature:#x}, crossbuf knows NumPy 1.26 and 2; install one of these"
            ));
        }
        // SAFETY: slots 2, 3 and 10 are the addresses of classes, which live as long as the module.
        let class = |at| unsafe { Borrowed::from_ptr(slot(at).cast()) }.to_owned(py);
        Ok(Api {
            ndarray: class(2),
            dtype: class(3),
            generic: class(10),
            // SAFETY: in the versions just checked this slot is that function.
            descr_from_type: unsafe { std::mem::transmute::<*mut c_void, DescrFromType>(slot(45)) },
            // SAFETY: as above.
            new_from_descr: unsafe { std::mem::transmute::<*mut c_void, NewFromDescr>(slot(94)) },
            // SAFETY: as above.
            descr_new: unsafe { std::mem::transmute::<*mut c_void, DescrNew>(slot(95)) },
            // SAFETY: as above.
            set_base_object: unsafe { std::mem::transmute::<*mut c_void, SetBaseObject>(slot(282)) },
            _module: module,
        })
    }

    /// `object` as an ndarray, if it is one or derives from it.
    pub(super) fn as_ndarray<'a>(&self, py: Attached<'_>, object: Borrowed<'a>) -> Option<NdArray<'a>> {
        // SAFETY: an ndarray, alive for `'a`.
        object.derives_from(py, self.ndarray.get()).then(|| unsafe { NdArray::new(object) })
    }

    /// Whether `object` is an ndarray and nothing more.
    pub(super) fn is_exactly_ndarray(&self, py: Attached<'_>, object: Borrowed<'_>) -> bool {
        object.is_exactly(py, self.ndarray.get())
    }

    /// Whether `object` is one of NumPy's scalars.
    pub(super) fn is_scalar(&self, py: Attached<'_>, object: Borrowed<'_>) -> bool {
        object.derives_from(py, self.generic.get())
    }

    /// `object` as a dtype, if it is one.
    pub(super) fn as_descr<'a>(&self, py: Attached<'_>, object: Borrowed<'a>) -> Option<Descr<'a>> {
        // SAFETY: a dtype, alive for `'a`.
        object.derives_from(py, self.dtype.get()).then(|| unsafe { Descr::new(object) })
    }

    /// `numpy.dtype`
    pub(super) fn dtype(&self) -> Borrowed<'_> {
        self.dtype.get()
    }

    /// The dtype of a builtin number, in this machine's byte order.
    fn descr(&self, py: Attached<'_>, number: c_int) -> PyResult<Owned> {
        // SAFETY: by invariant 1; attached.
        let descr = unsafe { (self.descr_from_type)(number) };
        // SAFETY: what the call returned, a new reference.
        unsafe { Owned::from_result(py, descr) }
    }

    /// A dtype equal to `descr` and independent of what is assigned to its `names`.
    pub(super) fn copied(&self, py: Attached<'_>, descr: Descr<'_>) -> PyResult<Owned> {
        // SAFETY: by invariant 1; attached, the dtype is alive.
        let copy = unsafe { (self.descr_new)(descr.object().as_ptr()) };
        // SAFETY: what the call returned, a new reference.
        unsafe { Owned::from_result(py, copy) }
    }

    fn view(
        &self,
        py: Attached<'_>,
        descr: Owned,
        start: *const u8,
        meta: &ArrayMeta,
        writable: bool,
        base: Borrowed<'_>,
    ) -> PyResult<Owned> {
        // SAFETY: by invariant 1; attached; the class is alive, the dtype is given away, one length and one stride for each
        // axis are there; NumPy does not touch the memory.
        let made = unsafe {
            (self.new_from_descr)(
                self.ndarray.as_ptr().cast(),
                descr.into_ptr(),
                meta.ndim() as c_int,
                meta.shape().as_ptr().cast(),
                meta.strides().as_ptr(),
                start.cast_mut().cast(),
                if writable { WRITEABLE } else { 0 },
                std::ptr::null_mut(),
            )
        };
        // SAFETY: what the call returned.
        let array = unsafe { Owned::from_result(py, made) }?;
        // SAFETY: by invariant 1; attached, the array is new, the reference to the base is given away even on failure.
        let code = unsafe { (self.set_base_object)(array.as_ptr(), base.to_owned(py).into_ptr()) };
        super::safe::check(py, code)?;
        Ok(array)
    }
}

impl NumPy {
    pub(super) fn visit(&self, visit: &mut dyn FnMut(&Owned) -> c_int) -> c_int {
        let api = self.api.get().map_or(0, |api| {
            [&api.ndarray, &api.dtype, &api.generic, &api._module].into_iter().map(&mut *visit).find(|&code| code != 0).unwrap_or(0)
        });
        if api != 0 { api } else { self.dtypes.visit(visit) }
    }
}
