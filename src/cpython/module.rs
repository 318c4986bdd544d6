//! The module `crossbuf._core`: its birth in each interpreter and its functions.

use std::ffi::{c_int, c_void};

use pyo3_ffi as ffi;

use crate::process;

use super::lifetime::Lifetime;
use super::safe::{self, Arguments, Attached, Borrowed, Owned, PyResult, Signature, Table, detach, entry, methods};
use super::shareable::Shared;
use super::state::{self, State};
use super::types::{arena, connection, ends, service};
use super::{handles, isolation, messages, records, shareable, tickets, waiting};

methods! {
    static FUNCTIONS for &State {
        fast "share" => share, "share($module, object, /, *, arena=None)\n--\n\nAn Array with a copy of the elements of an ndarray or any exporter of buffers.\n\nAn ndarray that lies in an arena already is not copied. Raises NotShareable, ArenaFull.";
        fast "empty" => empty, "empty($module, shape, dtype='f8', *, order='C', arena=None)\n--\n\nA Draft with arbitrary content, to be filled and frozen.";
        fast "open" => open, "open($module, handle, /)\n--\n\nThe Array that a handle names. Raises HandleError when it was altered, StaleHandle when the Array is gone.";
        fast "statistics" => statistics, "statistics($module, /, *, arena=None)\n--\n\nAn ArenaStatistics: blocks and bytes in use now.";
        fast "channel" => channel, "channel($module, capacity=None, *, arena=None)\n--\n\nA new channel: its first Sender and Receiver.\n\nMessages wait in it up to `capacity`: 0 is a rendezvous, None has no bound. ndarrays in messages that lie in no arena\nare copied into `arena`, or else into the one that share takes.";
        fast "publish" => service::publish, "publish($module, name, /, *, arena=None)\n--\n\nA new Service of that name, for other programs of this user on this machine.\n\nWhat has to be copied to be sent through its channels or to be shared is copied into `arena`, or else into the one that\nshare takes. Raises ServiceError when the name is taken.";
        fast "connect" => connection::connect, "connect($module, name, /)\n--\n\nA Connection to the Service of that name. Raises ServiceError when nobody has published it.";
        noargs "processes" => processes, "processes($module, /)\n--\n\nA ProcessStatistics for each process that this one shares something with.";
        noargs "tickets" => tickets::all, "tickets($module, /)\n--\n\nA Ticket for each pickled Array or channel end that nobody has unpickled yet, the oldest first.";
        fast "drop_tickets" => tickets::drop_old, "drop_tickets($module, older_than=0.0)\n--\n\nGives up tickets of that age in seconds and older; how many. Unpickling them raises StaleHandle.";
        fast "_lend" => lend, "_lend($module, on_call, body, luggage=(), /)\n--\n\nCalls body(). Code that it runs on this thread in other interpreters may call on_call() by _call_home(), and take the\nluggage, a tuple of Arrays and channel ends, by _lent(). Ends among it are others on the same channels.";
        noargs "_lent" => lent, "_lent($module, /)\n--\n\nWhat the _lend of this thread was given as its luggage, once; then it is empty.";
        noargs "_call_home" => call_home, "_call_home($module, /)\n--\n\nCalls the on_call of this thread's _lend, in that interpreter.";
        noargs "_hurry" => hurry, "_hurry($module, /)\n--\n\nSends now what Sender._post_later put off.";
        noargs "_is_ending" => is_ending, "_is_ending($module, /)\n--\n\nWhether this interpreter is about to join its threads, so that nobody may wait in channels any more.";
        noargs "_interpreter_id" => interpreter_id, "_interpreter_id($module, /)\n--\n\nThe number of this interpreter; the main one's is 0.";
        one "_interpreter_made" => interpreter_made, "_interpreter_made($module, interpreter, /)\n--\n\nNotes that this interpreter has made another, so that it can end the waits there when it ends itself.";
        one "_interpreter_closed" => interpreter_closed, "_interpreter_closed($module, interpreter, /)\n--\n\nForgets who made an interpreter, and unloads its copies. Returns how many it had.";
        fast "_load_copy" => isolation::load_copy, "_load_copy($module, spec, single_phase, unloadable, /)\n--\n\nThe module of the spec, of a copy that belongs to this interpreter. Raises IsolationError.";
        one "_execute_copy" => isolation::execute_copy, "_execute_copy($module, module, /)\n--\n\nRuns the second phase of a module that _load_copy gave.";
        noargs "_copies" => isolation::copies, "_copies($module, /)\n--\n\nA (name, path, bytes) for each copy that this interpreter has.";
        one "_many_closed" => isolation::many_closed, "_many_closed($module, many, /)\n--\n\nHow many interpreters of the process were closed that had copies, the first time that they are so many; else None.";
        one "_hold_openblas" => isolation::hold_openblas, "_hold_openblas($module, threads, /)\n--\n\nSets the threads of each OpenBLAS in this process, also of those loaded later, until it is released.";
        noargs "_release_openblas" => isolation::release_openblas, "_release_openblas($module, /)\n--\n\nGives each OpenBLAS its threads back, when nobody holds the limit any more.";
        noargs "_pause" => pause, "_pause($module, /)\n--\n\nStops the thread that serves other processes, until _resume().";
        noargs "_resume" => resume, "_resume($module, /)\n--\n\nLets the thread that serves other processes go on.";
        noargs "_settle" => settle, "_settle($module, /)\n--\n\nTells the process that this one was forked from that no more of its channel ends are needed.";
        one "_reduce_ndarray" => tickets::reduce_ndarray, "_reduce_ndarray($module, object, /)\n--\n\nThe reducer_override of picklers which write an ndarray that lies in an arena as its Array.";
        fast "_is_plain" => is_plain, "_is_plain($module, object, vouches, /)\n--\n\nWhether it is made of a few constants, builtin containers, and objects for which vouches(object) is true.";
        one "_own_tickets" => tickets::own, "_own_tickets($module, objects, /)\n--\n\nA ticket for each of a tuple of Arrays of this process and ndarrays that are views of such; None if anything else is among them.";
        one "_forget" => forget, "_forget($module, ticket, /)\n--\n\nGives up a ticket of this process, unless it was redeemed.";
        one "_redeem" => redeem, "_redeem($module, ticket, /)\n--\n\nWhat a pickle holds a ticket for. Raises StaleHandle when that was redeemed before.";
    }
}

fn share(state: &State, py: Attached<'_>, arguments: Arguments<'_>) -> PyResult<Owned> {
    const SIGNATURE: Signature<2> = Signature { function: "share", names: ["object", "arena"], required: 1, positional: 1 };
    let [object, arena] = arguments.bind(py, &SIGNATURE)?;
    let arena = arena::chosen(py, state, arena)?;
    arena::share_in(py, state, object.expect("bind checks what is required"), &arena)
}

fn empty(state: &State, py: Attached<'_>, arguments: Arguments<'_>) -> PyResult<Owned> {
    const SIGNATURE: Signature<4> =
        Signature { function: "empty", names: ["shape", "dtype", "order", "arena"], required: 1, positional: 2 };
    let [shape, dtype, order, arena] = arguments.bind(py, &SIGNATURE)?;
    let arena = arena::chosen(py, state, arena)?;
    arena::empty_in(py, state, shape.expect("bind checks what is required"), dtype, order, &arena)
}

fn open(state: &State, py: Attached<'_>, arguments: Arguments<'_>) -> PyResult<Owned> {
    const SIGNATURE: Signature<1> = Signature { function: "open", names: ["handle"], required: 1, positional: 1 };
    let [handle] = arguments.bind(py, &SIGNATURE)?;
    let handle = handles::from_python(py, &state.errors, handle.expect("bind checks what is required"))?;
    let asked = detach(py, || process::begin_open(&handle)).map_err(|error| state.errors.raise(py, &error))?;
    waiting::answer(py, state, asked)?.into_python(py, state)
}

fn statistics(state: &State, py: Attached<'_>, arguments: Arguments<'_>) -> PyResult<Owned> {
    const SIGNATURE: Signature<1> = Signature { function: "statistics", names: ["arena"], required: 0, positional: 0 };
    let [arena] = arguments.bind(py, &SIGNATURE)?;
    records::arena(py, state, &arena::chosen(py, state, arena)?.statistics())
}

fn channel(state: &State, py: Attached<'_>, arguments: Arguments<'_>) -> PyResult<Owned> {
    const SIGNATURE: Signature<2> = Signature { function: "channel", names: ["capacity", "arena"], required: 0, positional: 1 };
    let [capacity, arena] = arguments.bind(py, &SIGNATURE)?;
    let capacity = ends::capacity_from_python(py, capacity)?;
    let (sender, receiver) = match arena.filter(|arena| !arena.is_none()) {
        Some(_) => crate::channel::channel_in(capacity, arena::chosen(py, state, arena)?),
        None => crate::channel(capacity),
    };
    Owned::tuple(py, [ends::wrap(py, state, sender)?, ends::wrap(py, state, receiver)?])
}

fn lend(state: &State, py: Attached<'_>, arguments: Arguments<'_>) -> PyResult<Owned> {
    const SIGNATURE: Signature<3> = Signature { function: "_lend", names: ["on_call", "body", "luggage"], required: 2, positional: 3 };
    let [on_call, body, luggage] = arguments.bind(py, &SIGNATURE)?;
    let items = luggage.map_or(Ok(Vec::new()), |luggage| luggage.tuple_items(py))?;
    let luggage = items.into_iter().map(|item| Shared::expected(py, state, item)).collect::<PyResult<Vec<_>>>()?;
    safe::lend(py, on_call.expect("bind checks what is required"), body.expect("bind checks what is required"), luggage)
}

fn lent(state: &State, py: Attached<'_>) -> PyResult<Owned> {
    let luggage = safe::lent(py)?;
    Owned::tuple(py, luggage.into_iter().map(|shared| shared.into_python(py, state)).collect::<PyResult<Vec<_>>>()?)
}

fn call_home(_: &State, py: Attached<'_>) -> PyResult<Owned> {
    safe::call_home(py)?;
    Ok(Owned::none(py))
}

fn hurry(_: &State, py: Attached<'_>) -> PyResult<Owned> {
    safe::hurry();
    Ok(Owned::none(py))
}

fn is_ending(state: &State, py: Attached<'_>) -> PyResult<Owned> {
    Ok(Owned::bool(py, state.lifetime.is_ending()))
}

fn interpreter_id(_: &State, py: Attached<'_>) -> PyResult<Owned> {
    Owned::int(py, safe::interpreter_id(py))
}

fn interpreter_made(state: &State, py: Attached<'_>, interpreter: Borrowed<'_>) -> PyResult<Owned> {
    state.exit_hook.register(py, &state.lifetime)?;
    state.lifetime.made(interpreter.as_i64(py)?);
    Ok(Owned::none(py))
}

fn interpreter_closed(state: &State, py: Attached<'_>, interpreter: Borrowed<'_>) -> PyResult<Owned> {
    let copies = isolation::unload_copies(state, py, interpreter)?;
    Lifetime::closed(interpreter.as_i64(py)?);
    Ok(copies)
}

fn pause(_: &State, py: Attached<'_>) -> PyResult<Owned> {
    detach(py, process::pause);
    Ok(Owned::none(py))
}

/// Some releases of CPython count threads for their warning only after the hooks. So the server goes on once `os.fork` has returned, on this
/// thread, unless other threads of the program are warned of anyway.
fn resume(state: &State, py: Attached<'_>) -> PyResult<Owned> {
    extern "C" fn resume_now(_: *mut c_void) -> c_int {
        process::resume();
        0
    }
    let is_soon = state.lifetime.is_main() && waiting::is_main_thread() && safe::do_soon(py, resume_now);
    if !is_soon {
        process::resume();
    }
    Ok(Owned::none(py))
}

fn settle(_: &State, py: Attached<'_>) -> PyResult<Owned> {
    detach(py, process::settle);
    Ok(Owned::none(py))
}

fn processes(state: &State, py: Attached<'_>) -> PyResult<Owned> {
    let seen = detach(py, process::processes);
    Owned::list(py, seen.iter().map(|seen| records::process(py, state, seen)).collect::<PyResult<Vec<_>>>()?)
}

fn redeem(state: &State, py: Attached<'_>, ticket: Borrowed<'_>) -> PyResult<Owned> {
    tickets::redeem(py, state, ticket)
}

fn is_plain(state: &State, py: Attached<'_>, arguments: Arguments<'_>) -> PyResult<Owned> {
    const SIGNATURE: Signature<2> = Signature { function: "_is_plain", names: ["object", "vouches"], required: 2, positional: 2 };
    let [object, vouches] = arguments.bind(py, &SIGNATURE)?.map(|argument| argument.expect("bind checks what is required"));
    Ok(Owned::bool(py, messages::is_plain(py, state, object, vouches)?))
}

fn forget(state: &State, py: Attached<'_>, ticket: Borrowed<'_>) -> PyResult<Owned> {
    tickets::forget(py, state, ticket)
}

/// The second phase of the import, in each interpreter on its own.
unsafe extern "C" fn execute(module: *mut ffi::PyObject) -> c_int {
    // SAFETY: CPython calls this attached, with a new module.
    unsafe { entry::guarded(|py| populate(py, Borrowed::from_ptr(module))) }
}

fn populate(py: Attached<'_>, module: Borrowed<'_>) -> PyResult<()> {
    let state = State::new(py, module)?;
    state.types.publish(py, module)?;
    shareable::register(py, &state);
    super::floors::publish(py, module)?;
    state.install(py, module);
    process::watch_forks();
    Ok(())
}

#[repr(transparent)]
struct Definition(std::cell::UnsafeCell<ffi::PyModuleDef>);

// SAFETY: CPython sets the head of the definition, under its own lock; the rest never changes.
unsafe impl Sync for Definition {}

static SLOTS: Table<[ffi::PyModuleDef_Slot; 3]> = Table([
    ffi::PyModuleDef_Slot { slot: ffi::Py_mod_exec, value: execute as *mut c_void },
    ffi::PyModuleDef_Slot { slot: ffi::Py_mod_multiple_interpreters, value: ffi::Py_MOD_PER_INTERPRETER_GIL_SUPPORTED },
    ffi::PyModuleDef_Slot { slot: 0, value: std::ptr::null_mut() },
]);

static DEFINITION: Definition = Definition(std::cell::UnsafeCell::new(ffi::PyModuleDef {
    m_base: ffi::PyModuleDef_HEAD_INIT,
    m_name: c"crossbuf._core".as_ptr(),
    m_doc: c"The Rust core of crossbuf.".as_ptr(),
    m_size: State::SIZE,
    m_methods: FUNCTIONS.0.as_ptr().cast_mut(),
    m_slots: (&raw const SLOTS).cast_mut().cast(),
    m_traverse: Some(state::traverse),
    m_clear: None,
    m_free: Some(state::free),
}));

/// By this address modules of ours are told from others.
pub(super) fn definition() -> *const ffi::PyModuleDef {
    DEFINITION.0.get()
}

/// What `import crossbuf._core` calls first.
#[unsafe(no_mangle)]
pub extern "C" fn PyInit__core() -> *mut ffi::PyObject {
    // SAFETY: the import system calls this attached; the definition is complete and lives for ever.
    unsafe { ffi::PyModuleDef_Init(DEFINITION.0.get()) }
}
