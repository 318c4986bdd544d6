//! Handles as plain tuples: `("crossbuf", arena, block, generation, offset, dtype, shape, strides, seal)`.

use super::errors::Errors;
use super::safe::{Attached, Borrowed, Owned, PyResult, Raised};
use crate::array::ArrayMeta;
use crate::handle::Handle;
use crate::offset::{ArenaId, BlockIndex, Generation};

/// What a handle begins with, so that other tuples are told apart. A later form of handles has another one.
const MARK: &str = "crossbuf:1";

pub(super) fn to_python(py: Attached<'_>, handle: &Handle) -> PyResult<Owned> {
    let parts = [
        Owned::text(py, MARK)?,
        Owned::text(py, &handle.arena.to_string())?,
        Owned::unsigned(py, handle.block.0.into())?,
        Owned::unsigned(py, handle.generation.0.into())?,
        Owned::unsigned(py, handle.offset)?,
        Owned::text(py, &handle.meta.dtype().to_string())?,
        Owned::sizes(py, handle.meta.shape())?,
        Owned::distances(py, handle.meta.strides())?,
        Owned::unsigned(py, handle.seal)?,
    ];
    Owned::tuple(py, parts)
}

/// Errors with HandleError, which names the part that is wrong.
pub(super) fn from_python(py: Attached<'_>, errors: &Errors, object: Borrowed<'_>) -> PyResult<Handle> {
    let refuse = |part: &str, raised: Raised| {
        drop(raised.take(py));
        errors.handle(py, &format!("bad handle: {part} of {} is wrong; use the handle as Array.handle gave it", object.describe(py)))
    };
    let parts = if object.is_tuple() { object.tuple_items(py)? } else { Vec::new() };
    let &[mark, arena, block, generation, offset, dtype, shape, strides, seal] = parts.as_slice() else {
        let seen = object.describe(py);
        return Err(errors.handle(py, &format!("bad handle: {seen} is not a tuple of 9 parts; use the handle as Array.handle gave it")));
    };
    let wrong = |part: &'static str| move |raised| refuse(part, raised);
    let number = |object: Borrowed<'_>| object.as_u64(py);
    let small = |object: Borrowed<'_>| number(object).and_then(|n| u32::try_from(n).map_err(|_| Raised::value_error(py, "too large")));
    let text = |object: Borrowed<'_>| object.to_text(py);
    let invalid = |reason: &str| Raised::value_error(py, reason);

    text(mark).and_then(|mark| if mark == MARK { Ok(()) } else { Err(invalid("mark")) }).map_err(wrong("the mark"))?;
    let arena = text(arena)
        .and_then(|arena| u128::from_str_radix(&arena, 16).map_err(|_| invalid("not hexadecimal")))
        .map_err(wrong("the arena"))?;
    let block = small(block).map_err(wrong("the block"))?;
    let generation = small(generation).map_err(wrong("the generation"))?;
    let offset = number(offset).map_err(wrong("the offset"))?;
    let dtype = text(dtype).and_then(|dtype| dtype.parse().map_err(|_| invalid("dtype"))).map_err(wrong("the dtype"))?;
    let shape = numbers(py, shape, |object| number(object).map(|n| n as usize)).map_err(wrong("the shape"))?;
    let strides = numbers(py, strides, |object| object.as_i64(py).map(|n| n as isize)).map_err(wrong("the strides"))?;
    let seal = number(seal).map_err(wrong("the seal"))?;
    let meta = ArrayMeta::strided(dtype, &shape, &strides).map_err(|_| invalid("layout")).map_err(wrong("the layout"))?;
    Ok(Handle { arena: ArenaId(arena), block: BlockIndex(block), generation: Generation(generation), offset, meta, seal })
}

/// The numbers in a tuple.
fn numbers<T>(py: Attached<'_>, object: Borrowed<'_>, number: impl Fn(Borrowed<'_>) -> PyResult<T>) -> PyResult<Vec<T>> {
    if !object.is_tuple() {
        return Err(Raised::type_error(py, "not a tuple"));
    }
    object.tuple_items(py)?.into_iter().map(number).collect()
}
