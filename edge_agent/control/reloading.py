"""A reload at work: a configuration is read beside the counting, and taken over or refused between two steps."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from edge_agent import config
from edge_agent.config import Settings
from edge_agent.control.commands import Result
from edge_agent.health import notify_systemd
from edge_agent.model import Model, labels_or_error, load_model, read_bundle
from edge_agent.reload import plan, refusals
from edge_agent.running import Ready, Running, open_cameras
from edge_agent.shelf import ConfigError, ShelfwatchError

log = logging.getLogger(__name__)

Answer = Callable[[Result], None]


class Reloading:
    """One reload at a time. `asked` is set by SIGHUP, `ask` is for commands; `attend` runs between two steps."""

    def __init__(self, running: Running, path: Path | None, asked: threading.Event) -> None:
        """Reload from `path`; None where what runs comes from no file."""
        self._running, self._path, self.asked = running, path, asked
        self._found: queue.SimpleQueue[Ready | Exception] = queue.SimpleQueue()
        self._busy = False
        self._answer: Answer = lambda _: None
        self.overrule: Callable[[Settings], Settings] = lambda settings: settings
        """What the command line says beside the file, said again of each file that is read."""

    def ask(self, answer: Answer) -> None:
        """Reload for somebody who wants to know how it went."""
        if not self.begin(answer):
            answer(Result(ok=False, message="a reload is under way already; send the command again when it is done"))

    def begin(self, answer: Answer) -> bool:
        """Begin a reload, which `answer` is told the end of; False where one is under way already."""
        if self._busy:
            return False
        self._begin(answer)
        return True

    def attend(self) -> None:
        """Take over, or refuse, what was read in the meantime; begin to read where a signal asked for it."""
        if not self._busy:
            if self.asked.is_set():
                self.asked.clear()
                self._begin(lambda _: None)
            return
        try:
            found = self._found.get_nowait()
        except queue.Empty:
            return
        self._end(found)

    def _begin(self, answer: Answer) -> None:
        notify_systemd(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        self._busy, self._answer = True, answer
        threading.Thread(target=self._read, name="reload", daemon=True).start()

    def _read(self) -> None:
        """The thread: a new configuration, or why there is none."""
        try:
            self._found.put(prepare(self._path, self._running.settings, self._running.model, self.overrule))
        except Exception as error:  # noqa: BLE001 — whatever a file holds, the counting goes on
            self._found.put(error)

    def _end(self, found: Ready | Exception) -> None:
        """Say how it went: to the log, to whoever asked, in `info`, and to systemd."""
        self._busy = False
        if isinstance(found, Ready):
            other = found.settings != self._running.settings
            if other or found.model is not None:
                self._running.take_over(found)
            result = Result(ok=True, message=_words(found, other=other))
            log.info("reloaded: %s", result.message)
        else:
            result = _refusal(found)
            log.warning("the reload is refused, and all goes on as it was: %s", found)
        self._running.tell(result.payload(ts=datetime.now(UTC)))
        self._answer(result)
        notify_systemd("READY=1")


def _words(ready: Ready, *, other: bool) -> str:
    model = f"the model is {ready.model.info.id}; " if ready.model is not None else ""
    if other and not ready.plan.changes:  # such as what of the pictures may be seen
        return f"{model}the new settings are in force; all cameras go on as they were"
    return model + ready.plan.words()


def _refusal(error: Exception) -> Result:
    if isinstance(error, ConfigError) and error.problems:
        return Result(ok=False, message=error.headline, facts={"problems": list(error.problems)})
    words = str(error) if isinstance(error, ShelfwatchError) else f"{type(error).__name__}: {error}"
    return Result(ok=False, message=words, facts={"problems": [words]})


def prepare(
    path: Path | None,
    settings: Settings,
    model: Model,
    overrule: Callable[[Settings], Settings] = lambda settings: settings,
) -> Ready:
    """Read and validate a configuration as a whole, and load and open what it needs beside what runs.

    Args:
        path: The configuration file.
        settings: Those in force.
        model: The one in force.
        overrule: What the command line says beside the file.

    Raises:
        ShelfwatchError: It cannot be taken over; nothing stays open.
    """
    if path is None:
        raise ConfigError("this agent was started without a configuration file. There is nothing to read again.")
    new = overrule(_read(path))
    other_model = new.model != settings.model or read_bundle(new.model).manifest != model.manifest
    place = model.classifier.plan.delegate
    if reasons := refusals(settings, new, other_model=other_model, place=place):
        raise ConfigError(f"{path} cannot be taken over while the agent runs:", reasons)
    changes = plan(settings, new, other_model=other_model)
    fresh = load_model(new) if other_model else None
    wanted = {*changes.reopened, *changes.added}
    return Ready(new, changes, fresh, open_cameras(camera for camera in new.cameras if camera.id in wanted))


def _read(path: Path) -> Settings:
    """The settings, with the products checked against the model; what is wrong with the bundle is a problem too."""
    labels, broken = labels_or_error(path)
    try:
        settings = config.load(path, labels=labels)
    except ConfigError as error:
        if broken is None:
            raise
        raise ConfigError(error.headline, (*error.problems, str(broken))) from error
    if broken is not None:
        raise broken
    return settings
