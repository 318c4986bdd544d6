"""crossbuf's own routes: to an interpreter or a process, of an array that is copied in, was shared before, or is filled in place."""

from typing import Any

from ... import _core
from ...workers import spawn
from .. import workers
from .route import Served, plain, started


class _Channels(Served):
    """Two channels, there and back. The arena is its own, so that other routes' memory is not what it uses again."""

    def __init__(self) -> None:
        self._arena = _core.Arena()
        self._there, inbox = _core.channel(arena=self._arena)
        outbox, self._back = _core.channel()
        self.post, self.take = self._there.send, self._back.recv
        # Its ends are its own from here on: when it is gone, these channels say so.
        with inbox, outbox:
            self._receiver = self._start(inbox, outbox)
        self.ping()

    def _start(self, inbox: _core.Receiver, outbox: _core.Sender) -> Any:
        raise NotImplementedError

    def close(self) -> None:
        self.tell_end()
        self._receiver.join()
        self._there.close()
        self._back.close()
        self._arena.close()


class _Interpreter(_Channels):
    place = "interpreter"

    def _start(self, inbox: _core.Receiver, outbox: _core.Sender) -> Any:
        return spawn(workers.serve, inbox, outbox)


class _Process(_Channels):
    place = "process"

    def _start(self, inbox: _core.Receiver, outbox: _core.Sender) -> Any:
        return started(workers.serve, inbox, outbox)


class _Shared(_Channels):
    """Sends what lies in an arena already."""

    ready = True

    def prepare(self, array: Any) -> Any:
        # A trip through a channel of one's own brings any message into the arena, with all arrays that are in it.
        sender, receiver = _core.channel(arena=self._arena)
        with sender, receiver:
            sender.send(array)
            return receiver.recv()


class _Drafted(_Channels):
    """Takes memory in the arena, fills it and freezes it."""

    def prepare(self, array: Any) -> Any:
        return plain(array)

    def send(self, question: str, payload: Any) -> None:
        import numpy as np

        draft = _core.empty(payload.shape, payload.dtype, arena=self._arena)
        np.copyto(draft.numpy(), payload)
        super().send(question, draft.freeze().numpy())


class InterpreterShared(_Interpreter, _Shared):
    name = "crossbuf interpreter, shared"
    messages = "crossbuf, interpreter"
    how = "Sender.send of an ndarray that lies in an arena"


class InterpreterCopied(_Interpreter):
    name = "crossbuf interpreter, copied in"
    how = "Sender.send of an ordinary ndarray: one copy, into the arena"


class InterpreterDrafted(_Interpreter, _Drafted):
    name = "crossbuf interpreter, Draft"
    how = "empty, np.copyto into it, freeze and send: what filling in place costs with the simplest filling"


class ProcessShared(_Process, _Shared):
    name = "crossbuf process, shared"
    messages = "crossbuf, process"
    how = InterpreterShared.how


class ProcessCopied(_Process):
    name = "crossbuf process, copied in"
    how = InterpreterCopied.how


class ProcessDrafted(_Process, _Drafted):
    name = "crossbuf process, Draft"
    how = InterpreterDrafted.how
