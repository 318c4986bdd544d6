//! Arguments of a call, matched with the names of its parameters.

use pyo3_ffi as ffi;

use super::{Attached, Borrowed, Owned, PyResult, Raised};

/// The parameters of a function: all have names, the first `positional` may be given by place.
pub(in crate::cpython) struct Signature<const N: usize> {
    pub(in crate::cpython) function: &'static str,
    pub(in crate::cpython) names: [&'static str; N],
    /// How many must be given; they come first.
    pub(in crate::cpython) required: usize,
    /// How many may be given by place.
    pub(in crate::cpython) positional: usize,
}

/// What a caller passed by the vectorcall protocol.
#[derive(Clone, Copy)]
pub(in crate::cpython) struct Arguments<'a> {
    /// Values by place, then values by name.
    values: &'a [*mut ffi::PyObject],
    places: usize,
    names: Option<Borrowed<'a>>,
}

impl<'a> Arguments<'a> {
    /// # Safety
    /// As CPython passes them to a function with `METH_FASTCALL | METH_KEYWORDS`, alive for `'a`.
    pub(super) unsafe fn new(values: *const *mut ffi::PyObject, places: ffi::Py_ssize_t, names: *mut ffi::PyObject) -> Arguments<'a> {
        let places = places.unsigned_abs();
        // SAFETY: a tuple of names or NULL, alive for `'a`.
        let names = (!names.is_null()).then(|| unsafe { Borrowed::from_ptr(names) });
        // SAFETY: names is a tuple.
        let named = names.map_or(0, |names| unsafe { ffi::PyTuple_Size(names.as_ptr()) }.unsigned_abs());
        let len = places + named;
        // SAFETY: the protocol puts one value for each place and name behind the pointer, which may be NULL when there are none.
        let values = if len == 0 { &[] } else { unsafe { std::slice::from_raw_parts(values, len) } };
        Arguments { values, places, names }
    }

    fn value(&self, at: usize) -> Borrowed<'a> {
        // SAFETY: the protocol passes live objects.
        unsafe { Borrowed::from_ptr(self.values[at]) }
    }

    /// One value or `None` for each parameter. Errors with TypeError, as Python words it.
    pub(in crate::cpython) fn bind<const N: usize>(
        &self,
        py: Attached<'_>,
        signature: &Signature<N>,
    ) -> PyResult<[Option<Borrowed<'a>>; N]> {
        let function = signature.function;
        let mut bound = [None; N];
        if self.places > signature.positional {
            let most = signature.positional;
            return Err(Raised::type_error(py, &format!("{function}() takes at most {most} positional arguments ({} given)", self.places)));
        }
        for (at, place) in bound.iter_mut().enumerate().take(self.places) {
            *place = Some(self.value(at));
        }
        if let Some(names) = self.names {
            for (at, name) in names.tuple_items(py)?.into_iter().enumerate() {
                let name = name.as_str(py)?;
                let Some(place) = signature.names.iter().position(|known| *known == name) else {
                    return Err(Raised::type_error(py, &format!("{function}() got an unexpected keyword argument '{name}'")));
                };
                if bound[place].replace(self.value(self.places + at)).is_some() {
                    return Err(Raised::type_error(py, &format!("{function}() got multiple values for argument '{name}'")));
                }
            }
        }
        match bound.iter().take(signature.required).position(Option::is_none) {
            Some(missing) => {
                Err(Raised::type_error(py, &format!("{function}() missing required argument: '{}'", signature.names[missing])))
            }
            None => Ok(bound),
        }
    }

    /// Calls `take` with what `tp_new` got: a tuple and perhaps a dict.
    pub(in crate::cpython) fn unpack<R>(
        py: Attached<'_>,
        places: Borrowed<'_>,
        names: Option<Borrowed<'_>>,
        take: impl FnOnce(Arguments<'_>) -> PyResult<R>,
    ) -> PyResult<R> {
        let mut values: Vec<_> = places.tuple_items(py)?.into_iter().map(Borrowed::as_ptr).collect();
        let Some(names) = names else {
            return take(Arguments { values: &values, places: values.len(), names: None });
        };
        let places = values.len();
        let keys = Owned::tuple(py, names.items(py)?)?;
        let named = keys.get().tuple_items(py)?.into_iter().map(|key| names.item(py, key)).collect::<PyResult<Vec<_>>>()?;
        values.extend(named.iter().map(Owned::as_ptr));
        take(Arguments { values: &values, places, names: Some(keys.get()) })
    }
}
