//! From a module's spec to the module, as CPython's own loader does it, but of a private copy.

use std::path::Path;

use pyo3_ffi as ffi;

use super::Refusal;
use super::definition::declare_support;
use super::image::Image;
use super::registry::{self, Loaded};
use crate::cpython::safe::{Attached, Borrowed, Owned, PyResult, Raised, check, interpreter_id};
use crate::cpython::state::State;

/// How much is known about the package that a module belongs to.
#[derive(Clone, Copy)]
pub(in crate::cpython) struct Trust {
    /// Its modules that are initialized in one phase work.
    pub(in crate::cpython) single_phase: bool,
    /// Its copies can be unloaded.
    pub(in crate::cpython) unloadable: bool,
}

/// The module of `spec`, not executed yet. Errors with IsolationError, and with what the module's own initialization raises.
pub(in crate::cpython) fn load(py: Attached<'_>, state: &State, spec: Borrowed<'_>, trust: Trust) -> PyResult<Owned> {
    let name = spec.attribute(py, c"name")?.get().to_text(py)?;
    let path = spec.attribute(py, c"origin")?.get().to_text(py)?;
    let refused = |refusal: &Refusal| state.errors.isolation(py, &format!("{name} cannot be loaded from a private copy: {refusal}"));
    let symbol = format!("PyInit_{}", name.rsplit('.').next().unwrap_or_default());
    let (mut image, init) = Image::load(Path::new(&path), &symbol).map_err(|refusal| refused(&refusal))?;
    // SAFETY: attached, as CPython calls it.
    let made = unsafe { init() };
    // SAFETY: NULL, or what such a function returns: a definition or a module.
    let definition = unsafe { as_definition(made) };
    if let Some(definition) = definition {
        // SAFETY: it lies in the copy, which is this interpreter's own and new; the image keeps the slots as long as the copy.
        image.slots = Some(unsafe { declare_support(definition) });
    }
    // Code of the copy has run, so it stays until the interpreter is closed, whatever comes of the module.
    let about = Loaded { name: name.clone(), path: path.clone(), bytes: image.bytes };
    registry::add(interpreter_id(py), about, image, trust.unloadable);
    if made.is_null() {
        // SAFETY: NULL is its word for an exception.
        return Err(unsafe { Raised::promised(py) });
    }
    if let Some(definition) = definition {
        // SAFETY: attached; the definition is complete and the spec alive.
        return unsafe { Owned::from_result(py, ffi::PyModule_FromDefAndSpec2(definition, spec.as_ptr(), ffi::PYTHON_API_VERSION)) };
    }
    // SAFETY: a new reference, as it is no definition.
    let module = unsafe { Owned::from_ptr(made) };
    if !trust.single_phase {
        return Err(refused(&Refusal::SinglePhase { path }));
    }
    register(py, module.get())?;
    Ok(module)
}

/// Runs the rest of the module's initialization.
pub(in crate::cpython) fn execute(py: Attached<'_>, module: Borrowed<'_>) -> PyResult<()> {
    let Some(definition) = definition_of(py, module) else { return Ok(()) };
    // SAFETY: a module with a definition, alive.
    if unsafe { ffi::PyModule_GetState(module.as_ptr()) }.is_null() {
        // SAFETY: attached; the definition is the module's own.
        check(py, unsafe { ffi::PyModule_ExecDef(module.as_ptr(), definition) })?;
    }
    Ok(())
}

/// Makes a module that is initialized in a single phase known to its own code, which asks for it by its definition.
fn register(py: Attached<'_>, module: Borrowed<'_>) -> PyResult<()> {
    let Some(definition) = definition_of(py, module) else { return Ok(()) };
    // SAFETY: attached; the definition is the module's own.
    check(py, unsafe { ffi::PyState_AddModule(module.as_ptr(), definition) })?;
    Ok(())
}

fn definition_of(_: Attached<'_>, module: Borrowed<'_>) -> Option<*mut ffi::PyModuleDef> {
    // SAFETY: attached; the object is alive.
    if unsafe { ffi::PyModule_Check(module.as_ptr()) } == 0 {
        return None;
    }
    // SAFETY: a module, alive.
    let definition = unsafe { ffi::PyModule_GetDef(module.as_ptr()) };
    (!definition.is_null()).then_some(definition)
}

/// # Safety
/// Attached; NULL or a live object. What says that it is a definition is one.
unsafe fn as_definition(made: *mut ffi::PyObject) -> Option<*mut ffi::PyModuleDef> {
    if made.is_null() {
        return None;
    }
    // SAFETY: alive by the caller's promise.
    let class = unsafe { ffi::Py_TYPE(made) };
    std::ptr::eq(class, &raw const ffi::PyModuleDef_Type).then(|| made.cast())
}
