"""What crossbuf raises, in one tree.

```text
Error
├── ArenaFull            (MemoryError)  the budget has no room; says asked, used, budget, largest free run
├── ArenaClosed                         the arena was closed; what is open stays readable
├── HandleError          (ValueError)   this is not a handle that crossbuf gave out
│   └── StaleHandle                     it was one, but its array has been freed since, or its process has ended
├── NotShareable         (TypeError)    these values cannot lie in shared memory, or cross to another interpreter
├── DTypeError           (ValueError)   a dtype or PEP 3118 format cannot be read
├── LayoutError          (ValueError)   this memory cannot be seen in the way asked for
├── ChannelError
│   ├── Closed                          you closed this end
│   ├── Broken                          the other side is gone: nobody can receive
│   ├── Ended            (EOFError)     the other side is done: no message is left and none will come
│   ├── Empty            (queue.Empty)  no message within the time given; on 3.14 and later an interpreters.QueueEmpty, too
│   └── Full             (queue.Full)   no room within the time given; on 3.14 and later an interpreters.QueueFull, too
├── ServiceError         (LookupError)  a published name is taken, unknown, or no name
├── InterpreterError     (RuntimeError)
│   ├── ExecutionFailed                 code in another interpreter raised; its traceback is in the text
│   └── WorkerError                     a worker could not start, or raised what cannot be sent to you
└── IsolationError       (ImportError)  a package cannot be loaded from private copies in this interpreter
```

Each class also inherits the builtin that fits, so code written for `queue.Queue`, for the queues of `concurrent.interpreters` or for
`MemoryError` works unchanged.
The texts name the values seen and the way out. A bad shape is a plain ValueError, an index out of bounds a plain IndexError and a
system call that was refused an OSError, as elsewhere in Python.
"""

import sys

if sys.version_info >= (3, 14):
    from concurrent.interpreters import QueueEmpty as _QueueEmpty
    from concurrent.interpreters import QueueFull as _QueueFull
else:
    from queue import Empty as _QueueEmpty
    from queue import Full as _QueueFull


class Error(Exception):
    """The base of everything crossbuf raises on purpose."""


class ArenaFull(Error, MemoryError):
    """The arena has no room for what was asked. Nothing was taken; release arrays, or take an `Arena` of a larger budget."""


class ArenaClosed(Error):
    """The arena was closed. Arrays already open stay readable; make new ones in another arena."""


class HandleError(Error, ValueError):
    """This is not a handle as `Array.handle()` gave it: it was altered, or is something else."""


class StaleHandle(HandleError):
    """What this names is gone: the array has been freed, or the process or service that had it has ended.

    A handle keeps nothing alive: hold the array while its handle travels.
    """


class NotShareable(Error, TypeError):
    """These values have no meaning outside the interpreter that made them. The text says what to send instead."""


class DTypeError(Error, ValueError):
    """A dtype, or the format of a buffer, cannot be read. The text says where."""


class LayoutError(Error, ValueError):
    """This memory cannot be seen in the way asked for: wrong dtype, alignment or strides."""


class ChannelError(Error):
    """The base of what sending and receiving raise."""


class Closed(ChannelError):
    """You closed this end. Ask the channel's maker for another, or keep this one open."""


class Broken(ChannelError):
    """The other side is gone: every Receiver was closed, or the process in which the channel lived has ended.

    A message that was to be sent is still yours.
    """


class Ended(ChannelError, EOFError):
    """The other side is done: every Sender is closed or gone and all messages were received. `for` ends here by itself."""


class Empty(ChannelError, _QueueEmpty):
    """No message came within the time given. Senders still exist, so one may come later."""


class Full(ChannelError, _QueueFull):
    """There was no room within the time given. The message is still yours; receivers still exist."""


class ServiceError(Error, LookupError):
    """A published name cannot be used: it is taken, nobody has published it, or it is no name. The text says what there is."""


class InterpreterError(Error, RuntimeError):
    """An interpreter cannot do this now: it is closed, or it is running something else."""


class ExecutionFailed(InterpreterError):
    """Code run in another interpreter raised. The text holds the traceback from there."""


class WorkerError(InterpreterError):
    """A worker could not start, or what it raised or returned cannot be rebuilt here. The text holds what is known of it."""


class IsolationError(Error, ImportError):
    """A package cannot be loaded from private copies in this interpreter. The text says why, and what would help."""
