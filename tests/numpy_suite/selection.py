"""Which of NumPy's tests are run, by paths from where NumPy is installed."""

WHOLE = ["numpy"]
LEFT_OUT = ["numpy/f2py"]

#: What CI runs: at least `SLICE_SIZE` tests that spend their time in C code, and so little of it that two cores need about a minute.
SLICE_SIZE = 10_000
SLICE = [
    *(
        f"numpy/_core/tests/test_{name}.py"
        for name in (
            "array_coercion",
            "casting_floatingpoint_errors",
            "casting_unittests",
            "datetime",
            "dtype",
            "errstate",
            "indexing",
            "item_selection",
            "multiarray",
            "overrides",
            "scalarmath",
            "shape_base",
            "stringdtype",
            "ufunc",
            "umath",
            "umath_complex",
        )
    ),
    "numpy/fft",
    "numpy/linalg",
    "numpy/ma",
    "numpy/random",
]
