//! The definition of a module, made to say that it works in interpreters with their own GIL.

use std::ffi::{c_int, c_void};

use pyo3_ffi as ffi;

/// A definition's slots with one replaced, in memory of our own. The definition refers to it, so it must live as long.
pub(super) struct Slots(#[allow(dead_code, reason = "held for the definition")] Box<[ffi::PyModuleDef_Slot]>);

// SAFETY: only CPython reads the slots, attached to the interpreter whose module this is.
unsafe impl Send for Slots {}

/// The numbers of `Py_mod_multiple_interpreters`: in modules built for CPython before 3.15, which all take, and since.
const MULTIPLE_INTERPRETERS: [c_int; 2] = [3, 86];

/// Replaces the slots of `definition`, which keeps its address: by it CPython tells a module's classes from those of others.
///
/// # Safety
/// `definition` is complete, lies in a library that is this interpreter's own, and no module was made of it yet. The result lives as
/// long as the library.
pub(super) unsafe fn declare_support(definition: *mut ffi::PyModuleDef) -> Slots {
    // SAFETY: a complete definition by the caller's promise.
    let mut slots = unsafe { listed((*definition).m_slots) };
    slots.retain(|slot| !MULTIPLE_INTERPRETERS.contains(&slot.slot));
    slots.push(slot(MULTIPLE_INTERPRETERS[0], ffi::Py_MOD_PER_INTERPRETER_GIL_SUPPORTED));
    slots.push(slot(0, std::ptr::null_mut()));
    let mut slots = slots.into_boxed_slice();
    // SAFETY: nobody else uses the definition by the caller's promise.
    unsafe { (*definition).m_slots = slots.as_mut_ptr() };
    Slots(slots)
}

/// # Safety
/// NULL, or slots of which the last one has the number 0.
unsafe fn listed(mut next: *const ffi::PyModuleDef_Slot) -> Vec<ffi::PyModuleDef_Slot> {
    let mut slots = Vec::new();
    while !next.is_null() {
        // SAFETY: the last one was not reached, by the caller's promise.
        let slot = unsafe { next.read() };
        if slot.slot == 0 {
            break;
        }
        slots.push(slot);
        // SAFETY: another one follows.
        next = unsafe { next.add(1) };
    }
    slots
}

fn slot(slot: c_int, value: *mut c_void) -> ffi::PyModuleDef_Slot {
    ffi::PyModuleDef_Slot { slot, value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(slots: *mut ffi::PyModuleDef_Slot) -> ffi::PyModuleDef {
        ffi::PyModuleDef {
            m_base: ffi::PyModuleDef_HEAD_INIT,
            m_name: c"m".as_ptr(),
            m_doc: std::ptr::null(),
            m_size: 0,
            m_methods: std::ptr::null_mut(),
            m_slots: slots,
            m_traverse: None,
            m_clear: None,
            m_free: None,
        }
    }

    fn numbers(definition: &ffi::PyModuleDef) -> Vec<(c_int, usize)> {
        // SAFETY: complete slots, alive.
        unsafe { listed(definition.m_slots) }.iter().map(|slot| (slot.slot, slot.value.addr())).collect()
    }

    #[test]
    fn one_slot_is_replaced_and_the_others_stay() {
        let supported = ffi::Py_MOD_PER_INTERPRETER_GIL_SUPPORTED.addr();
        let [old, new] = MULTIPLE_INTERPRETERS;
        let value = std::ptr::without_provenance_mut;
        let mut theirs = [slot(2, value(8)), slot(new, value(0)), slot(4, value(1)), slot(0, value(1))];
        let mut of_theirs = definition(theirs.as_mut_ptr());
        // SAFETY: complete, and of this test alone.
        let _slots = unsafe { declare_support(&raw mut of_theirs) };
        assert_eq!(numbers(&of_theirs), [(2, 8), (4, 1), (old, supported)]);
        let mut without = definition(std::ptr::null_mut());
        // SAFETY: complete, and of this test alone.
        let _slots = unsafe { declare_support(&raw mut without) };
        assert_eq!(numbers(&without), [(old, supported)]);
    }
}
