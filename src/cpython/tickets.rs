//! What pickling an Array or a channel end gives: a ticket, to be redeemed in whatever process of this user.
//!
//! ```text
//! pickle.dumps(array)  ->  ("crossbuf-ticket:2", bytes)     the array waits with its owner, alive
//! pickle.loads(...)    ->  the array, no longer waiting
//! ```
//! A ticket that nobody redeems keeps its array until it is dropped or the process ends: `crossbuf.tickets` lists them. Messages need none:
//! they own what they mention.

use std::time::Duration;

use super::intake;
use super::records;
use super::safe::{Arguments, Attached, Borrowed, Owned, PyResult, Raised, Signature, detach};
use super::shareable::Shared;
use super::state::State;
use super::types::array;
use super::waiting;
use crate::{Array, process};

/// What a ticket begins with. A later form of tickets has another mark.
const MARK: &str = "crossbuf-ticket:2";

/// The result of `__reduce__` of an Array or channel end: the function that redeems, and its argument.
pub(super) fn reduce(py: Attached<'_>, state: &State, object: Borrowed<'_>) -> PyResult<Owned> {
    let shared = Shared::expected(py, state, object)?;
    let site = site(py)?;
    let ticket = detach(py, || process::issue(&shared, site)).map_err(|error| state.errors.raise(py, &error))?;
    let redeem = Owned::import(py, c"crossbuf._core")?.get().attribute(py, c"_redeem")?;
    Owned::tuple(py, [redeem, Owned::tuple(py, [marked(py, &ticket)?])?])
}

/// `crossbuf._core._own_tickets`: for Arrays of this process, and ndarrays that are views of such. None if anything else is among them.
pub(super) fn own(state: &State, py: Attached<'_>, objects: Borrowed<'_>) -> PyResult<Owned> {
    let arrays = objects.tuple_items(py)?.into_iter().map(|object| own_array(py, state, object)).collect::<PyResult<Option<Vec<_>>>>()?;
    let Some(arrays) = arrays else { return Ok(Owned::none(py)) };
    let site = site(py)?;
    let tickets = detach(py, || process::issue_each(arrays, &site)).map_err(|error| state.errors.raise(py, &error))?;
    Owned::list(py, tickets.iter().map(|ticket| marked(py, ticket)).collect::<PyResult<Vec<_>>>()?)
}

fn own_array(py: Attached<'_>, state: &State, object: Borrowed<'_>) -> PyResult<Option<Array>> {
    let array = match array::cast(py, state, object) {
        Some(array) => Some(array.get(py)?.clone()),
        None => intake::existing(py, state, object)?,
    };
    Ok(array.filter(Array::is_own))
}

/// Where in the program this is.
fn site(py: Attached<'_>) -> PyResult<String> {
    Owned::import(py, c"crossbuf._sites")?.get().invoke(py, c"site", [])?.get().to_text(py)
}

fn marked(py: Attached<'_>, ticket: &[u8]) -> PyResult<Owned> {
    Owned::tuple(py, [Owned::text(py, MARK)?, Owned::bytes(py, ticket)?])
}

/// `crossbuf._core._reduce_ndarray`: called for each object of a pickle that is of no builtin class, so it does nothing that takes long.
pub(super) fn reduce_ndarray(state: &State, py: Attached<'_>, object: Borrowed<'_>) -> PyResult<Owned> {
    match intake::existing(py, state, object) {
        Ok(Some(array)) => {
            let viewed = Owned::import(py, c"crossbuf._forking")?.get().attribute(py, c"viewed")?;
            Owned::tuple(py, [viewed, Owned::tuple(py, [array::wrap(py, state, array)?])?])
        }
        Ok(None) => Ok(Owned::not_implemented(py)),
        // No arena has elements of its dtype.
        Err(raised) => {
            drop(raised.take(py));
            Ok(Owned::not_implemented(py))
        }
    }
}

/// The Array or end that a ticket stands for. Errors with HandleError when it is no ticket, StaleHandle when what it stood for is gone.
pub(super) fn redeem(py: Attached<'_>, state: &State, ticket: Borrowed<'_>) -> PyResult<Owned> {
    let ticket = checked(py, state, ticket)?;
    let asked = detach(py, || process::begin_redeem(ticket)).map_err(|error| state.errors.raise(py, &error))?;
    waiting::answer(py, state, asked)?.into_python(py, state)
}

/// Gives up a ticket of this process that nobody will redeem, without waiting for others. Errors with HandleError when it is no ticket.
pub(super) fn forget(py: Attached<'_>, state: &State, ticket: Borrowed<'_>) -> PyResult<Owned> {
    let ticket = checked(py, state, ticket)?;
    detach(py, || process::forget(ticket)).map_err(|error| state.errors.raise(py, &error))?;
    Ok(Owned::none(py))
}

/// `crossbuf.tickets`
pub(super) fn all(state: &State, py: Attached<'_>) -> PyResult<Owned> {
    let seen = detach(py, process::tickets);
    Owned::list(py, seen.iter().map(|ticket| records::ticket(py, state, ticket)).collect::<PyResult<Vec<_>>>()?)
}

/// `crossbuf.drop_tickets`
pub(super) fn drop_old(_: &State, py: Attached<'_>, arguments: Arguments<'_>) -> PyResult<Owned> {
    const SIGNATURE: Signature<1> = Signature { function: "drop_tickets", names: ["older_than"], required: 0, positional: 1 };
    let [older_than] = arguments.bind(py, &SIGNATURE)?;
    let seconds = older_than.map_or(Ok(0.0), |older_than| older_than.as_f64(py))?;
    if seconds.is_nan() || seconds < 0.0 {
        return Err(Raised::value_error(py, &format!("older_than={seconds} is no age; give seconds, 0 for all tickets")));
    }
    // What no Duration can hold is older than anything.
    let age = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    Owned::size(py, detach(py, || process::drop_tickets(age)))
}

fn checked<'a>(py: Attached<'_>, state: &State, ticket: Borrowed<'a>) -> PyResult<&'a [u8]> {
    read(py, ticket).map_err(|raised| {
        drop(raised.take(py));
        let seen = ticket.describe(py);
        state.errors.handle(py, &format!("bad ticket: {seen}; unpickle what pickling an Array, Sender or Receiver gave"))
    })
}

fn read<'a>(py: Attached<'_>, ticket: Borrowed<'a>) -> PyResult<&'a [u8]> {
    match ticket.is_tuple().then(|| ticket.tuple_items(py)).transpose()?.as_deref() {
        Some(&[mark, ticket]) if mark.to_text(py)? == MARK => ticket.as_bytes(py),
        _ => Err(Raised::value_error(py, "not a ticket")),
    }
}
