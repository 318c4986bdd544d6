"""CPython's buffer protocol from Python, for requests and answers that no honest program makes."""

import ctypes


class View(ctypes.Structure):
    """`Py_buffer`"""

    _fields_ = (
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.c_void_p),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.POINTER(ctypes.c_ssize_t)),
        ("strides", ctypes.POINTER(ctypes.c_ssize_t)),
        ("suboffsets", ctypes.POINTER(ctypes.c_ssize_t)),
        ("internal", ctypes.c_void_p),
    )


def request(exporter, flags):
    """`(ndim, has shape, has strides, format, len, readonly)` of the view that a request with these flags gets."""
    view = View()
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(exporter), ctypes.byref(view), flags)
    try:
        return view.ndim, bool(view.shape), bool(view.strides), view.format, view.len, bool(view.readonly)
    finally:
        ctypes.pythonapi.PyBuffer_Release(ctypes.byref(view))


class _Slot(ctypes.Structure):
    _fields_ = (("slot", ctypes.c_int), ("function", ctypes.c_void_p))


class _Spec(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("basicsize", ctypes.c_int),
        ("itemsize", ctypes.c_int),
        ("flags", ctypes.c_uint),
        ("slots", ctypes.POINTER(_Slot)),
    )


_GetBuffer = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.POINTER(View), ctypes.c_int)
_BF_GETBUFFER = 1
_immortal = []


def exporter(format=b"B", itemsize=1, shape=(16,), strides=None, *, length=None, ndim=None, without_shape=False):
    """An object that exports sixteen zeros and says of them whatever it is told to."""
    numbers = {"shape": shape, "strides": strides}
    arrays = {name: None if value is None else (ctypes.c_ssize_t * max(len(value), 1))(*value) for name, value in numbers.items()}
    memory = ctypes.create_string_buffer(16)

    def get_buffer(self, view, flags):
        view = view.contents
        view.buf = ctypes.addressof(memory)
        view.obj = id(self)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self))
        view.len = 16 if length is None else length
        view.itemsize = itemsize
        view.readonly = 1
        view.ndim = len(shape) if ndim is None else ndim
        view.format = format
        if not without_shape:
            view.shape = arrays["shape"]
        if arrays["strides"] is not None:
            view.strides = arrays["strides"]
        view.suboffsets = None
        view.internal = None
        return 0

    function = _GetBuffer(get_buffer)
    slots = (_Slot * 2)(_Slot(_BF_GETBUFFER, ctypes.cast(function, ctypes.c_void_p)), _Slot(0, None))
    spec = _Spec(b"liars.Exporter", 0, 0, 0, slots)
    # The class refers to these for as long as it lives, and CPython frees none of them.
    _immortal.extend((function, memory, arrays, slots, spec, format))
    make = ctypes.pythonapi.PyType_FromSpec
    make.restype = ctypes.py_object
    return make(ctypes.byref(spec))()
