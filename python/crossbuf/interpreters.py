"""Sub-interpreters that own their GIL, on CPython 3.12 to 3.15 behind one face.

```text
3.12   _xxsubinterpreters        ┐
3.13   _interpreters             ├──  create() -> Interpreter: id, exec, prepare_main, is_running, close
3.14+  concurrent.interpreters   ┘
```

```python
with interpreters.create() as interpreter:
    interpreter.prepare_main(answer=42)
    interpreter.exec("print(answer)")
```

What CPython leaves to the caller:

- `datetime` must be imported before the first sub-interpreter, or 3.13 aborts; and before 3.13, pickle must be used in the main
  interpreter first, or the process dies at exit. Importing this module in the main interpreter does both.
- Use an interpreter from one thread that is not the main one, as `crossbuf.spawn` does: on 3.14 every new thread state on the
  main thread costs a read of `/proc/self/maps`.
- Nothing may run in an interpreter when it is closed. Threads started inside are waited for.
- `os.fork` while there are other interpreters makes a child that crashes (python/cpython#101437). Importing this module in the main
  interpreter makes it warn. `subprocess` and multiprocessing's "spawn" and "forkserver" are safe.

This is no pool and no executor; for one function in one interpreter there is `crossbuf.spawn`.
"""

import sys
from collections.abc import Callable
from types import TracebackType
from typing import Self

from . import _cautions
from ._core import Receiver, Sender, _interpreter_closed, _interpreter_made, _lend
from ._native_interpreters import REFUSED, UNSHAREABLE, Native, is_main
from .errors import ExecutionFailed, InterpreterError, NotShareable

if is_main():
    # To be the first to import datetime would be fatal for any other interpreter.
    import datetime as datetime

    from . import _pickling as _pickling

    _cautions.watch_forks()


def create() -> "Interpreter":
    """Makes an interpreter with its own GIL, ready to run code. Close it, or use it in `with`.

    Warns, once in the process, when many were closed that had loaded NumPy.
    """
    _cautions.another_interpreter()
    return _create()


def _create() -> "Interpreter":
    """As `create`, for threads of crossbuf's own."""
    return Interpreter(Native())


class Interpreter:
    """One sub-interpreter. `create` makes them; `exec` blocks its caller's thread and nobody else."""

    __slots__ = ("__weakref__", "_closed", "_native", "id")

    #: The number by which CPython knows it, unique in the process.
    id: int

    def __init__(self, native: Native) -> None:
        self._native = native
        self._closed = False
        self.id = native.id
        _interpreter_made(self.id)

    def exec(self, code: str, /) -> None:
        """Runs `code` in the interpreter's `__main__`.

        Raises `ExecutionFailed` with the traceback when the code raises, `SyntaxError` when it is no Python, and
        `InterpreterError` when the interpreter is closed or runs something already.
        """
        compile(code, "<string>", "exec")  # 3.14 says so here, 3.12 and 3.13 only from inside
        self._exec(code)

    def _exec(self, code: str) -> None:
        """As `exec`, for code that is known to be Python."""
        self._check_open()
        try:
            trouble = self._native.run(code)
        except REFUSED as refusal:
            raise self._refused("exec", refusal) from refusal
        if trouble is not None:
            raise ExecutionFailed(f"code in interpreter {self.id} raised:\n{trouble}")

    def _work(self, function: str, ends: tuple[Sender | Receiver, ...], on_call: Callable[[], object] = lambda: None) -> None:
        """Calls that function of `_worker`, which takes the ends. They are closed here, so that the interpreter has the only ones.

        All at once, as each way into an interpreter makes a thread state.
        """
        # It finds the modules that this interpreter finds, crossbuf's own above all.
        path = [entry for entry in sys.path if isinstance(entry, str)]
        code = f"import sys; sys.path[:] = {path!r}\nfrom crossbuf._worker import {function}; {function}()"

        def enter() -> None:
            for end in ends:
                end.close()
            self._exec(code)

        _lend(on_call, enter, ends)

    def prepare_main(self, **values: object) -> None:
        """Binds `values` as globals of the interpreter's `__main__`.

        They may be None, bytes, str, int, crossbuf's Arrays and channel ends, and on 3.13 and later all that the standard library
        shares. Raises `NotShareable` for anything else.
        """
        self._check_open()
        if not values:
            return  # 3.13 refuses to bind nothing
        try:
            self._native.bind(values)
        except UNSHAREABLE as refusal:
            kinds = ", ".join(f"{name}: {type(value).__qualname__}" for name, value in values.items())
            raise NotShareable(f"prepare_main({kinds}): {refusal}; send other objects through a channel") from refusal
        except REFUSED as refusal:
            raise self._refused("prepare_main", refusal) from refusal

    def is_running(self) -> bool:
        """Whether code runs in it now."""
        return not self._closed and self._native.is_running()

    def close(self) -> None:
        """Ends the interpreter; what it owned is freed, and private copies of NumPy's libraries are unloaded. Closing twice does nothing.

        Raises `InterpreterError` while code runs in it.
        """
        if self._closed:
            return
        try:
            self._native.destroy()
        except REFUSED as refusal:
            raise self._refused("close", refusal) from refusal
        self._closed = True
        _interpreter_closed(self.id)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "running" if self.is_running() else "idle"
        return f"<crossbuf Interpreter {self.id}, {state}>"

    def _check_open(self) -> None:
        if self._closed:
            raise InterpreterError(f"interpreter {self.id} is closed; create another")

    def _refused(self, step: str, refusal: Exception) -> InterpreterError:
        return InterpreterError(f"{step} on interpreter {self.id} was refused: {refusal}")
