//! The classes, one file each.

use std::ffi::c_int;

use super::safe::{Attached, Borrowed, Owned, PyResult};

pub(super) mod arena;
pub(super) mod array;
pub(super) mod connection;
pub(super) mod draft;
pub(super) mod ends;
mod layout;
mod receiver;
mod sender;
pub(super) mod service;

/// The classes of one interpreter.
pub(super) struct Types {
    pub(super) arena: Owned,
    pub(super) array: Owned,
    pub(super) connection: Owned,
    pub(super) draft: Owned,
    pub(super) receiver: Owned,
    pub(super) sender: Owned,
    pub(super) service: Owned,
}

impl Types {
    pub(super) fn new(py: Attached<'_>, module: Borrowed<'_>) -> PyResult<Types> {
        Ok(Types {
            arena: arena::class(py, module)?,
            array: array::class(py, module)?,
            connection: connection::class(py, module)?,
            draft: draft::class(py, module)?,
            receiver: receiver::class(py, module)?,
            sender: sender::class(py, module)?,
            service: service::class(py, module)?,
        })
    }

    fn all(&self) -> [&Owned; 7] {
        [&self.arena, &self.array, &self.connection, &self.draft, &self.receiver, &self.sender, &self.service]
    }

    /// Makes them attributes of the module.
    pub(super) fn publish(&self, py: Attached<'_>, module: Borrowed<'_>) -> PyResult<()> {
        self.all().into_iter().try_for_each(|class| module.add_class(py, class.get()))
    }

    pub(super) fn visit(&self, visit: &mut dyn FnMut(&Owned) -> c_int) -> c_int {
        self.all().into_iter().map(visit).find(|&code| code != 0).unwrap_or(0)
    }
}
