//! What pickling an Array or a channel end gives: a ticket, to be redeemed once in this process.
//!
//! ```text
//! pickle.dumps(array)  ->  ("crossbuf-ticket:1", process, number)     the array waits here, alive
//! pickle.loads(...)    ->  the array, no longer waiting
//! ```
//! A ticket that nobody redeems keeps its array until the process ends. Messages need none: they own what they mention.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::safe::{Attached, Borrowed, Owned, PyResult, Raised};
use super::shareable::Shared;
use super::state::State;

/// What a ticket begins with. A later form of tickets has another mark.
const MARK: &str = "crossbuf-ticket:1";

/// What waits to be redeemed.
static WAITING: Mutex<Waiting> = Mutex::new(Waiting { next: 1, shared: None });

struct Waiting {
    /// The number of the next ticket.
    next: u64,
    /// Empty until the first ticket.
    shared: Option<HashMap<u64, Shared>>,
}

/// The name of this process: another one may have its number later, and a fork has its memory.
fn process() -> String {
    static RANDOM: OnceLock<u64> = OnceLock::new();
    format!("{}-{:016x}", std::process::id(), RANDOM.get_or_init(|| RandomState::new().hash_one(0)))
}

/// The result of `__reduce__` of an Array or channel end: the function that redeems, and its argument.
pub(super) fn reduce(py: Attached<'_>, state: &State, object: Borrowed<'_>) -> PyResult<Owned> {
    let shared = Shared::of(py, state, object)?.ok_or_else(|| Raised::type_error(py, "only Arrays and channel ends have tickets"))?;
    let redeem = Owned::import(py, c"crossbuf._core")?.get().attribute(py, c"_redeem")?;
    let number = {
        let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
        let number = waiting.next;
        waiting.next += 1;
        waiting.shared.get_or_insert_default().insert(number, shared);
        number
    };
    let ticket = Owned::tuple(py, [Owned::text(py, MARK)?, Owned::text(py, &process())?, Owned::unsigned(py, number)?])?;
    Owned::tuple(py, [redeem, Owned::tuple(py, [ticket])?])
}

/// The Array or end that a ticket stands for. Errors with HandleError when it is no ticket of this process, StaleHandle when it was
/// redeemed before.
pub(super) fn redeem(py: Attached<'_>, state: &State, ticket: Borrowed<'_>) -> PyResult<Owned> {
    let (origin, number) = read(py, ticket).map_err(|raised| {
        drop(raised.take(py));
        let seen = ticket.describe(py);
        state.errors.handle(py, &format!("bad ticket: {seen}; unpickle what pickling an Array, Sender or Receiver gave"))
    })?;
    let here = process();
    if origin != here {
        return Err(state.errors.handle(
            py,
            &format!("the ticket was made by process {origin}, this is {here}: a pickled Array or channel end is for its own process"),
        ));
    }
    let shared = WAITING.lock().unwrap_or_else(PoisonError::into_inner).shared.as_mut().and_then(|shared| shared.remove(&number));
    let shared = shared.ok_or_else(|| {
        state.errors.stale_handle(py, &format!("ticket {number} was redeemed before; a pickle of an Array or channel end is good for once"))
    })?;
    shared.into_python(py, state)
}

/// The process and number of a ticket.
fn read(py: Attached<'_>, ticket: Borrowed<'_>) -> PyResult<(String, u64)> {
    match ticket.is_tuple().then(|| ticket.tuple_items(py)).transpose()?.as_deref() {
        Some(&[mark, process, number]) if mark.to_text(py)? == MARK => Ok((process.to_text(py)?, number.as_u64(py)?)),
        _ => Err(Raised::value_error(py, "not a ticket")),
    }
}
