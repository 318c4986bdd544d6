//! The way of all objects that are not native: pickle, with every array taken out of the stream.

use std::cell::OnceCell;
use std::ffi::c_int;

use crate::channel::{Encoder, Message};
use crate::cpython::intake::{self, ForCopies};
use crate::cpython::numpy_api;
use crate::cpython::safe::{Attached, Borrowed, Owned, PyResult};
use crate::cpython::shareable::Shared;
use crate::cpython::state::State;
use crate::cpython::types::array;

/// The functions of `crossbuf._pickling`, imported when the first message needs them.
#[derive(Default)]
pub(in crate::cpython) struct Pickling(OnceCell<Functions>);

struct Functions {
    dumps: Owned,
    loads: Owned,
}

impl Pickling {
    fn functions(&self, py: Attached<'_>) -> PyResult<&Functions> {
        if let Some(functions) = self.0.get() {
            return Ok(functions);
        }
        let module = Owned::import(py, c"crossbuf._pickling")?;
        let function = |name| module.get().attribute(py, name);
        // Another thread may have been quicker while Python code ran: then its functions, which are the same, stay.
        let functions = Functions { dumps: function(c"dumps")?, loads: function(c"loads")? };
        Ok(self.0.get_or_init(|| functions))
    }

    pub(in crate::cpython) fn visit(&self, visit: &mut dyn FnMut(&Owned) -> c_int) -> c_int {
        let Some(Functions { dumps, loads }) = self.0.get() else { return 0 };
        [dumps, loads].into_iter().map(visit).find(|&code| code != 0).unwrap_or(0)
    }
}

/// Errors with NotShareable, which names the part that cannot be pickled, and ArenaFull.
pub(super) fn encode(py: Attached<'_>, state: &State, object: Borrowed<'_>, arena: &ForCopies<'_>) -> PyResult<Message> {
    let dumped = state.pickling.functions(py)?.dumps.get().call(py, [object])?;
    let (stream, attachments) = (dumped.get().tuple_item(py, 0)?, dumped.get().tuple_item(py, 1)?);
    let attachments = attachments.get().items(py)?;
    let mut encoder = Encoder::default();
    encoder.pickle(stream.get().as_bytes(py)?, attachments.len());
    for attachment in attachments {
        attach(py, state, &mut encoder, attachment.get(), arena)?;
    }
    Ok(encoder.finish())
}

/// An Array, channel end, ndarray or exporter of a buffer.
fn attach(py: Attached<'_>, state: &State, encoder: &mut Encoder, object: Borrowed<'_>, arena: &ForCopies<'_>) -> PyResult<()> {
    if let Some(array) = array::cast(py, state, object) {
        return array.write(py, encoder);
    }
    match Shared::of(py, state, object)? {
        Some(Shared::Array(array)) => encoder.array(array),
        Some(Shared::Sender(sender)) => encoder.sender(sender),
        Some(Shared::Receiver(receiver)) => encoder.receiver(receiver),
        None => {
            let array = intake::share_for_message(py, state, object, arena)?;
            if numpy_api::is_ndarray(py, state, object)? { encoder.ndarray(array) } else { encoder.array(array) }
        }
    }
    Ok(())
}

/// Errors with what unpickling raises.
pub(super) fn decode(py: Attached<'_>, state: &State, stream: &[u8], attachments: Vec<Owned>) -> PyResult<Owned> {
    let (stream, attachments) = (Owned::bytes(py, stream)?, Owned::list(py, attachments)?);
    state.pickling.functions(py)?.loads.get().call(py, [stream.get(), attachments.get()])
}
