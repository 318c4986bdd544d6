"""Which of NumPy's tests are run, by paths from where NumPy is installed."""

WHOLE = ["numpy"]
LEFT_OUT = ["numpy/f2py"]

#: What CI runs: at least `SLICE_SIZE` tests that spend their time in C code, chosen so that two cores need about two minutes.
SLICE_SIZE = 10_000
SLICE = [
    *(
        f"numpy/_core/tests/test_{name}.py"
        for name in (
            "array_coercion",
            "casting_unittests",
            "datetime",
            "dtype",
            "errstate",
            "indexing",
            "item_selection",
            "nditer",
            "overrides",
            "scalarmath",
            "shape_base",
            "stringdtype",
            "ufunc",
            "umath",
        )
    ),
    "numpy/fft",
    "numpy/linalg",
    "numpy/ma",
    "numpy/random",
]
