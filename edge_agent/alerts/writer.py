"""The book of alerts and its pictures on the disk, in a thread of its own: the loop hands over, and waits for nothing.

`alerts/book.json` beside the outbox, and `alerts/<id>-before.jpg` and `-after.jpg`. Pictures go when their alert leaves
the book, and the oldest when they are too many. Whatever fails here is a log line.
"""

import json
import logging
import shutil
import threading
from base64 import b64encode
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from edge_agent.alerts.book import Book
from edge_agent.alerts.looks import Evidence
from edge_agent.alerts.records import ID, book_of, book_record
from edge_agent.files import write_whole

log = logging.getLogger(__name__)

FOLDER, BOOK = "alerts", "book.json"
"""Beside the outbox, and in there."""
Which = Literal["before", "after"]
WHICH: tuple[Which, ...] = ("before", "after")
CLOSE_S = 2.0
AGAIN_S = 30.0
"""What could not be written is written again after so long."""
WAITING = 64
"""How many alerts' pictures wait for the disk, at most; the oldest are given up."""


class Keeper:
    """Writes what it is given; `write` and `show` are for the loop's thread and cost microseconds."""

    def __init__(self, folder: Path, *, max_mb: int) -> None:
        """Keep in `folder`, which is made when it is needed."""
        self._folder, self.max_mb = folder, max_mb
        self._lock, self._due = threading.Lock(), threading.Event()
        self._book: tuple[Book, Mapping[str, Mapping[str, Any]]] | None = None
        self._pictures: dict[str, Evidence] = {}
        self._stopping = self._complained = False
        self._thread = threading.Thread(target=self._work, name="alerts", daemon=True)

    def load(self) -> tuple[Book, dict[str, Mapping[str, Any]]]:
        """The book of an earlier run, and what is known of its pictures; empty where there is none that can be read.

        An alert that makes no sense is left out, and told again if it is still so: the others stay as they are.
        """
        path, left_out = self._folder / BOOK, list[str]()
        try:
            record = json.loads(path.read_bytes())
            book, shown = book_of(record, left_out), _known_pictures(record["evidence"])
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning(
                "the book of alerts %s cannot be read (%s); it begins anew, and what is open is told again", path, error
            )
            with suppress(OSError):
                path.replace(path.with_suffix(".damaged"))
        else:
            if left_out:
                damaged = path.with_suffix(".damaged")
                log.warning(
                    "what makes no sense in the book of alerts %s is left out (%d: %s), and told again"
                    " if it is still so; the book as it was is kept as %s",
                    path,
                    len(left_out),
                    "; ".join(left_out[:3]),
                    damaged,
                )
                with suppress(OSError):
                    shutil.copy(path, damaged)
            return book, shown
        return Book(), {}

    def start(self) -> None:
        """Begin, in the thread."""
        self._thread.start()

    def write(self, book: Book, evidence: Mapping[str, Mapping[str, Any]]) -> None:
        """Have the book written; only the newest one ever is."""
        with self._lock:
            self._book = (book, evidence)
        self._due.set()

    def show(self, alert: str, evidence: Evidence) -> None:
        """Have pictures written."""
        with self._lock:
            self._pictures[alert] = evidence
            if len(self._pictures) > WAITING:
                del self._pictures[next(iter(self._pictures))]
        self._due.set()

    def picture(self, alert: str, which: Which) -> bytes | None:
        """A picture as it is kept (JPEG), for any thread; None where there is none."""
        if ID.fullmatch(alert) is None:  # nothing else becomes part of a file's name
            return None
        with self._lock:
            waiting = self._pictures.get(alert)
        if waiting is not None:
            found = waiting.named()[which]
            return found.jpeg if found is not None else None
        try:
            return self._path(alert, which).read_bytes()
        except OSError:
            return None

    def sendable(self, alert: str) -> dict[str, str]:
        """The pictures of an alert as they go with an event (base64). It reads the disk: not for the loop."""
        found = {which: self.picture(alert, which) for which in WHICH}
        return {which: b64encode(jpeg).decode() for which, jpeg in found.items() if jpeg is not None}

    def leave(self) -> None:
        """Begin to write what waits, and end; waits for nothing."""
        self._stopping = True
        self._due.set()

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """The same, and wait for it, for so many seconds at most."""
        self.leave()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _path(self, alert: str, which: str) -> Path:
        return self._folder / f"{alert}-{which}.jpg"

    def _work(self) -> None:
        """The thread."""
        failed = False
        while True:
            self._due.wait(AGAIN_S if failed else None)
            self._due.clear()
            try:
                self._store()
                failed = self._complained = False
            except OSError as error:
                failed = True
                if not self._complained:
                    log.warning("alerts cannot be kept in %s (%s); it is tried again", self._folder, error)
                self._complained = True
            except Exception:  # whatever it is, alerts are told as before
                log.exception("the book of alerts could not be kept")
            if self._stopping:
                return

    def _store(self) -> None:
        """Pictures first, then the book that names them, then away with what it doesn't name."""
        with self._lock:
            pictures, newest = dict(self._pictures), self._book
        for alert, evidence in pictures.items():
            for which, picture in evidence.named().items():
                if picture is not None:
                    write_whole(self._path(alert, which), picture.jpeg, mode=0o600)
        if newest is not None:
            book, shown = newest
            content = json.dumps({**book_record(book), "evidence": shown}, separators=(",", ":"))
            write_whole(self._folder / BOOK, content.encode(), mode=0o600)
            self._prune(entry.id for entry in (*book.open, *book.closed))
        with self._lock:
            for alert, evidence in pictures.items():
                if self._pictures.get(alert) is evidence:
                    del self._pictures[alert]
            if self._book is newest:
                self._book = None

    def _prune(self, alerts: Iterable[str]) -> None:
        """Remove pictures of alerts that are no longer in the book, and the oldest of too many."""
        named = {self._path(alert, which).name for alert in alerts for which in WHICH}
        found = sorted(((path.stat(), path) for path in self._folder.glob("*.jpg")), key=lambda one: one[0].st_mtime)
        kept = sum(stat.st_size for stat, _ in found)
        for stat, path in found:
            if path.name not in named or kept > self.max_mb * 2**20:
                path.unlink(missing_ok=True)
                kept -= stat.st_size


def _known_pictures(found: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """What is known of the pictures of each alert."""
    return {alert: dict(known) for alert, known in dict(found).items()}
