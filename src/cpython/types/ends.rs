//! What Senders and Receivers have in common. The value of an instance is the end itself: it closes when the instance goes.

use crate::channel::{ChannelStatistics, INHERITED, WeakEnd};
use crate::cpython::records;
use crate::cpython::safe::{Arguments, Attached, Borrowed, Instance, Owned, PyResult, Raised, This};
use crate::cpython::state::State;
use crate::cpython::tickets;

/// One kind of end.
pub(in crate::cpython) trait End: Clone + Send + Sync + Sized + 'static {
    const NAME: &'static str;
    /// The class of instances with this value in an interpreter.
    fn class(state: &State) -> Borrowed<'_>;
    fn close(&self);
    fn is_closed(&self) -> bool;
    fn is_inherited(&self) -> bool;
    fn capacity(&self) -> Option<usize>;
    fn statistics(&self) -> ChannelStatistics;
    fn downgrade(&self) -> WeakEnd;
}

macro_rules! ends {
    ($($end:ident => $class:ident),*) => {
        $(impl End for crate::$end {
            const NAME: &'static str = stringify!($end);
            fn class(state: &State) -> Borrowed<'_> {
                state.types.$class.get()
            }
            fn close(&self) {
                self.close();
            }
            fn is_closed(&self) -> bool {
                self.is_closed()
            }
            fn is_inherited(&self) -> bool {
                self.is_inherited()
            }
            fn capacity(&self) -> Option<usize> {
                self.capacity()
            }
            fn statistics(&self) -> ChannelStatistics {
                self.statistics()
            }
            fn downgrade(&self) -> WeakEnd {
                self.downgrade()
            }
        })*
    };
}
ends!(Sender => sender, Receiver => receiver);

/// A new instance in this interpreter, which closes the end when it goes away.
pub(in crate::cpython) fn wrap<E: End>(py: Attached<'_>, state: &State, end: E) -> PyResult<Owned> {
    state.exit_hook.register(py, &state.lifetime)?;
    state.lifetime.adopt(end.downgrade());
    // SAFETY: `class` made it for this value.
    unsafe { Instance::create(py, E::class(state), end) }
}

/// `object` as one of our instances, if it is one.
pub(in crate::cpython) fn cast<'a, E: End>(py: Attached<'_>, state: &State, object: Borrowed<'a>) -> Option<This<'a, E>> {
    // SAFETY: `class` made it for this value.
    unsafe { This::of(py, object, E::class(state)) }
}

/// Errors with Closed: nothing more can be done with an end that its owner has closed.
pub(super) fn check_open<E: End>(this: This<'_, E>, py: Attached<'_>) -> PyResult<()> {
    if !this.value().is_closed() {
        return Ok(());
    }
    let closed = || format!("this {} is closed; use a clone made before it was closed", E::NAME);
    let text = if this.value().is_inherited() { INHERITED.to_owned() } else { closed() };
    Err(State::of(py, this)?.errors.closed(py, &text))
}

pub(super) fn close<E: End>(this: This<'_, E>, py: Attached<'_>) -> PyResult<Owned> {
    this.value().close();
    Ok(Owned::none(py))
}

pub(super) fn enter<E: End>(this: This<'_, E>, py: Attached<'_>) -> PyResult<Owned> {
    check_open(this, py)?;
    Ok(this.object().to_owned(py))
}

pub(super) fn exit<E: End>(this: This<'_, E>, py: Attached<'_>, _exception: Arguments<'_>) -> PyResult<Owned> {
    close(this, py)
}

pub(super) fn clone<E: End>(this: This<'_, E>, py: Attached<'_>) -> PyResult<Owned> {
    check_open(this, py)?;
    wrap(py, State::of(py, this)?, this.value().clone())
}

/// Another end travels in the pickle.
pub(super) fn reduce<E: End>(this: This<'_, E>, py: Attached<'_>) -> PyResult<Owned> {
    check_open(this, py)?;
    tickets::reduce(py, State::of(py, this)?, this.object())
}

pub(super) fn qsize<E: End>(this: This<'_, E>, py: Attached<'_>) -> PyResult<Owned> {
    Owned::size(py, this.value().statistics().queued)
}

pub(super) fn statistics<E: End>(this: This<'_, E>, py: Attached<'_>) -> PyResult<Owned> {
    records::channel(py, State::of(py, this)?, &this.value().statistics())
}

pub(super) fn capacity<E: End>(this: This<'_, E>, py: Attached<'_>) -> PyResult<Owned> {
    this.value().capacity().map_or_else(|| Ok(Owned::none(py)), |capacity| Owned::size(py, capacity))
}

pub(super) fn closed<E: End>(this: This<'_, E>, py: Attached<'_>) -> PyResult<Owned> {
    Ok(Owned::bool(py, this.value().is_closed()))
}

pub(super) fn repr<E: End>(this: This<'_, E>, py: Attached<'_>) -> PyResult<Owned> {
    let end = this.value();
    let closed = if end.is_closed() { "closed " } else { "" };
    let capacity = end.capacity().map_or("None".to_owned(), |capacity| capacity.to_string());
    let ChannelStatistics { queued, senders, receivers, .. } = end.statistics();
    let name = E::NAME;
    Owned::text(py, &format!("<{closed}crossbuf.{name} capacity={capacity} queued={queued} senders={senders} receivers={receivers}>"))
}

/// `capacity` as `channel` takes it: an int that is not negative, or None.
pub(in crate::cpython) fn capacity_from_python(py: Attached<'_>, capacity: Option<Borrowed<'_>>) -> PyResult<Option<usize>> {
    let Some(capacity) = capacity.filter(|capacity| !capacity.is_none()) else { return Ok(None) };
    let refuse = |what: &str| format!("capacity={} is {what}; give how many messages may wait: 0 or more, or None", capacity.describe(py));
    if !capacity.is_int() || capacity.is_bool() {
        return Err(Raised::type_error(py, &refuse("not an int")));
    }
    match capacity.small_int(py)?.map(usize::try_from) {
        Some(Ok(capacity)) => Ok(Some(capacity)),
        Some(Err(_)) => Err(Raised::value_error(py, &refuse("negative"))),
        None => Err(Raised::value_error(py, &refuse("out of range"))),
    }
}
