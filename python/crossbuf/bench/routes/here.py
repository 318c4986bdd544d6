"""Routes that lead nowhere: what copying and pickling cost by themselves, without any transport."""

import pickle
from typing import Any

from .. import serving
from .route import Route, plain


class _Here(Route):
    place = "here"

    def answer(self) -> Any:
        return serving.reply_to(self._question, self._arrived())

    def _arrived(self) -> Any:
        raise NotImplementedError

    def send(self, question: str, payload: Any) -> None:
        self._question = question
        self._put(payload)

    def close(self) -> None:
        """Nobody is there."""

    def _put(self, payload: Any) -> None:
        raise NotImplementedError


class Copy(_Here):
    """The floor of everything that copies."""

    name = "np.copyto"
    how = "into an array whose memory is warm, in the same interpreter"

    def prepare(self, array: Any) -> Any:
        import numpy as np

        self._target = np.empty_like(plain(array))
        return array

    def _put(self, payload: Any) -> None:
        import numpy as np

        np.copyto(self._target, payload)

    def _arrived(self) -> Any:
        return self._target

    def give_up(self, payload: Any) -> None:
        del self._target


class PickleInBand(_Here):
    """Pickle as most people use it."""

    name = "pickle 5, in band"
    how = "pickle.dumps(array, 5) and pickle.loads, without any transport"

    def _put(self, payload: Any) -> None:
        self._pickled = pickle.dumps(payload, 5)

    def _arrived(self) -> Any:
        return pickle.loads(self._pickled)


class PickleOutOfBand(_Here):
    """Pickle as PEP 574 means it."""

    name = "pickle 5, out of band"
    how = "pickle.dumps with buffer_callback and pickle.loads(buffers=...): no copy, but no transport for the buffers either"

    def _put(self, payload: Any) -> None:
        self._buffers: list[pickle.PickleBuffer] = []
        self._pickled = pickle.dumps(payload, 5, buffer_callback=self._buffers.append)

    def _arrived(self) -> Any:
        return pickle.loads(self._pickled, buffers=self._buffers)
