"""Work on a thread of its own: a sub-interpreter is not to live on the main one."""

import threading
from collections.abc import Callable


def on_a_thread[T](work: Callable[[], T]) -> T:
    """Returns what `work` returns and raises what it raises."""
    outcome: list[T] = []
    trouble: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            trouble.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if trouble:
        raise trouble[0]
    return outcome[0]
