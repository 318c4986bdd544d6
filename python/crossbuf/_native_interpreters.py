"""The standard library's three ways to run sub-interpreters, each as the same five steps.

`Native` is one interpreter. What the library refuses is raised as it comes; `REFUSED` and `UNSHAREABLE` name those exceptions,
and `interpreters.py` gives them their texts.
"""

import sys

from ._core import _interpreter_id

if sys.version_info >= (3, 13):
    import _interpreters

    def count() -> int:
        """How many interpreters the process has, whoever made them."""
        return len(_interpreters.list_all())

    def owns_its_gil() -> bool:
        """Whether this interpreter has a GIL and an allocator of its own."""
        config = _interpreters.get_config(_interpreter_id())
        return config.gil == "own" and not config.use_main_obmalloc

else:
    import _xxsubinterpreters  # type: ignore[import-not-found]

    def count() -> int:
        return len(_xxsubinterpreters.list_all())

    def owns_its_gil() -> bool:
        raise NotImplementedError("3.12 does not tell")


def is_main() -> bool:
    """Whether this is the main interpreter."""
    return _interpreter_id() == 0


if sys.version_info >= (3, 14):
    from concurrent import interpreters as _library

    REFUSED: type[Exception] = _library.InterpreterError
    UNSHAREABLE: type[Exception] = _library.NotShareableError

    class Native:
        def __init__(self) -> None:
            self._interpreter = _library.create()
            self.id = self._interpreter.id

        def run(self, code: str) -> str | None:
            """Runs `code` in `__main__`; the traceback when it raised."""
            try:
                self._interpreter.exec(code)
            except _library.ExecutionFailed as failed:
                return str(failed.excinfo.errdisplay)
            return None

        def bind(self, values: dict[str, object]) -> None:
            self._interpreter.prepare_main(values)

        def is_running(self) -> bool:
            return self._interpreter.is_running()

        def destroy(self) -> None:
            self._interpreter.close()

elif sys.version_info >= (3, 13):
    REFUSED: type[Exception] = _interpreters.InterpreterError
    UNSHAREABLE: type[Exception] = _interpreters.NotShareableError

    class Native:
        def __init__(self) -> None:
            self.id = int(_interpreters.create("isolated"))

        def run(self, code: str) -> str | None:
            failed = _interpreters.exec(self.id, code)
            return None if failed is None else str(failed.errdisplay)

        def bind(self, values: dict[str, object]) -> None:
            _interpreters.set___main___attrs(self.id, values)

        def is_running(self) -> bool:
            return _interpreters.is_running(self.id)

        def destroy(self) -> None:
            _interpreters.destroy(self.id)

else:
    REFUSED: type[Exception] = RuntimeError
    UNSHAREABLE: type[Exception] = ValueError

    # 3.12 tells only the type and text of what code raised, so the code tells its traceback itself.
    _TELL = """
try: exec(compile({!r}, '<string>', 'exec'))
except BaseException: raise RuntimeError(__import__('traceback').format_exc()) from None
"""

    class Native:
        def __init__(self) -> None:
            # The ID object keeps the interpreter alive; as a mere int it would be destroyed at once.
            self._id = _xxsubinterpreters.create(isolated=True)
            self.id = int(self._id)

        def run(self, code: str) -> str | None:
            try:
                _xxsubinterpreters.run_string(self._id, _TELL.format(code))
            except _xxsubinterpreters.RunFailedError as failed:
                return str(failed).removeprefix("<class 'RuntimeError'>: ")
            return None

        def bind(self, values: dict[str, object]) -> None:
            _xxsubinterpreters.run_string(self._id, "", values)

        def is_running(self) -> bool:
            return bool(_xxsubinterpreters.is_running(self._id))

        def destroy(self) -> None:
            _xxsubinterpreters.destroy(self._id)
