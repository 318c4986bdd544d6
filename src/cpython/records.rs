//! Statistics as the frozen records of `crossbuf/records.py`.

use std::cell::OnceCell;
use std::ffi::c_int;

use super::safe::{Attached, Borrowed, Owned, PyResult};
use super::state::State;
use crate::arena::ArenaStatistics;
use crate::channel::ChannelStatistics;
use crate::process::{ProcessStatistics, TicketStatistics};

/// The classes of one interpreter, imported when the first record is made.
#[derive(Default)]
pub(super) struct Records(OnceCell<Classes>);

struct Classes {
    arena: Owned,
    channel: Owned,
    process: Owned,
    ticket: Owned,
}

impl Records {
    fn classes(&self, py: Attached<'_>) -> PyResult<&Classes> {
        if let Some(classes) = self.0.get() {
            return Ok(classes);
        }
        let module = Owned::import(py, c"crossbuf.records")?;
        let class = |name| module.get().attribute(py, name);
        let classes = Classes {
            arena: class(c"ArenaStatistics")?,
            channel: class(c"ChannelStatistics")?,
            process: class(c"ProcessStatistics")?,
            ticket: class(c"Ticket")?,
        };
        // Another thread may have been quicker while Python code ran: then its classes, which are the same, stay.
        Ok(self.0.get_or_init(|| classes))
    }

    pub(super) fn visit(&self, visit: &mut dyn FnMut(&Owned) -> c_int) -> c_int {
        let Some(Classes { arena, channel, process, ticket }) = self.0.get() else { return 0 };
        [arena, channel, process, ticket].into_iter().map(visit).find(|&code| code != 0).unwrap_or(0)
    }
}

pub(super) fn arena(py: Attached<'_>, state: &State, seen: &ArenaStatistics) -> PyResult<Owned> {
    let fields = [seen.blocks, seen.used, seen.resident, seen.budget, seen.largest, seen.peak, seen.allocations, seen.copied];
    record(py, state.records.classes(py)?.arena.get(), fields.map(Some))
}

pub(super) fn channel(py: Attached<'_>, state: &State, seen: &ChannelStatistics) -> PyResult<Owned> {
    let count = |count: usize| Some(count as u64);
    let fields = [
        seen.capacity.and_then(count),
        count(seen.queued),
        count(seen.senders),
        count(seen.receivers),
        count(seen.waiting_senders),
        count(seen.waiting_receivers),
        Some(seen.sent),
        Some(seen.received),
    ];
    record(py, state.records.classes(py)?.channel.get(), fields)
}

pub(super) fn process(py: Attached<'_>, state: &State, seen: &ProcessStatistics) -> PyResult<Owned> {
    let fields = [u64::from(seen.pid), seen.leased as u64, seen.ends as u64, seen.backlog as u64];
    record(py, state.records.classes(py)?.process.get(), fields.map(Some))
}

pub(super) fn ticket(py: Attached<'_>, state: &State, seen: &TicketStatistics) -> PyResult<Owned> {
    let fields = [Owned::float(py, seen.age.as_secs_f64())?, Owned::size(py, seen.nbytes)?, Owned::text(py, &seen.site)?];
    state.records.classes(py)?.ticket.get().call(py, fields.each_ref().map(Owned::get))
}

/// Fields without a number are `None` in Python too.
fn record<const N: usize>(py: Attached<'_>, class: Borrowed<'_>, fields: [Option<u64>; N]) -> PyResult<Owned> {
    let field = |field: Option<u64>| field.map_or_else(|| Ok(Owned::none(py)), |field| Owned::unsigned(py, field));
    let fields = fields.into_iter().map(field).collect::<PyResult<Vec<_>>>()?;
    let fields: Vec<_> = fields.iter().map(Owned::get).collect();
    class.call(py, <[Borrowed<'_>; N]>::try_from(fields).expect("as many as came in"))
}
