//! The standard library's own ways between interpreters carry Arrays, Senders and Receivers as they are: `Queue.put`,
//! `prepare_main`, `Interpreter.call` and what is built on them.
//!
//! ```text
//! sender's interpreter      get_data: object -> Box<Shared>
//! receiver's interpreter    new_object: Box<Shared> -> object, and takes the box away
//! any                       free: the box, if nobody has taken it
//! ```
//! CPython has no public interface for this. The functions below are looked up by name, and used with those versions only against
//! which they are tested; elsewhere the classes travel by pickle ([`tickets`](super::tickets)).
//!
//! That `new_object` takes the box is what keeps memory from leaking: CPython would free it by a pending call in the interpreter of
//! the sender, and those are lost when more than 300 are pending or that interpreter is gone.

use std::ffi::{CStr, c_int, c_void};

use pyo3_ffi as ffi;

use super::safe::entry::guarded;
use super::safe::{Attached, Borrowed, Owned, PyResult, Raised};
use super::state::State;
use super::types::{array, ends};

/// What crosses to other interpreters and processes as itself.
pub(super) type Shared = crate::channel::Attachment;

impl Shared {
    /// Another reference to the array, or another end of the channel. `None` for objects of other classes. Errors with ValueError
    /// when the Array was released.
    pub(super) fn of(py: Attached<'_>, state: &State, object: Borrowed<'_>) -> PyResult<Option<Shared>> {
        if let Some(array) = array::cast(py, state, object) {
            return Ok(Some(Shared::Array(array.get(py)?.clone())));
        }
        if let Some(sender) = ends::cast::<crate::Sender>(py, state, object) {
            return Ok(Some(Shared::Sender(sender.value().clone())));
        }
        Ok(ends::cast::<crate::Receiver>(py, state, object).map(|receiver| Shared::Receiver(receiver.value().clone())))
    }

    /// As `of`. Errors with TypeError for objects of other classes.
    pub(super) fn expected(py: Attached<'_>, state: &State, object: Borrowed<'_>) -> PyResult<Shared> {
        Shared::of(py, state, object)?.ok_or_else(|| Raised::type_error(py, "not an Array, Sender or Receiver of this interpreter"))
    }

    /// An object of this interpreter.
    pub(super) fn into_python(self, py: Attached<'_>, state: &State) -> PyResult<Owned> {
        match self {
            Shared::Array(array) => array::wrap(py, state, array),
            Shared::Sender(sender) => ends::wrap(py, state, sender),
            Shared::Receiver(receiver) => ends::wrap(py, state, receiver),
        }
    }
}

/// CPython's `_PyXIData_t`, before 3.14 `_PyCrossInterpreterData`.
///
/// Invariant 1: where `new_object` is ours, `data` is NULL or a `Box<Shared>`.
#[repr(C)]
struct CrossInterpreterData {
    data: *mut c_void,
    obj: *mut ffi::PyObject,
    interpid: i64,
    new_object: Option<unsafe extern "C" fn(*mut CrossInterpreterData) -> *mut ffi::PyObject>,
    free: Option<unsafe extern "C" fn(*mut c_void)>,
}

type GetData = unsafe extern "C" fn(*mut ffi::PyThreadState, *mut ffi::PyObject, *mut CrossInterpreterData) -> c_int;

/// `_PyXIData_getdata_t`: one of the two is set.
#[repr(C)]
struct Getters {
    basic: Option<GetData>,
    fallback: Option<unsafe extern "C" fn()>,
}

/// 3.12 and 3.13.
type RegisterClass = unsafe extern "C" fn(*mut ffi::PyTypeObject, GetData) -> c_int;
/// 3.14 and 3.15.
type RegisterClassWithFallback = unsafe extern "C" fn(*mut ffi::PyThreadState, *mut ffi::PyTypeObject, Getters) -> c_int;

/// Registers the classes of this interpreter. Where that is not possible they travel by pickle, so nothing is raised.
pub(super) fn register(py: Attached<'_>, state: &State) {
    for class in [&state.types.array, &state.types.sender, &state.types.receiver] {
        let class: *mut ffi::PyTypeObject = class.as_ptr().cast();
        // SAFETY: a constant of the running interpreter.
        let code = match unsafe { ffi::Py_Version } >> 16 {
            0x030c | 0x030d => {
                let Some(function) = symbol(c"_PyCrossInterpreterData_RegisterClass") else { return };
                // SAFETY: that is the function's type in these versions.
                let function: RegisterClass = unsafe { std::mem::transmute(function) };
                // SAFETY: attached; the class is alive; instances of it are what `get_data` expects.
                unsafe { function(class, get_data) }
            }
            0x030e | 0x030f => {
                let Some(function) = symbol(c"_PyXIData_RegisterClass") else { return };
                // SAFETY: that is the function's type in these versions.
                let function: RegisterClassWithFallback = unsafe { std::mem::transmute(function) };
                // SAFETY: attached.
                let thread = unsafe { ffi::PyThreadState_Get() };
                // SAFETY: attached to `thread`; the class is alive; instances of it are what `get_data` expects.
                unsafe { function(thread, class, Getters { basic: Some(get_data), fallback: None }) }
            }
            _ => return,
        };
        if code != 0 {
            // SAFETY: both functions set an exception when they fail.
            drop(unsafe { Raised::promised(py) }.take(py));
        }
    }
}

/// The address of a function of the running Python.
fn symbol(name: &CStr) -> Option<std::ptr::NonNull<c_void>> {
    // SAFETY: the name ends with NUL.
    std::ptr::NonNull::new(unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) })
}

/// Fills `data` in the sender's interpreter. CPython has zeroed it and sets the interpreter's number itself.
unsafe extern "C" fn get_data(_: *mut ffi::PyThreadState, object: *mut ffi::PyObject, data: *mut CrossInterpreterData) -> c_int {
    // SAFETY: CPython calls this attached, with a live instance of a registered class and memory to fill.
    unsafe {
        guarded(|py| {
            let object = Borrowed::from_ptr(object);
            let shared = Shared::expected(py, State::of_instance(py, object)?, object)?;
            (*data).data = Box::into_raw(Box::new(shared)).cast();
            // No object is kept, so nothing is to be given back in the sender's interpreter.
            (*data).obj = std::ptr::null_mut();
            (*data).new_object = Some(new_object);
            (*data).free = Some(free);
            Ok(())
        })
    }
}

/// Makes the object in the receiver's interpreter.
unsafe extern "C" fn new_object(data: *mut CrossInterpreterData) -> *mut ffi::PyObject {
    // SAFETY: CPython calls this attached, with what `get_data` filled.
    unsafe {
        guarded(|py| {
            let module = State::current(py)?;
            let state = module.state(py)?;
            let payload = std::mem::replace(&mut (*data).data, std::ptr::null_mut());
            if payload.is_null() {
                return Err(Raised::runtime_error(py, "this object was delivered before; it can be received once"));
            }
            // By invariant 1, and taken out, so that nobody else drops it.
            Box::from_raw(payload.cast::<Shared>()).into_python(py, state)
        })
    }
}

/// Drops what nobody received, in whatever interpreter.
unsafe extern "C" fn free(payload: *mut c_void) {
    // SAFETY: by invariant 1, called once.
    let shared = unsafe { Box::from_raw(payload.cast::<Shared>()) };
    // A panic may not cross into C.
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(shared)));
}
