"""Where in the program something was made, for statistics."""

import sys

#: Packages that pickle for others.
_CARRIERS = frozenset({"concurrent", "crossbuf", "joblib", "loky", "multiprocessing", "pickle", "threading"})


def site() -> str:
    """File and line of the innermost caller that is not in a package that pickles for others; of the outermost, if all are."""
    frame = sys._getframe(0)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _CARRIERS:
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
