//! References that know what they own.

use std::ffi::CStr;
use std::marker::PhantomData;
use std::ptr::NonNull;

use pyo3_ffi as ffi;

use super::raise::{check, raised};
use super::{Attached, PyResult, Raised};

/// A reference of our own to a Python object, given back on drop.
///
/// Invariant 1: it points to a live object of the interpreter to which this thread was attached when it was made, and
/// it is dropped attached to the same one: it is not `Send`, and nothing keeps one outside of that interpreter's own objects.
#[derive(Debug)]
pub(in crate::cpython) struct Owned(NonNull<ffi::PyObject>);

/// A reference that somebody else owns for as long as `'a`.
#[derive(Clone, Copy, Debug)]
pub(in crate::cpython) struct Borrowed<'a>(NonNull<ffi::PyObject>, PhantomData<&'a Owned>);

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: by invariant 1 the reference is ours and this thread is attached.
        unsafe { ffi::Py_DecRef(self.0.as_ptr()) }
    }
}

impl Owned {
    /// # Safety
    /// Attached; `pointer` is a new reference, not NULL.
    pub(in crate::cpython) unsafe fn from_ptr(pointer: *mut ffi::PyObject) -> Owned {
        debug_assert!(!pointer.is_null());
        // SAFETY: not NULL by the caller's promise.
        Owned(unsafe { NonNull::new_unchecked(pointer) })
    }

    /// What a C API call returned: a new reference, or NULL with an exception set.
    ///
    /// # Safety
    /// `pointer` is what such a call has just returned.
    pub(in crate::cpython) unsafe fn from_result(py: Attached<'_>, pointer: *mut ffi::PyObject) -> PyResult<Owned> {
        NonNull::new(pointer).map(Owned).ok_or_else(|| Raised::pending(py))
    }

    pub(in crate::cpython) fn into_ptr(self) -> *mut ffi::PyObject {
        let pointer = self.0.as_ptr();
        std::mem::forget(self);
        pointer
    }

    pub(in crate::cpython) fn as_ptr(&self) -> *mut ffi::PyObject {
        self.0.as_ptr()
    }

    pub(in crate::cpython) fn get(&self) -> Borrowed<'_> {
        Borrowed(self.0, PhantomData)
    }

    pub(in crate::cpython) fn none(_: Attached<'_>) -> Owned {
        // SAFETY: None is an object of every interpreter; the new reference is ours.
        unsafe { Owned::from_ptr(ffi::Py_NewRef(ffi::Py_None())) }
    }

    pub(in crate::cpython) fn not_implemented(_: Attached<'_>) -> Owned {
        // SAFETY: NotImplemented is an object of every interpreter; the new reference is ours.
        unsafe { Owned::from_ptr(ffi::Py_NewRef(ffi::Py_NotImplemented())) }
    }

    /// Imports a module by its dotted name.
    pub(in crate::cpython) fn import(py: Attached<'_>, name: &CStr) -> PyResult<Owned> {
        // SAFETY: attached; the name ends with NUL.
        unsafe { Owned::from_result(py, ffi::PyImport_ImportModule(name.as_ptr())) }
    }

    /// The module of that dotted name, if somebody has imported it in this interpreter.
    pub(in crate::cpython) fn imported(py: Attached<'_>, name: &str) -> PyResult<Option<Owned>> {
        Owned::imported_as(py, Owned::text(py, name)?.get())
    }

    /// The same by a str that somebody keeps, which knows its hash already.
    pub(in crate::cpython) fn imported_as(py: Attached<'_>, name: Borrowed<'_>) -> PyResult<Option<Owned>> {
        // SAFETY: attached; the interpreter keeps its `sys.modules` alive.
        let modules = unsafe { ffi::PyImport_GetModuleDict() };
        // SAFETY: attached, both are alive; NULL comes without an exception when the key is missing.
        let module = unsafe { ffi::PyDict_GetItemWithError(modules, name.as_ptr()) };
        if module.is_null() {
            return if raised(py) { Err(Raised::pending(py)) } else { Ok(None) };
        }
        // SAFETY: not NULL, kept alive by the dict, which no code changes before the new reference is made.
        Ok(Some(unsafe { Borrowed::from_ptr(module) }.to_owned(py)).filter(|module| !module.get().is_none()))
    }
}

impl<'a> Borrowed<'a> {
    /// # Safety
    /// `pointer` is not NULL and points to an object that lives for `'a`.
    pub(in crate::cpython) unsafe fn from_ptr(pointer: *mut ffi::PyObject) -> Borrowed<'a> {
        debug_assert!(!pointer.is_null());
        // SAFETY: not NULL by the caller's promise.
        Borrowed(unsafe { NonNull::new_unchecked(pointer) }, PhantomData)
    }

    pub(in crate::cpython) fn as_ptr(self) -> *mut ffi::PyObject {
        self.0.as_ptr()
    }

    pub(in crate::cpython) fn to_owned(self, _: Attached<'_>) -> Owned {
        // SAFETY: attached, the object is alive; the new reference is ours.
        unsafe { Owned::from_ptr(ffi::Py_NewRef(self.as_ptr())) }
    }

    pub(in crate::cpython) fn is(self, other: Borrowed<'_>) -> bool {
        self.0 == other.0
    }

    pub(in crate::cpython) fn is_none(self) -> bool {
        // SAFETY: reads the address of None only.
        self.as_ptr() == unsafe { ffi::Py_None() }
    }

    pub(in crate::cpython) fn class(self, _: Attached<'_>) -> Borrowed<'a> {
        // SAFETY: the object is alive and so is its class.
        let class = unsafe { ffi::Py_TYPE(self.as_ptr()) };
        // SAFETY: a class is an object and never NULL; the object keeps it alive.
        unsafe { Borrowed::from_ptr(class.cast()) }
    }

    /// `type(self) is class`
    pub(in crate::cpython) fn is_exactly(self, py: Attached<'_>, class: Borrowed<'_>) -> bool {
        self.class(py).is(class)
    }

    /// Whether its class is `class` or derived from it, without asking `__instancecheck__`.
    pub(in crate::cpython) fn derives_from(self, py: Attached<'_>, class: Borrowed<'_>) -> bool {
        let own = self.class(py);
        // SAFETY: attached, both classes are alive.
        own.is(class) || unsafe { ffi::PyType_IsSubtype(own.as_ptr().cast(), class.as_ptr().cast()) != 0 }
    }

    pub(in crate::cpython) fn attribute(self, py: Attached<'_>, name: &CStr) -> PyResult<Owned> {
        // SAFETY: attached, the object is alive, the name ends with NUL.
        unsafe { Owned::from_result(py, ffi::PyObject_GetAttrString(self.as_ptr(), name.as_ptr())) }
    }

    /// The attribute, or `None` where there is no such attribute.
    pub(in crate::cpython) fn find_attribute(self, py: Attached<'_>, name: &CStr) -> PyResult<Option<Owned>> {
        match self.attribute(py, name) {
            Ok(value) => Ok(Some(value)),
            Err(raised) if raised.is_attribute_error(py) => {
                drop(raised.take(py));
                Ok(None)
            }
            Err(raised) => Err(raised),
        }
    }

    pub(in crate::cpython) fn call<const N: usize>(self, py: Attached<'_>, arguments: [Borrowed<'_>; N]) -> PyResult<Owned> {
        let arguments = arguments.map(Borrowed::as_ptr);
        // SAFETY: attached; the callee and its N arguments are alive during the call.
        unsafe { Owned::from_result(py, ffi::PyObject_Vectorcall(self.as_ptr(), arguments.as_ptr(), N, std::ptr::null_mut())) }
    }

    /// Calls the method of that name.
    pub(in crate::cpython) fn invoke<const N: usize>(self, py: Attached<'_>, name: &CStr, arguments: [Borrowed<'_>; N]) -> PyResult<Owned> {
        self.attribute(py, name)?.get().call(py, arguments)
    }

    /// `str(self)`
    pub(in crate::cpython) fn words(self, py: Attached<'_>) -> PyResult<String> {
        // SAFETY: attached, the object is alive.
        let text = unsafe { Owned::from_result(py, ffi::PyObject_Str(self.as_ptr())) }?;
        text.get().to_text(py)
    }

    /// `repr(self)`, or the class's name where repr fails: for messages of errors.
    pub(in crate::cpython) fn describe(self, py: Attached<'_>) -> String {
        // SAFETY: attached, the object is alive.
        let text = unsafe { Owned::from_result(py, ffi::PyObject_Repr(self.as_ptr())) };
        match text.and_then(|text| text.get().to_text(py)) {
            Ok(text) if text.chars().count() <= 80 => text,
            Ok(text) => text.chars().take(77).chain("...".chars()).collect(),
            Err(raised) => {
                drop(raised.take(py));
                format!("<{}>", self.class_name(py))
            }
        }
    }

    /// `type(self).__name__`
    pub(in crate::cpython) fn class_name(self, py: Attached<'_>) -> String {
        let name = self.class(py).attribute(py, c"__name__").and_then(|name| name.get().to_text(py));
        name.unwrap_or_else(|raised| {
            drop(raised.take(py));
            "object".to_owned()
        })
    }
}

impl Borrowed<'_> {
    /// Makes `class` an attribute of this module, under its own name.
    pub(in crate::cpython) fn add_class(self, py: Attached<'_>, class: Borrowed<'_>) -> PyResult<()> {
        // SAFETY: attached; `self` is a module and `class` a class, both alive.
        check(py, unsafe { ffi::PyModule_AddType(self.as_ptr(), class.as_ptr().cast()) }).map(drop)
    }
}
