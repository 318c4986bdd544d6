//! Whether an object is made of nothing but constants in builtin containers, and of what somebody vouches for.

use super::walk::{Part, Walk};
use crate::cpython::safe::{Attached, Borrowed, PyResult};
use crate::cpython::state::State;

/// What has more parts is not looked through.
const MOST: usize = 256;

/// `vouches` is asked for each part that is neither a constant, a container nor an array or channel end. Errors with what it raises.
pub(in crate::cpython) fn is_plain(py: Attached<'_>, state: &State, object: Borrowed<'_>, vouches: Borrowed<'_>) -> PyResult<bool> {
    let mut walk = Walk::new(py, state, object);
    for _ in 0..MOST {
        match walk.next(py) {
            Ok(None) => return Ok(true),
            Ok(Some((_, Part::Basic(..)))) => {}
            Ok(Some((part, Part::Foreign))) if vouches.call(py, [part.get()])?.get().is_truthy(py)? => {}
            Ok(Some(_)) => return Ok(false),
            // It is nested too deep, or somebody is changing it.
            Err(raised) => {
                drop(raised.take(py));
                return Ok(false);
            }
        }
    }
    Ok(false)
}
