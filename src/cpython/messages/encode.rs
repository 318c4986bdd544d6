//! Python object to message.
//!
//! Before anything is written or copied, a survey looks whether the native way is open. The ndarrays it finds are then brought into
//! shared memory, which may let other threads run. What is written after that is one moment's state of all lists and dicts.

use std::collections::VecDeque;

use fnv::FnvHashSet;
use smallvec::SmallVec;

use super::pickled;
use super::walk::{Part, Walk};
use crate::Arena;
use crate::channel::{Encoder, Message};
use crate::cpython::intake::{self, ForCopies};
use crate::cpython::safe::{Attached, Basic, Borrowed, Owned, PyResult};
use crate::cpython::state::State;
use crate::cpython::types::{array, ends};

/// The message for `object`. Errors with NotShareable when the receiver could not have it, ArenaFull, and what reading a released
/// Array gives. Copies are made in `arena`, or else in the process's own.
pub(in crate::cpython) fn encode(py: Attached<'_>, state: &State, object: Borrowed<'_>, arena: Option<&Arena>) -> PyResult<Message> {
    if let Some(message) = single(py, state, object)? {
        return Ok(message);
    }
    let arena = ForCopies::new(arena);
    let message = match survey(py, state, object)? {
        Some(found) => write(py, state, object, in_shared_memory(py, state, found, &arena)?)?,
        None => None,
    };
    message.map_or_else(|| pickled::encode(py, state, object, &arena), Ok)
}

/// The message for an Array, or for a basic value without items: by far the most common ones, which need no walk.
#[inline(always)]
fn single(py: Attached<'_>, state: &State, object: Borrowed<'_>) -> PyResult<Option<Message>> {
    let mut encoder = Encoder::default();
    if let Some(array) = array::cast(py, state, object) {
        array.write(py, &mut encoder)?;
    } else if let Some(basic) = object.basic(py).filter(|basic| !basic.is_container()) {
        write_basic(py, &mut encoder, object, basic, 0)?;
    } else {
        return Ok(None);
    }
    Ok(Some(encoder.finish()))
}

/// An ndarray, and the Array for it once there is one.
struct Found {
    ndarray: Owned,
    array: Option<crate::Array>,
}

/// The ndarrays in the message, in order; `None` when it must take the other way.
fn survey(py: Attached<'_>, state: &State, object: Borrowed<'_>) -> PyResult<Option<VecDeque<Found>>> {
    let (mut found, mut seen) = (VecDeque::new(), Seen::default());
    let mut native = true;
    let mut walk = Walk::new(py, state, object);
    // Once it is clear which way the message takes, only its depth is of interest: pickle would find that out on the stack.
    while let Some((object, part)) = walk.next(py)? {
        if part.has_identity() && !seen.insert(&object) {
            native = false;
            // A cycle has no end.
            walk.skip();
        }
        match part {
            Part::Foreign => native = false,
            Part::NdArray if native => match intake::existing(py, state, object.get()) {
                Ok(array) => found.push_back(Found { ndarray: object, array }),
                // Elements that are Python objects, say: pickle knows what to do with them.
                Err(raised) if state.errors.is_not_shareable(py, &raised) => {
                    drop(raised.take(py));
                    native = false;
                }
                Err(raised) => return Err(raised),
            },
            _ => {}
        }
    }
    Ok(native.then_some(found))
}

/// Copies those ndarrays that are not in shared memory.
fn in_shared_memory(py: Attached<'_>, state: &State, mut found: VecDeque<Found>, arena: &ForCopies<'_>) -> PyResult<VecDeque<Found>> {
    for Found { ndarray, array } in &mut found {
        if array.is_none() {
            *array = Some(intake::share_for_message(py, state, ndarray.get(), arena)?);
        }
    }
    Ok(found)
}

/// Writes the tokens. `None` when the object has changed since the survey, so that it must take the other way.
fn write(py: Attached<'_>, state: &State, object: Borrowed<'_>, mut found: VecDeque<Found>) -> PyResult<Option<Message>> {
    let mut encoder = Encoder::default();
    let mut walk = Walk::new(py, state, object);
    while let Some((object, part)) = walk.next(py)? {
        let object = object.get();
        match part {
            Part::Basic(basic, len) => write_basic(py, &mut encoder, object, basic, len)?,
            Part::Array => match array::cast(py, state, object) {
                Some(array) => array.write(py, &mut encoder)?,
                None => return Ok(None),
            },
            Part::NdArray => match found.pop_front() {
                Some(Found { ndarray, array: Some(array) }) if ndarray.get().is(object) => encoder.ndarray(array),
                _ => return Ok(None),
            },
            Part::Sender => match ends::cast::<crate::Sender>(py, state, object) {
                Some(sender) => encoder.sender(sender.value().clone()),
                None => return Ok(None),
            },
            Part::Receiver => match ends::cast::<crate::Receiver>(py, state, object) {
                Some(receiver) => encoder.receiver(receiver.value().clone()),
                None => return Ok(None),
            },
            Part::Foreign => return Ok(None),
        }
    }
    Ok(Some(encoder.finish()))
}

fn write_basic(py: Attached<'_>, encoder: &mut Encoder, object: Borrowed<'_>, basic: Basic, len: usize) -> PyResult<()> {
    match basic {
        Basic::None => encoder.none(),
        Basic::Bool => encoder.bool(object.is_truthy(py)?),
        Basic::Int => match object.small_int(py)? {
            Some(value) => encoder.int(value),
            None => encoder.big_int(object.int_bytes(py)?.get().as_bytes(py)?),
        },
        Basic::Float => encoder.float(object.as_f64(py)?),
        Basic::Complex => {
            let (real, imaginary) = object.complex_parts(py);
            encoder.complex(real, imaginary);
        }
        Basic::Str => match object.as_str(py) {
            Ok(text) => encoder.str(text),
            Err(raised) => {
                // Lone surrogates; anything else fails here again.
                drop(raised.take(py));
                encoder.surrogates(object.surrogate_bytes(py)?.get().as_bytes(py)?);
            }
        },
        Basic::Bytes => encoder.bytes(object.as_bytes(py)?),
        Basic::Tuple => encoder.tuple(len),
        Basic::List => encoder.list(len),
        Basic::Dict => encoder.dict(len),
    }
    Ok(())
}

/// The objects met so far, by their addresses. All of them are alive: nobody can change the message during the survey.
#[derive(Default)]
struct Seen {
    few: SmallVec<[usize; 16]>,
    /// Nobody chooses addresses, so a simple hash will do.
    many: FnvHashSet<usize>,
}

impl Seen {
    /// Whether it is new.
    fn insert(&mut self, object: &Owned) -> bool {
        let address = object.as_ptr().addr();
        if self.few.len() < self.few.inline_size() {
            let new = !self.few.contains(&address);
            if new {
                self.few.push(address);
            }
            return new;
        }
        !self.few.contains(&address) && self.many.insert(address)
    }
}
