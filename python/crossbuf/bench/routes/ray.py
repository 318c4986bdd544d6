"""Ray's object store, on this machine alone: put by this process, got by an actor."""

import logging
import os
import shutil
import tempfile
from typing import Any

from .. import serving
from .route import Route, missing

#: Twice the largest array, which is there while the next one is put.
_STORE_BYTES = 3 << 30


class _Actor:
    """The receiver."""

    def __init__(self) -> None:
        self._held: Any = None

    def reply(self, question: str, references: list[Any]) -> object:
        import ray

        array = ray.get(references[0])
        self._held = array if question == "hold" else None
        return serving.reply_to(question, array)

    def ping(self) -> int:
        return serving.PING


class _Ray(Route):
    place = "process"
    apart = "Ray"

    @classmethod
    def absent(cls) -> str:
        return missing("ray")

    def __init__(self) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray

        self._ray = ray
        self._folder = tempfile.mkdtemp(prefix="ray-")
        if not ray.is_initialized():
            ray.init(
                address="local",
                _temp_dir=self._folder,
                num_cpus=1,
                num_gpus=0,
                object_store_memory=_STORE_BYTES,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        make: Any = ray.remote(_Actor)
        self._actor = make.options(num_cpus=0).remote()
        self.ping()
        _running.append(self)

    def answer(self) -> Any:
        return self._ray.get(self._pending)

    def _ask(self, question: str, reference: Any) -> None:
        # In a list: a bare reference would be resolved before the call begins.
        self._pending = self._actor.reply.remote(question, [reference])

    def ping(self) -> None:
        self._ray.get(self._actor.ping.remote())

    def close(self) -> None:
        self._ray.kill(self._actor)
        _running.remove(self)
        if not _running:
            self._ray.shutdown()
        shutil.rmtree(self._folder, ignore_errors=True)


#: One cluster serves all routes to Ray; the last one that closes shuts it down.
_running: list[_Ray] = []


class RayPut(_Ray):
    name = "Ray, put each time"
    messages = "Ray actor call"
    how = "ray.put, a call of an actor with the reference, ray.get there"

    def send(self, question: str, payload: Any) -> None:
        self._ask(question, self._ray.put(payload))


class RayReady(_Ray):
    name = "Ray, put before"
    ready = True
    how = "a call of an actor with the reference, ray.get there: the object is mapped again in each trip"

    def prepare(self, array: Any) -> Any:
        return self._ray.put(array)

    def send(self, question: str, payload: Any) -> None:
        self._ask(question, payload)
