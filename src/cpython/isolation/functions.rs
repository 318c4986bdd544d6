//! What `crossbuf/isolation.py` calls.

use super::load::{self, Trust};
use super::registry::Loaded;
use super::{openblas, registry};
use crate::cpython::safe::{Arguments, Attached, Borrowed, Owned, PyResult, Raised, Signature, interpreter_id};
use crate::cpython::state::State;

pub(in crate::cpython) fn load_copy(state: &State, py: Attached<'_>, arguments: Arguments<'_>) -> PyResult<Owned> {
    const SIGNATURE: Signature<3> =
        Signature { function: "_load_copy", names: ["spec", "single_phase", "unloadable"], required: 3, positional: 3 };
    let [spec, single_phase, unloadable] = arguments.bind(py, &SIGNATURE)?.map(|value| value.expect("bind checks what is required"));
    let trust = Trust { single_phase: single_phase.is_truthy(py)?, unloadable: unloadable.is_truthy(py)? };
    load::load(py, state, spec, trust)
}

pub(in crate::cpython) fn execute_copy(_: &State, py: Attached<'_>, module: Borrowed<'_>) -> PyResult<Owned> {
    load::execute(py, module)?;
    Ok(Owned::none(py))
}

pub(in crate::cpython) fn copies(_: &State, py: Attached<'_>) -> PyResult<Owned> {
    let described =
        |copy: &Loaded| Owned::tuple(py, [Owned::text(py, &copy.name)?, Owned::text(py, &copy.path)?, Owned::unsigned(py, copy.bytes)?]);
    Owned::list(py, registry::loaded(interpreter_id(py)).iter().map(described).collect::<PyResult<Vec<_>>>()?)
}

pub(in crate::cpython) fn unload_copies(_: &State, py: Attached<'_>, interpreter: Borrowed<'_>) -> PyResult<Owned> {
    let interpreter = interpreter.as_i64(py)?;
    if interpreter == interpreter_id(py) {
        return Err(Raised::runtime_error(py, &format!("interpreter {interpreter} runs this call and cannot lose its libraries")));
    }
    // SAFETY: `crossbuf.interpreters`, the only caller, has closed it.
    let number = unsafe { registry::unload(interpreter) };
    Owned::size(py, number)
}

pub(in crate::cpython) fn many_closed(_: &State, py: Attached<'_>, many: Borrowed<'_>) -> PyResult<Owned> {
    let many = usize::try_from(many.as_i64(py)?).unwrap_or(usize::MAX);
    registry::many_closed(many).map_or_else(|| Ok(Owned::none(py)), |closed| Owned::size(py, closed))
}

pub(in crate::cpython) fn hold_openblas(_: &State, py: Attached<'_>, threads: Borrowed<'_>) -> PyResult<Owned> {
    openblas::hold(i32::try_from(threads.as_i64(py)?).unwrap_or(i32::MAX));
    Ok(Owned::none(py))
}

pub(in crate::cpython) fn release_openblas(_: &State, py: Attached<'_>) -> PyResult<Owned> {
    openblas::release();
    Ok(Owned::none(py))
}
