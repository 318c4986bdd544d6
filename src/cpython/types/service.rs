//! `crossbuf.Service`.

use pyo3_ffi as ffi;

use crate::cpython::intake;
use crate::cpython::safe::entry::unary_slot;
use crate::cpython::safe::{
    Arguments, Attached, Borrowed, ClassSpec, Instance, Owned, PyResult, Signature, This, detach, getters, methods,
};
use crate::cpython::state::State;
use crate::cpython::types::{arena, array, ends};
use crate::process;

type Me<'a> = This<'a, process::Service>;

pub(in crate::cpython) fn class(py: Attached<'_>, module: Borrowed<'_>) -> PyResult<Owned> {
    let spec = ClassSpec {
        name: c"crossbuf.Service",
        doc: c"A name under which this program offers channels and Arrays to others of the same user. Made by crossbuf.publish.\n\n\
            It ends when it is closed or gone, or its process ends, however that happens; its name is free again at once.",
        methods: METHODS.0,
        getters: GETTERS.0,
        slots: vec![(ffi::Py_tp_repr, unary_slot!(Me<'_>, repr))],
    };
    // SAFETY: all functions take instances as `process::Service`.
    unsafe { spec.make::<process::Service>(py, module) }
}

methods! {
    static METHODS for Me<'_> {
        fast "channel" => channel, "channel($self, name, /, capacity=None)\n--\n\nPublishes a new channel; its first Sender and Receiver, as crossbuf.channel gives them.\n\nOthers get ends of their own, by Connection.sender and Connection.receiver. Raises ServiceError when the name is taken.";
        fast "share" => share, "share($self, name, object, /)\n--\n\nPublishes an Array with the elements of an ndarray or any exporter of buffers, copied unless they lie in an arena already.\n\nOthers get it by Connection.array. Raises ServiceError when the name is taken, NotShareable, ArenaFull.";
        noargs "close" => close, "close($self, /)\n--\n\nEnds the service: its name is free, and nothing in it is found any more. Twice is fine.\n\nEnds that anybody has stay open. Once the Senders here are closed, too, others get what is left and then Ended.";
        noargs "__enter__" => enter, "__enter__($self, /)\n--\n\nThis Service; leaving the block closes it.";
        fast "__exit__" => exit, "__exit__($self, /, *exception)\n--\n\nCloses this Service.";
    }
}

getters! {
    static GETTERS for Me<'_> {
        "name" => name, "The published name.";
        "closed" => closed, "Whether it was closed; also in a process that was forked from the publisher's.";
    }
}

/// `crossbuf.publish`
pub(in crate::cpython) fn publish(state: &State, py: Attached<'_>, arguments: Arguments<'_>) -> PyResult<Owned> {
    const SIGNATURE: Signature<2> = Signature { function: "publish", names: ["name", "arena"], required: 1, positional: 1 };
    let [name, arena] = arguments.bind(py, &SIGNATURE)?;
    let name = name.expect("bind checks what is required").text_argument(py, "name")?;
    let arena = arena.filter(|arena| !arena.is_none()).map(|arena| arena::chosen(py, state, Some(arena))).transpose()?;
    let service = detach(py, || process::publish(name, arena.as_ref())).map_err(|error| state.errors.raise(py, &error))?;
    // SAFETY: `class` made it for this value.
    unsafe { Instance::create(py, state.types.service.get(), service) }
}

fn channel(this: Me<'_>, py: Attached<'_>, arguments: Arguments<'_>) -> PyResult<Owned> {
    const SIGNATURE: Signature<2> = Signature { function: "channel", names: ["name", "capacity"], required: 1, positional: 2 };
    let [name, capacity] = arguments.bind(py, &SIGNATURE)?;
    let state = State::of(py, this)?;
    let name = name.expect("bind checks what is required").text_argument(py, "name")?;
    let capacity = ends::capacity_from_python(py, capacity)?;
    let service = this.value();
    let made = detach(py, || service.channel(name, capacity)).map_err(|error| state.errors.raise(py, &error))?;
    Owned::tuple(py, [ends::wrap(py, state, made.sender)?, ends::wrap(py, state, made.receiver)?])
}

fn share(this: Me<'_>, py: Attached<'_>, arguments: Arguments<'_>) -> PyResult<Owned> {
    const SIGNATURE: Signature<2> = Signature { function: "share", names: ["name", "object"], required: 2, positional: 2 };
    let [name, object] = arguments.bind(py, &SIGNATURE)?;
    let state = State::of(py, this)?;
    let name = name.expect("bind checks what is required").text_argument(py, "name")?;
    let service = this.value();
    let arena = service.arena().map_err(|error| state.errors.raise(py, &error))?;
    let shared = intake::share(py, state, object.expect("bind checks what is required"), &arena)?;
    detach(py, || service.share(name, &shared)).map_err(|error| state.errors.raise(py, &error))?;
    array::wrap(py, state, shared)
}

fn close(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    let service = this.value();
    detach(py, || service.close());
    Ok(Owned::none(py))
}

fn enter(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    Ok(this.object().to_owned(py))
}

fn exit(this: Me<'_>, py: Attached<'_>, _exception: Arguments<'_>) -> PyResult<Owned> {
    close(this, py)
}

fn name(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    Owned::text(py, this.value().name())
}

fn closed(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    Ok(Owned::bool(py, this.value().is_closed()))
}

fn repr(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    let service = this.value();
    let closed = if service.is_closed() { "closed " } else { "" };
    let contents: String = service.contents().iter().map(|thing| format!(" {thing}")).collect();
    Owned::text(py, &format!("<{closed}crossbuf.Service {:?}{contents}>", service.name()))
}
