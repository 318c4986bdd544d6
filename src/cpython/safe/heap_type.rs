//! Classes of our own: heap types, made once for each interpreter.

use std::ffi::{CStr, c_int, c_void};
use std::ops::Deref;

use pyo3_ffi as ffi;

use super::{Attached, Borrowed, Owned, PyResult, Raised};

/// The memory of an instance. The head is embedded, not relative to the end of a base: before 3.14 CPython took relative
/// offsets of `__weaklistoffset__` for absolute ones.
#[repr(C)]
pub(in crate::cpython) struct Instance<T> {
    head: ffi::PyObject,
    weakrefs: *mut ffi::PyObject,
    value: T,
}

/// An instance of our class whose value is `T`.
///
/// Invariant 1: `object` is an instance of a class that [`ClassSpec`] made for `T`, so its memory is an `Instance<T>`
/// with an initialised value, alive for `'a`.
pub(in crate::cpython) struct This<'a, T> {
    object: Borrowed<'a>,
    value: &'a T,
}

impl<T> Clone for This<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for This<'_, T> {}

impl<T> Deref for This<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.value
    }
}

impl<'a, T> This<'a, T> {
    /// # Safety
    /// `object` is an instance of a class that [`ClassSpec`] made for `T`, alive for `'a`.
    pub(in crate::cpython) unsafe fn from_ptr(object: *mut ffi::PyObject) -> This<'a, T> {
        // SAFETY: by the caller's promise that is the layout; nothing makes a unique reference to the value.
        let value = unsafe { &(*object.cast::<Instance<T>>()).value };
        // SAFETY: alive for `'a`.
        This { object: unsafe { Borrowed::from_ptr(object) }, value }
    }

    /// The value of `object` when it is an instance of `class`, which was made for `T`.
    ///
    /// # Safety
    /// `class` was made by [`ClassSpec`] for `T`.
    pub(in crate::cpython) unsafe fn of(py: Attached<'_>, object: Borrowed<'a>, class: Borrowed<'_>) -> Option<This<'a, T>> {
        // SAFETY: our classes cannot be derived from, so the exact class tells the layout.
        object.is_exactly(py, class).then(|| unsafe { This::from_ptr(object.as_ptr()) })
    }

    pub(in crate::cpython) fn object(self) -> Borrowed<'a> {
        self.object
    }

    /// The value, for as long as the object lives.
    pub(in crate::cpython) fn value(self) -> &'a T {
        self.value
    }
}

/// A constant table that C reads.
#[repr(transparent)]
pub(in crate::cpython) struct Table<T>(pub(in crate::cpython) T);

// SAFETY: the tables hold addresses of functions and texts of this library, which never change.
unsafe impl<T> Sync for Table<T> {}

/// What a class is made of.
pub(in crate::cpython) struct ClassSpec {
    pub(in crate::cpython) name: &'static CStr,
    pub(in crate::cpython) doc: &'static CStr,
    /// Ends with an empty entry.
    pub(in crate::cpython) methods: &'static [ffi::PyMethodDef],
    /// Ends with an empty entry.
    pub(in crate::cpython) getters: &'static [ffi::PyGetSetDef],
    /// Slots beside those for destruction, weak references, methods, getters and the text.
    pub(in crate::cpython) slots: Vec<(c_int, *mut c_void)>,
}

impl ClassSpec {
    /// Makes the class in this interpreter. It can be neither derived from nor, without a `tp_new` slot, called.
    ///
    /// # Safety
    /// Functions in the tables and slots take instances of this class as instances with a `T`.
    pub(in crate::cpython) unsafe fn make<T>(self, py: Attached<'_>, module: Borrowed<'_>) -> PyResult<Owned> {
        let mut members = [
            ffi::PyMemberDef {
                name: c"__weaklistoffset__".as_ptr(),
                type_code: ffi::Py_T_PYSSIZET,
                offset: std::mem::offset_of!(Instance<T>, weakrefs) as ffi::Py_ssize_t,
                flags: ffi::Py_READONLY,
                doc: std::ptr::null(),
            },
            ffi::PyMemberDef::default(),
        ];
        let callable = self.slots.iter().any(|(slot, _)| *slot == ffi::Py_tp_new);
        let own = [
            (ffi::Py_tp_dealloc, dealloc::<T> as *mut c_void),
            (ffi::Py_tp_doc, self.doc.as_ptr().cast_mut().cast()),
            (ffi::Py_tp_members, members.as_mut_ptr().cast()),
            (ffi::Py_tp_methods, self.methods.as_ptr().cast_mut().cast()),
            (ffi::Py_tp_getset, self.getters.as_ptr().cast_mut().cast()),
        ];
        let mut slots: Vec<_> = own
            .into_iter()
            .chain(self.slots)
            .chain([(0, std::ptr::null_mut())])
            .map(|(slot, pfunc)| ffi::PyType_Slot { slot, pfunc })
            .collect();
        let instantiation = if callable { 0 } else { ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION };
        let mut spec = ffi::PyType_Spec {
            name: self.name.as_ptr(),
            basicsize: size_of::<Instance<T>>() as c_int,
            itemsize: 0,
            flags: (ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_IMMUTABLETYPE | instantiation) as _,
            slots: slots.as_mut_ptr(),
        };
        // SAFETY: attached; the module is alive; spec, slots and members are complete and copied by the call, tables are static.
        unsafe { Owned::from_result(py, ffi::PyType_FromModuleAndSpec(module.as_ptr(), &mut spec, std::ptr::null_mut())) }
    }
}

impl<T> Instance<T> {
    /// A new instance of `class`.
    ///
    /// # Safety
    /// `class` was made by [`ClassSpec::make`] for `T`.
    pub(in crate::cpython) unsafe fn create(py: Attached<'_>, class: Borrowed<'_>, value: T) -> PyResult<Owned> {
        // SAFETY: attached; a class that is alive.
        let pointer = unsafe { ffi::PyType_GenericAlloc(class.as_ptr().cast(), 0) };
        if pointer.is_null() {
            return Err(Raised::pending(py));
        }
        let instance: *mut Instance<T> = pointer.cast();
        // SAFETY: fresh memory of that size, zeroed but for the head; the value is written before anyone sees the object.
        unsafe { (&raw mut (*instance).value).write(value) };
        // SAFETY: a new reference, not NULL.
        Ok(unsafe { Owned::from_ptr(pointer) })
    }
}

/// `tp_dealloc`: drops the value and gives the memory and the class back.
unsafe extern "C" fn dealloc<T>(object: *mut ffi::PyObject) {
    let instance: *mut Instance<T> = object.cast();
    // SAFETY: CPython calls this once, attached, with an instance that nobody refers to.
    unsafe {
        if !(*instance).weakrefs.is_null() {
            ffi::PyObject_ClearWeakRefs(object);
        }
        let value = &raw mut (*instance).value;
        // A panic may not cross into C; what is left then is leaked.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| value.drop_in_place()));
        let class = ffi::Py_TYPE(object);
        ffi::PyObject_Free(object.cast());
        ffi::Py_DecRef(class.cast());
    }
}

/// A table of methods: `kind name = function, "text";` for each, kinds as in [`entry`](super::entry).
macro_rules! methods {
    ($(#[$attribute:meta])* static $table:ident for $receiver:ty { $($kind:ident $name:literal => $body:path, $doc:literal;)* }) => {
        $(#[$attribute])*
        static $table: $crate::cpython::safe::Table<&[pyo3_ffi::PyMethodDef]> = $crate::cpython::safe::Table(&[
            $($crate::cpython::safe::entry::$kind!($receiver, $name, $body, $doc),)*
            pyo3_ffi::PyMethodDef::zeroed(),
        ]);
    };
}
pub(in crate::cpython) use methods;

/// A table of read-only attributes: `name => function, "text";` for each.
macro_rules! getters {
    (static $table:ident for $receiver:ty { $($name:literal => $body:path, $doc:literal;)* }) => {
        static $table: $crate::cpython::safe::Table<&[pyo3_ffi::PyGetSetDef]> = $crate::cpython::safe::Table(&[
            $($crate::cpython::safe::entry::getter!($receiver, $name, $body, $doc),)*
            $crate::cpython::safe::entry::NO_GETTER,
        ]);
    };
}
pub(in crate::cpython) use getters;
