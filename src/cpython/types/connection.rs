//! `crossbuf.Connection`.

use pyo3_ffi as ffi;

use crate::cpython::safe::entry::unary_slot;
use crate::cpython::safe::{
    Arguments, Attached, Borrowed, ClassSpec, Instance, Owned, PyResult, Signature, This, detach, getters, methods,
};
use crate::cpython::state::State;
use crate::cpython::waiting;
use crate::process::{self, Thing};

type Me<'a> = This<'a, process::Connection>;

pub(in crate::cpython) fn class(py: Attached<'_>, module: Borrowed<'_>) -> PyResult<Owned> {
    let spec = ClassSpec {
        name: c"crossbuf.Connection",
        doc:
            c"The way to what another program has published. Made by crossbuf.connect.\n\n\
            It holds nothing, so there is nothing to close: the ends and Arrays that come from it are closed and released on their own.\n\
            Its methods raise ServiceError when there is no such thing, which says what there is, and StaleHandle when the service is gone.",
        methods: METHODS.0,
        getters: GETTERS.0,
        slots: vec![(ffi::Py_tp_repr, unary_slot!(Me<'_>, repr))],
    };
    // SAFETY: all functions take instances as `process::Connection`.
    unsafe { spec.make::<process::Connection>(py, module) }
}

methods! {
    static METHODS for Me<'_> {
        one "sender" => sender, "sender($self, name, /)\n--\n\nA new Sender of the published channel of that name.";
        one "receiver" => receiver, "receiver($self, name, /)\n--\n\nA new Receiver of the published channel of that name.";
        one "array" => published_array, "array($self, name, /)\n--\n\nThe published Array of that name: the publisher's memory, not a copy.";
    }
}

getters! {
    static GETTERS for Me<'_> {
        "name" => name, "The name of the service.";
        "pid" => pid, "The number of its process.";
    }
}

/// `crossbuf.connect`
pub(in crate::cpython) fn connect(state: &State, py: Attached<'_>, arguments: Arguments<'_>) -> PyResult<Owned> {
    const SIGNATURE: Signature<1> = Signature { function: "connect", names: ["name"], required: 1, positional: 1 };
    let [name] = arguments.bind(py, &SIGNATURE)?;
    let name = name.expect("bind checks what is required").text_argument(py, "name")?;
    let mut dialling = detach(py, || process::dial(name)).map_err(|error| state.errors.raise(py, &error))?;
    let connection = waiting::attend(py, state, |patience| dialling.wait(patience))?;
    // SAFETY: `class` made it for this value.
    unsafe { Instance::create(py, state.types.connection.get(), connection) }
}

/// What is published under a name.
fn find(this: Me<'_>, py: Attached<'_>, thing: Thing, name: Borrowed<'_>) -> PyResult<Owned> {
    let state = State::of(py, this)?;
    let (connection, name) = (this.value(), name.text_argument(py, "name")?);
    let asked = detach(py, || connection.begin_find(thing, name)).map_err(|error| state.errors.raise(py, &error))?;
    waiting::answer(py, state, asked)?.into_python(py, state)
}

fn sender(this: Me<'_>, py: Attached<'_>, name: Borrowed<'_>) -> PyResult<Owned> {
    find(this, py, Thing::Sender, name)
}

fn receiver(this: Me<'_>, py: Attached<'_>, name: Borrowed<'_>) -> PyResult<Owned> {
    find(this, py, Thing::Receiver, name)
}

fn published_array(this: Me<'_>, py: Attached<'_>, name: Borrowed<'_>) -> PyResult<Owned> {
    find(this, py, Thing::Array, name)
}

fn name(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    Owned::text(py, this.value().name())
}

fn pid(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    Owned::unsigned(py, this.value().pid().into())
}

fn repr(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    let connection = this.value();
    Owned::text(py, &format!("<crossbuf.Connection {:?} pid={}>", connection.name(), connection.pid()))
}
