//! What one interpreter owns of this extension.

use std::ffi::{c_int, c_void};
use std::sync::Arc;

use pyo3_ffi as ffi;

use super::errors::Errors;
use super::lifetime::{ExitHook, Lifetime};
use super::messages::Pickling;
use super::numpy_api::NumPy;
use super::records::Records;
use super::safe::entry::FromSelf;
use super::safe::{Attached, Borrowed, Owned, PyResult, Raised, This};
use super::types::Types;

/// All objects that this extension keeps in one interpreter. It lives in the module object, behind a pointer.
///
/// Invariant 1: the pointer in the module's memory is NULL or leads to a `State` that only `free` drops, when nobody can
/// reach the module any more.
pub(super) struct State {
    pub(super) types: Types,
    pub(super) errors: Errors,
    pub(super) records: Records,
    pub(super) numpy: NumPy,
    pub(super) pickling: Pickling,
    pub(super) lifetime: Arc<Lifetime>,
    pub(super) exit_hook: ExitHook,
}

impl State {
    /// What the module's memory holds.
    pub(super) const SIZE: ffi::Py_ssize_t = size_of::<*mut State>() as ffi::Py_ssize_t;

    pub(super) fn new(py: Attached<'_>, module: Borrowed<'_>) -> PyResult<State> {
        Ok(State {
            types: Types::new(py, module)?,
            errors: Errors::default(),
            records: Records::default(),
            numpy: NumPy::default(),
            pickling: Pickling::default(),
            lifetime: Lifetime::current(py)?,
            exit_hook: ExitHook::default(),
        })
    }

    /// Puts it into a module that has none yet.
    pub(super) fn install(self, _: Attached<'_>, module: Borrowed<'_>) {
        // SAFETY: the module is one of ours, so it has memory for a pointer.
        let place: *mut *mut State = unsafe { ffi::PyModule_GetState(module.as_ptr()) }.cast();
        // SAFETY: that memory belongs to the module; called once, before anyone reads it.
        unsafe { place.write(Box::into_raw(Box::new(self))) };
    }

    /// The state of the interpreter in which the instance lives. Errors with RuntimeError while that interpreter goes away.
    pub(super) fn of<'a, T>(py: Attached<'_>, this: This<'a, T>) -> PyResult<&'a State> {
        // SAFETY: `This` is an instance of a class of ours.
        unsafe { State::of_instance(py, this.object()) }
    }

    /// As [`State::of`].
    ///
    /// # Safety
    /// `object` is an instance of a class of this module.
    pub(super) unsafe fn of_instance<'a>(py: Attached<'_>, object: Borrowed<'a>) -> PyResult<&'a State> {
        // SAFETY: the class of a live instance; the result is NULL with an exception when its module is gone.
        let place = unsafe { ffi::PyType_GetModuleState(ffi::Py_TYPE(object.as_ptr())) };
        // SAFETY: memory of a module of ours, or NULL.
        unsafe { State::at(place) }.ok_or_else(|| {
            // Any exception there is says the same with fewer words.
            Raised::runtime_error(py, "this interpreter is shutting down: crossbuf objects can no longer be used in it")
        })
    }

    /// The state of the interpreter to which this thread is attached; imports the extension where that has not happened yet.
    pub(super) fn current(py: Attached<'_>) -> PyResult<ModuleRef> {
        // Much faster than an import, which asks whether another thread is still at it.
        match Owned::imported(py, "crossbuf._core")? {
            Some(module) => Ok(ModuleRef(module)),
            None => Owned::import(py, c"crossbuf._core").map(ModuleRef),
        }
    }

    /// # Safety
    /// `place` is NULL or the memory of a module of ours that lives for `'a`.
    unsafe fn at<'a>(place: *mut c_void) -> Option<&'a State> {
        let place: *mut *mut State = place.cast();
        // SAFETY: by the caller's promise.
        let state = unsafe { place.as_ref() }?;
        // SAFETY: by invariant 1.
        unsafe { state.as_ref() }
    }

    fn visit(&self, visit: &mut dyn FnMut(&Owned) -> c_int) -> c_int {
        let parts = [
            self.types.visit(visit),
            self.errors.visit(visit),
            self.records.visit(visit),
            self.numpy.visit(visit),
            self.pickling.visit(visit),
            self.exit_hook.visit(visit),
        ];
        parts.into_iter().find(|&code| code != 0).unwrap_or(0)
    }
}

/// A module of ours that is kept alive to reach its state.
pub(super) struct ModuleRef(Owned);

impl ModuleRef {
    pub(super) fn state(&self, py: Attached<'_>) -> PyResult<&State> {
        let module = self.0.as_ptr();
        // SAFETY: attached, the object is alive; NULL with an exception for what is no module.
        let ours = std::ptr::eq(unsafe { ffi::PyModule_GetDef(module) }, super::module::definition());
        // SAFETY: the module is alive as long as `self`.
        let place = if ours { unsafe { ffi::PyModule_GetState(module) } } else { std::ptr::null_mut() };
        // SAFETY: memory of a module of ours, or NULL.
        unsafe { State::at(place) }.ok_or_else(|| {
            // Any exception there is says the same with fewer words.
            Raised::runtime_error(py, "crossbuf._core is not what this interpreter has in sys.modules under that name")
        })
    }
}

/// The receiver of a module's functions.
impl<'a> FromSelf<'a> for &'a State {
    unsafe fn from_self(module: *mut ffi::PyObject) -> Self {
        // SAFETY: CPython passes the module, alive during the call; functions are reachable only after `install`.
        unsafe { State::at(ffi::PyModule_GetState(module)) }.expect("a module of ours has a state before its functions can be called")
    }
}

/// `m_traverse`: shows the garbage collector what the state refers to.
pub(super) unsafe extern "C" fn traverse(module: *mut ffi::PyObject, visit: ffi::visitproc, argument: *mut c_void) -> c_int {
    // SAFETY: CPython passes a module of ours, attached; nothing is called but `visit`.
    unsafe {
        let state: Option<&State> = State::at(ffi::PyModule_GetState(module));
        state.map_or(0, |state| state.visit(&mut |object| visit(object.as_ptr(), argument)))
    }
}

/// `m_free`: the last use of the module.
pub(super) unsafe extern "C" fn free(module: *mut c_void) {
    // SAFETY: CPython passes the module when nobody else can reach it, attached.
    let place: *mut *mut State = unsafe { ffi::PyModule_GetState(module.cast()) }.cast();
    if place.is_null() {
        return;
    }
    // SAFETY: the memory of our module; emptied, so that a second call finds nothing.
    let state = unsafe { place.replace(std::ptr::null_mut()) };
    if !state.is_null() {
        // SAFETY: by invariant 1 a Box that nobody else drops.
        drop(unsafe { Box::from_raw(state) });
    }
}
