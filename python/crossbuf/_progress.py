"""A progress bar on a terminal, and nothing elsewhere."""

import sys
from types import TracebackType
from typing import Self

_WIDTH = 40


class Progress:
    """A bar on standard error while its block runs; `advance` moves it towards `total`."""

    def __init__(self, label: str, total: int) -> None:
        self._label = label
        self._total = max(total, 1)
        self._done = 0
        self._shown = -1
        self._visible = sys.stderr is not None and sys.stderr.isatty()

    def advance(self, steps: int) -> None:
        self._done += steps
        filled = _WIDTH * self._done // self._total
        if self._visible and filled != self._shown:
            self._shown = filled
            print(f"\r{self._label:<16} [{'#' * filled:<{_WIDTH}}]", end="", file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        self.advance(0)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        if self._visible:
            print(f"\r{'':<{_WIDTH + 20}}\r", end="", file=sys.stderr, flush=True)
