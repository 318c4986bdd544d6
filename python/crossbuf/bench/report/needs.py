"""What a page needs besides crossbuf; asked before anything is measured, and before `page` is imported."""

from importlib.util import find_spec

from ...errors import Error


def require() -> None:
    """Raises `Error` where matplotlib is missing."""
    if find_spec("matplotlib") is None:
        raise Error("the page's plots need matplotlib: pip install 'crossbuf[bench]'")
