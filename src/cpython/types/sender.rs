//! `crossbuf.Sender`.

use pyo3_ffi as ffi;

use crate::cpython::messages;
use crate::cpython::safe::entry::unary_slot;
use crate::cpython::safe::{Arguments, Attached, Borrowed, ClassSpec, Owned, PyResult, Signature, This, after_call, getters, methods};
use crate::cpython::state::State;
use crate::cpython::types::{array, ends};
use crate::cpython::waiting::{self, Timeout};

type Me<'a> = This<'a, crate::Sender>;

pub(in crate::cpython) fn class(py: Attached<'_>, module: Borrowed<'_>) -> PyResult<Owned> {
    let spec = ClassSpec {
        name: c"crossbuf.Sender",
        doc: c"The end of a channel that sends. Made by crossbuf.channel.\n\n\
            A Sender in a message, or handed to another interpreter, arrives as another end of the same channel. When all\n\
            Senders are closed or gone, receivers get what is left and then Ended.",
        methods: METHODS.0,
        getters: GETTERS.0,
        slots: vec![(ffi::Py_tp_repr, unary_slot!(Me<'_>, ends::repr))],
    };
    // SAFETY: all functions take instances as `crate::Sender`.
    unsafe { spec.make::<crate::Sender>(py, module) }
}

methods! {
    static METHODS for Me<'_> {
        fast "send" => send, "send($self, message, /, timeout=None)\n--\n\nSends, waiting up to `timeout` seconds for room.\n\nWhen it raises, nothing was sent: Full, Broken when no Receiver is left or the process that has the channel is\ngone, Closed, NotShareable when another interpreter could not have the message, ArenaFull. Only a bare ChannelError\nsays that it is not known: the process that has the channel stands still.";
        one "send_nowait" => send_nowait, "send_nowait($self, message, /)\n--\n\nSends if there is room now. Raises as send does.";
        fast "put" => put, "put($self, item, /, block=True, timeout=None)\n--\n\nSends, as queue.Queue spells it.";
        one "put_nowait" => send_nowait, "put_nowait($self, item, /)\n--\n\nSends if there is room now, as queue.Queue spells it.";
        one "_post" => post, "_post($self, message, /)\n--\n\nAs send_nowait; returns the number of the message in this channel.";
        one "_post_later" => post_later, "_post_later($self, message, /)\n--\n\nAs send_nowait; within a call home, once that has left the home interpreter. Does not raise that nobody receives.";
        one "_withdraw" => withdraw, "_withdraw($self, serial, /)\n--\n\nTakes the message of that number back. False when somebody has received it.";
        one "_holds" => holds, "_holds($self, serial, /)\n--\n\nWhether the message of that number waits for a receiver.";
        noargs "close" => ends::close, "close($self, /)\n--\n\nCloses this end; calls that wait on it raise Closed. Twice is fine.";
        noargs "clone" => ends::clone, "clone($self, /)\n--\n\nAnother Sender of the same channel.";
        noargs "qsize" => ends::qsize, "qsize($self, /)\n--\n\nHow many messages were sent and not yet received.";
        noargs "statistics" => ends::statistics, "statistics($self, /)\n--\n\nA ChannelStatistics: what the channel holds now.";
        noargs "__reduce__" => ends::reduce, "__reduce__($self, /)\n--\n\nAnother Sender of the same channel, for one unpickling in this process.";
        noargs "__enter__" => ends::enter, "__enter__($self, /)\n--\n\nThis Sender; leaving the block closes it.";
        fast "__exit__" => ends::exit, "__exit__($self, /, *exception)\n--\n\nCloses this Sender.";
    }
}

getters! {
    static GETTERS for Me<'_> {
        "capacity" => ends::capacity, "How many messages may wait: 0 is a rendezvous, None has no bound.";
        "closed" => ends::closed, "Whether this end was closed.";
    }
}

fn send(this: Me<'_>, py: Attached<'_>, arguments: Arguments<'_>) -> PyResult<Owned> {
    const SIGNATURE: Signature<2> = Signature { function: "send", names: ["message", "timeout"], required: 1, positional: 2 };
    let [message, timeout] = arguments.bind(py, &SIGNATURE)?;
    let timeout = Timeout::from_python(py, timeout)?;
    send_within(this, py, message.expect("bind checks what is required"), timeout)
}

fn put(this: Me<'_>, py: Attached<'_>, arguments: Arguments<'_>) -> PyResult<Owned> {
    const SIGNATURE: Signature<3> = Signature { function: "put", names: ["item", "block", "timeout"], required: 1, positional: 3 };
    let [item, block, timeout] = arguments.bind(py, &SIGNATURE)?;
    let timeout = Timeout::of_queue(py, block, timeout)?;
    send_within(this, py, item.expect("bind checks what is required"), timeout)
}

fn send_nowait(this: Me<'_>, py: Attached<'_>, message: Borrowed<'_>) -> PyResult<Owned> {
    send_within(this, py, message, Timeout::Now)
}

fn post(this: Me<'_>, py: Attached<'_>, message: Borrowed<'_>) -> PyResult<Owned> {
    let state = State::of(py, this)?;
    ends::check_open(this, py)?;
    let message = messages::encode(py, state, message, this.value().arena())?;
    let serial = this.value().post(message).map_err(|refused| state.errors.not_sent(py, &refused))?;
    Owned::unsigned(py, serial)
}

fn post_later(this: Me<'_>, py: Attached<'_>, message: Borrowed<'_>) -> PyResult<Owned> {
    let state = State::of(py, this)?;
    ends::check_open(this, py)?;
    let message = messages::encode(py, state, message, this.value().arena())?;
    let sender = this.value().clone();
    after_call(move || drop(sender.try_send(message)));
    Ok(Owned::none(py))
}

fn withdraw(this: Me<'_>, py: Attached<'_>, serial: Borrowed<'_>) -> PyResult<Owned> {
    let serial = serial.as_u64(py)?;
    Ok(Owned::bool(py, this.value().withdraw(serial).is_some()))
}

fn holds(this: Me<'_>, py: Attached<'_>, serial: Borrowed<'_>) -> PyResult<Owned> {
    let serial = serial.as_u64(py)?;
    Ok(Owned::bool(py, this.value().holds(serial)))
}

fn send_within(this: Me<'_>, py: Attached<'_>, message: Borrowed<'_>, timeout: Timeout) -> PyResult<Owned> {
    let state = State::of(py, this)?;
    ends::check_open(this, py)?;
    if array::cast(py, state, message).is_none() {
        waiting::check_place(py, state, this.value(), timeout)?;
    }
    let message = messages::encode(py, state, message, this.value().arena())?;
    waiting::send(py, state, this.value(), message, timeout)?;
    Ok(Owned::none(py))
}
