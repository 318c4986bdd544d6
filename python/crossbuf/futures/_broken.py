"""What a pool raises when it cannot go on. Where the standard library has such a pool, its exception is a base of ours."""

import sys

from ..errors import Error

if sys.version_info >= (3, 14):
    from concurrent.futures.interpreter import BrokenInterpreterPool as _Broken
else:
    from concurrent.futures import BrokenExecutor as _Broken


class BrokenInterpreterPool(Error, _Broken):
    """A worker could not start or is gone, so the pool takes no more calls. The text says why; make another pool."""
