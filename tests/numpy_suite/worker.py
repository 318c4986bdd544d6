"""The other side: pytest in a worker interpreter, which lives on a thread of its own. Arguments are pytest's.

faulthandler watches from the main interpreter, as CPython refuses it in others; its signal handler shows the thread that crashed.
"""

import faulthandler
import os
import signal
import sys
import threading

from crossbuf import interpreters

STACK = 64 << 20

ended_well = threading.Event()


def live() -> None:
    with interpreters.create() as interpreter:
        interpreter.exec(f"import sys; sys.path[:] = {sys.path!r}; import inside; inside.run_pytest({sys.argv[1:]!r})")
    ended_well.set()


if __name__ == "__main__":
    faulthandler.enable(os.dup(sys.stderr.fileno()), all_threads=False)  # a copy, as pytest takes standard error
    threading.stack_size(STACK)
    thread = threading.Thread(target=live)
    thread.start()
    # The signal that ends a hanging process is for the thread that hangs.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGABRT})
    thread.join()
    sys.exit(0 if ended_well.is_set() else 2)
