//! A walk through the native part of an object: containers before their items, keys before their values.
//!
//! Nothing here recurses, so depth costs no stack. Each container is held by a reference of its own and asked for its length
//! anew at each step: other threads may change it as soon as this one lets go of the interpreter.

use pyo3_ffi::Py_ssize_t;

use crate::channel::MAX_DEPTH;
use crate::cpython::numpy_api;
use crate::cpython::safe::{Attached, Basic, Borrowed, Owned, PyResult, Raised};
use crate::cpython::state::State;
use crate::cpython::types::{array, ends};

/// What an object is to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// `Basic` containers are followed by their items, and dicts by keys and values in turn.
    Basic(Basic, usize),
    Array,
    NdArray,
    Sender,
    Receiver,
    /// Nothing native.
    Foreign,
}

impl Part {
    /// Whether a receiver could tell two references to one such object from references to two equal ones.
    pub(super) fn has_identity(self) -> bool {
        !matches!(self, Part::Basic(basic, _) if !matches!(basic, Basic::List | Basic::Dict))
    }

    fn of(py: Attached<'_>, state: &State, object: Borrowed<'_>) -> PyResult<Part> {
        Ok(match object.basic(py) {
            Some(basic) if basic.is_container() => Part::Basic(basic, object.length(py)?),
            Some(basic) => Part::Basic(basic, 0),
            None if array::cast(py, state, object).is_some() => Part::Array,
            None if numpy_api::is_ndarray(py, state, object)? => Part::NdArray,
            None if ends::cast::<crate::Sender>(py, state, object).is_some() => Part::Sender,
            None if ends::cast::<crate::Receiver>(py, state, object).is_some() => Part::Receiver,
            None => Part::Foreign,
        })
    }
}

/// A container on the way down.
struct Level {
    container: Owned,
    kind: Basic,
    /// How many items it had when the walk came to it.
    len: usize,
    /// How many of them the walk has seen.
    seen: usize,
    /// The place in a dict.
    place: Py_ssize_t,
    /// The value that belongs to the key seen last.
    value: Option<Owned>,
}

/// The walk.
pub(super) struct Walk<'s> {
    state: &'s State,
    start: Option<Owned>,
    levels: Vec<Level>,
}

impl<'s> Walk<'s> {
    pub(super) fn new(py: Attached<'_>, state: &'s State, object: Borrowed<'_>) -> Walk<'s> {
        Walk { state, start: Some(object.to_owned(py)), levels: Vec::new() }
    }

    /// The next object. Errors with NotShareable when it lies too deep, RuntimeError when a container has changed its size.
    pub(super) fn next(&mut self, py: Attached<'_>) -> PyResult<Option<(Owned, Part)>> {
        let object = match self.start.take() {
            Some(start) => start,
            None => match self.advance(py)? {
                Some(object) => object,
                None => return Ok(None),
            },
        };
        let part = Part::of(py, self.state, object.get())?;
        if let Part::Basic(kind, len) = part
            && kind.is_container()
        {
            if self.levels.len() == MAX_DEPTH {
                let text =
                    format!("the message is nested more than {MAX_DEPTH} deep; send a flatter one, or its parts in messages of their own");
                return Err(self.state.errors.not_shareable(py, &text));
            }
            self.levels.push(Level { container: object.get().to_owned(py), kind, len, seen: 0, place: 0, value: None });
        }
        Ok(Some((object, part)))
    }

    /// Leaves out the items of the container that came last.
    pub(super) fn skip(&mut self) {
        self.levels.pop();
    }

    /// The next item of the innermost container that has one.
    fn advance(&mut self, py: Attached<'_>) -> PyResult<Option<Owned>> {
        while let Some(level) = self.levels.last_mut() {
            match level.next(py)? {
                None => self.levels.pop(),
                item => return Ok(item),
            };
        }
        Ok(None)
    }
}

impl Level {
    fn next(&mut self, py: Attached<'_>) -> PyResult<Option<Owned>> {
        if let Some(value) = self.value.take() {
            return Ok(Some(value));
        }
        let container = self.container.get();
        if container.length(py)? != self.len {
            return Err(changed(py));
        }
        if self.seen == self.len {
            return Ok(None);
        }
        let at = self.seen;
        self.seen += 1;
        match self.kind {
            Basic::Tuple => container.tuple_item(py, at).map(Some),
            Basic::List => container.list_item(py, at).map(Some),
            _ => {
                let (key, value) = container.dict_next(py, &mut self.place).ok_or_else(|| changed(py))?;
                self.value = Some(value);
                Ok(Some(key))
            }
        }
    }
}

fn changed(py: Attached<'_>) -> Raised {
    Raised::runtime_error(py, "a list or dict in the message was changed by another thread while it was being sent; send a copy")
}
