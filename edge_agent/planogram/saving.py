"""Edited shelves into force: the text is edited, the whole of it validated, written, and taken over by a reload.

What is refused at any step leaves the file as it was; what the reload refuses is taken back.
"""

import logging
import threading
import time
import tomllib
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_agent import config
from edge_agent.control.commands import Result
from edge_agent.control.errands import Errands
from edge_agent.control.reloading import Reloading
from edge_agent.model import labels_or_error
from edge_agent.planogram.edit import KEY, edited
from edge_agent.planogram.file import ChangedError, Kept, UnwritableError, look, obstacle, store
from edge_agent.shelf import ConfigError

log = logging.getLogger(__name__)

RELOAD_S = 60.0
"""How long a reload may take: it may open cameras and load a model."""
BUSY_S = 10.0
"""How long a reload of somebody else's is waited for."""
AGAIN_S = 0.1

Shelves = Sequence[Mapping[str, Any]]


class BusyError(ConfigError):
    """Something else changes the configuration at this moment."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of it: the agent's own words, and the revision of the file now."""

    message: str
    revision: str


class Saving:
    """Changes the shelves of the configuration of a running agent; for any thread but the loop's."""

    def __init__(self, path: Path | None, reloading: Reloading, errands: Errands) -> None:
        """Change the file at `path`; None where there is none."""
        self.path, self._reloading, self._errands = path, reloading, errands
        self._at_work = threading.Lock()

    def look(self) -> tuple[Kept, list[dict[str, Any]]]:
        """The file, and its shelves as they stand there.

        Raises:
            ConfigError: There is no file, or what it holds cannot be used.
        """
        path = self._writable()
        kept = look(path)
        raw = _parsed(kept.text, path)
        config.checked(raw, path)
        return kept, raw.get(KEY, [])

    def check(self, shelves: Shelves) -> str:
        """The text that would be written.

        Raises:
            ConfigError: With these shelves the configuration could not be used; the error holds every problem.
        """
        path = self._writable()
        return self._validated(path, look(path), shelves)

    def save(self, shelves: Shelves, revision: str) -> Saved:
        """Write the shelves and have them taken over.

        Raises:
            ChangedError: The file is not the one of `revision` any more.
            BusyError: Something else changes the configuration just now.
            UnwritableError: The file cannot be written.
            ConfigError: It cannot be used so; nothing has changed.
        """
        if not self._at_work.acquire(blocking=False):
            raise BusyError("somebody else is saving at this moment. Try again.")
        try:
            return self._save(self._writable(), shelves, revision)
        finally:
            self._at_work.release()

    def _save(self, path: Path, shelves: Shelves, revision: str) -> Saved:
        if (why := obstacle(path)) is not None:
            raise UnwritableError(f"{why}.")
        before = look(path)
        if before.revision != revision:
            raise ChangedError(
                f"{path} was changed by somebody else meanwhile. Load it anew to see what it holds now; what you drew"
                " here is not in it yet."
            )
        content = self._validated(path, before, shelves).encode()
        if content != before.content:
            store(path, content, before=before)
            log.info("the shelves in %s were changed on the page", path)
        result = self._reload()
        if result is None:
            return Saved(
                "saved; the agent has not said yet whether it takes it over. See its log.", look(path).revision
            )
        if not result.ok:
            self._take_back(path, before, content)
            raise ConfigError(
                f"{result.message.rstrip('.:')}. The file is as it was, and all goes on as before.",
                result.facts.get("problems", ()),
            )
        return Saved(result.message, look(path).revision)

    def _validated(self, path: Path, kept: Kept, shelves: Shelves) -> str:
        """The text with these shelves, if all of it can be used."""
        _parsed(kept.text, path)
        text = edited(kept.text, shelves)
        labels, broken = labels_or_error(path)
        problems = [str(broken)] if broken is not None else []
        try:
            config.checked(tomllib.loads(text), path, labels=labels)
        except ConfigError as error:
            problems = [*error.problems, *problems]
        if problems:
            raise ConfigError("it cannot be used so, and nothing was changed:", problems)
        return text

    def _reload(self) -> Result | None:
        """Have the file read again; None where nobody said in time how it went. Another reload is waited for."""
        until_s = time.monotonic() + BUSY_S
        while True:
            said: Future[Result] = Future()
            began: Future[bool] = self._errands.ask(lambda said=said: self._reloading.begin(said.set_result))  # type: ignore[misc]
            try:
                if began.result(RELOAD_S):
                    return said.result(RELOAD_S)
            except TimeoutError:
                began.cancel()
                return None
            if time.monotonic() > until_s:
                return Result(ok=False, message="another reload is under way and does not end; try again")
            time.sleep(AGAIN_S)

    def _take_back(self, path: Path, before: Kept, content: bytes) -> None:
        """Put back what was there, unless somebody has changed it once more."""
        if content != before.content and look(path).content == content:
            store(path, before.content, before=before)

    def _writable(self) -> Path:
        if self.path is None:
            raise UnwritableError(f"{obstacle(None)}.")
        return self.path


def _parsed(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not a configuration that can be read: {error}. Mend it on the device.") from error
