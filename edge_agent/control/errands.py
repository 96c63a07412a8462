"""What another thread wants done in the loop's: between two steps, where nothing else changes what runs."""

import queue
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class Errands:
    """A queue of small things to do. `ask` is for any thread; `attend` runs in the loop's and does one at a time."""

    def __init__(self) -> None:
        """Nothing is asked for yet."""
        self._asked: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = queue.SimpleQueue()

    def ask(self, errand: Callable[[], Answer]) -> Future[Answer]:
        """Have something done between two steps. It must be quick; its answer or its error is in the future."""
        done: Future[Answer] = Future()
        self._asked.put((errand, done))
        return done

    def attend(self) -> None:
        """Do what has waited longest, if there is anything and whoever asked still wants it."""
        try:
            errand, done = self._asked.get_nowait()
        except queue.Empty:
            return
        if not done.set_running_or_notify_cancel():
            return
        try:
            done.set_result(errand())
        except Exception as error:  # noqa: BLE001 — it is the answer to whoever asked, and ends no counting
            done.set_exception(error)
