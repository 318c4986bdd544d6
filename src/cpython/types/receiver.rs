//! `crossbuf.Receiver`.

use pyo3_ffi as ffi;

use crate::cpython::messages;
use crate::cpython::safe::entry::unary_slot;
use crate::cpython::safe::{Arguments, Attached, Borrowed, ClassSpec, Owned, PyResult, Signature, This, getters, methods};
use crate::cpython::state::State;
use crate::cpython::types::ends;
use crate::cpython::waiting::{self, AtExit, Timeout};

type Me<'a> = This<'a, crate::Receiver>;

pub(in crate::cpython) fn class(py: Attached<'_>, module: Borrowed<'_>) -> PyResult<Owned> {
    let spec = ClassSpec {
        name: c"crossbuf.Receiver",
        doc: c"The end of a channel that receives. Made by crossbuf.channel.\n\n\
            Each message goes to one of the channel's Receivers, the messages of one Sender in order. Where several receive, one may\n\
            get what another process had at hand and did not take, after newer messages. Iterating gives messages until all Senders are closed or\n\
            gone. When all Receivers are, sending raises Broken.",
        methods: METHODS.0,
        getters: GETTERS.0,
        slots: vec![
            (ffi::Py_tp_repr, unary_slot!(Me<'_>, ends::repr)),
            (ffi::Py_tp_iter, unary_slot!(Me<'_>, ends::enter)),
            (ffi::Py_tp_iternext, unary_slot!(Me<'_>, next)),
        ],
    };
    // SAFETY: all functions take instances as `crate::Receiver`.
    unsafe { spec.make::<crate::Receiver>(py, module) }
}

methods! {
    static METHODS for Me<'_> {
        fast "recv" => recv, "recv($self, /, timeout=None)\n--\n\nThe next message, waiting up to `timeout` seconds for one.\n\nRaises Empty, Ended when no Sender is left, Closed.";
        noargs "recv_nowait" => recv_nowait, "recv_nowait($self, /)\n--\n\nThe next message if there is one now. Raises as recv does.";
        fast "get" => get, "get($self, /, block=True, timeout=None)\n--\n\nThe next message, as queue.Queue spells it.";
        noargs "get_nowait" => recv_nowait, "get_nowait($self, /)\n--\n\nThe next message if there is one now, as queue.Queue spells it.";
        one "_await_thread" => await_thread, "_await_thread($self, timeout, /)\n--\n\nAs recv, but goes on while the interpreter ends: for what a thread will send or close that is joined then.";
        noargs "_take" => take, "_take($self, /)\n--\n\nAs recv; returns the number of the message in this channel, whether it could be read, and itself or why not. None at the end.";
        noargs "close" => ends::close, "close($self, /)\n--\n\nCloses this end; calls that wait on it raise Closed. Twice is fine.";
        noargs "clone" => ends::clone, "clone($self, /)\n--\n\nAnother Receiver of the same channel.";
        noargs "qsize" => ends::qsize, "qsize($self, /)\n--\n\nHow many messages were sent and not yet received.";
        noargs "statistics" => ends::statistics, "statistics($self, /)\n--\n\nA ChannelStatistics: what the channel holds now.";
        noargs "__reduce__" => ends::reduce, "__reduce__($self, /)\n--\n\nAnother Receiver of the same channel, for one unpickling in this process.";
        noargs "__enter__" => ends::enter, "__enter__($self, /)\n--\n\nThis Receiver; leaving the block closes it.";
        fast "__exit__" => ends::exit, "__exit__($self, /, *exception)\n--\n\nCloses this Receiver.";
    }
}

getters! {
    static GETTERS for Me<'_> {
        "capacity" => ends::capacity, "How many messages may wait: 0 is a rendezvous, None has no bound.";
        "closed" => ends::closed, "Whether this end was closed.";
    }
}

fn recv(this: Me<'_>, py: Attached<'_>, arguments: Arguments<'_>) -> PyResult<Owned> {
    const SIGNATURE: Signature<1> = Signature { function: "recv", names: ["timeout"], required: 0, positional: 1 };
    let [timeout] = arguments.bind(py, &SIGNATURE)?;
    let timeout = Timeout::from_python(py, timeout)?;
    recv_within(this, py, timeout, AtExit::GivesUp)
}

fn get(this: Me<'_>, py: Attached<'_>, arguments: Arguments<'_>) -> PyResult<Owned> {
    const SIGNATURE: Signature<2> = Signature { function: "get", names: ["block", "timeout"], required: 0, positional: 2 };
    let [block, timeout] = arguments.bind(py, &SIGNATURE)?;
    let timeout = Timeout::of_queue(py, block, timeout)?;
    recv_within(this, py, timeout, AtExit::GivesUp)
}

fn recv_nowait(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    recv_within(this, py, Timeout::Now, AtExit::GivesUp)
}

fn await_thread(this: Me<'_>, py: Attached<'_>, timeout: Borrowed<'_>) -> PyResult<Owned> {
    let timeout = Timeout::from_python(py, Some(timeout))?;
    recv_within(this, py, timeout, AtExit::GoesOn)
}

/// No message is lost that cannot be read here: its number comes with the exception that says why.
fn take(this: Me<'_>, py: Attached<'_>) -> PyResult<Owned> {
    let state = State::of(py, this)?;
    let Some(message) = waiting::receive_or_end(py, state, this.value(), Timeout::Forever, AtExit::GivesUp)? else {
        return Ok(Owned::none(py));
    };
    let serial = Owned::unsigned(py, message.serial())?;
    let (readable, content) = match messages::decode(py, state, message) {
        Ok(content) => (true, content),
        Err(raised) => (false, raised.take(py)),
    };
    Owned::tuple(py, [serial, Owned::bool(py, readable), content])
}

fn recv_within(this: Me<'_>, py: Attached<'_>, timeout: Timeout, at_exit: AtExit) -> PyResult<Owned> {
    let state = State::of(py, this)?;
    let message = waiting::receive(py, state, this.value(), timeout, at_exit)?;
    messages::decode(py, state, message)
}

/// The next message, or the end of the loop. An end that its owner has closed raises: the loop has not seen every message.
fn next(this: Me<'_>, py: Attached<'_>) -> PyResult<Option<Owned>> {
    let state = State::of(py, this)?;
    let message = waiting::receive_or_end(py, state, this.value(), Timeout::Forever, AtExit::GivesUp)?;
    message.map(|message| messages::decode(py, state, message)).transpose()
}
