"""The folder of crops: what waits, what is labelled and what was discarded, bounded, and as `shelf-train` reads it.

    review/<label>/….png     labelled by a person; shelf-train fit review/ reads these
    review/.waiting/….png    not labelled yet
    review/.discarded/….png  put away by a person; the first to go where room is needed

`shelf-train` passes hidden folders over, and refuses a class without a picture: an empty one is removed.
The files are what is true; the index is made of them.
"""

import logging
import threading
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edge_agent.files import write_whole
from edge_agent.review.crop import HEAD_BYTES, About, about_of
from edge_agent.review.labels import checked
from edge_agent.shelf import DataError, InputError

log = logging.getLogger(__name__)

WAITING, DISCARDED = ".waiting", ".discarded"
UNDO_MOST = 100
AGE_MOST = 0.5
"""Where more than this share of what waits is too old at once, it is the clock that is wrong."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A file: its name, the folder in which it lies, its size, and what is known of it (None: it doesn't say)."""

    name: str
    folder: str
    size_bytes: int
    about: About | None

    @property
    def label(self) -> str | None:
        """What a person said that it shows; None where nobody did."""
        return None if self.folder.startswith(".") else self.folder

    @property
    def taken_at(self) -> datetime:
        """When it was taken, as far as it says."""
        return self.about.taken_at if self.about is not None else datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Figures:
    """How many crops there are of each kind, and how much of the quota they take; `full` says that none is kept."""

    waiting: int
    discarded: int
    labels: dict[str, int]
    size_bytes: int
    max_bytes: int
    today: int
    per_day: int
    full: bool


@dataclass(frozen=True, slots=True)
class Move:
    """What a person did with crops, to be undone: where each lay before."""

    what: str
    before: tuple[tuple[str, str], ...]


class Store:
    """The folder. For any thread."""

    def __init__(self, root: Path, *, max_bytes: int, per_day: int) -> None:
        """Keep crops in `root`, which is not touched before `scan`."""
        self.root, self._max_bytes, self._per_day = root, max_bytes, per_day
        self._lock = threading.Lock()
        self._crops: dict[str, Crop] = {}
        self._days: Counter[str] = Counter()
        self._moves: deque[Move] = deque(maxlen=UNDO_MOST)
        self._full = False

    def scan(self) -> None:
        """Read the folder as it is now: what a person moved about by hand is taken as it lies.

        Raises:
            OSError: It cannot be read.
        """
        with self._lock:
            known = dict(self._crops)
        found = dict[str, Crop]()
        for path in _files(self.root):
            if path.suffix == ".part":
                path.unlink(missing_ok=True)  # cut off while it was written
            elif path.suffix == ".png" and not path.name.startswith("."):
                with suppress(FileNotFoundError):  # moved or deleted since it was listed
                    before = known.get(path.name)
                    same = before is not None and before.size_bytes == path.stat().st_size
                    found[path.name] = replace(before, folder=path.parent.name) if before and same else _read(path)
        with self._lock:
            now = self._crops  # what was added, moved or deleted since the scan began stands here as it is
            since = {name for name in known | now if now.get(name) is not known.get(name)}
            self._crops = {name: crop for name, crop in found.items() if name not in since}
            self._crops |= {name: now[name] for name in since & now.keys()}
            if not self._days:
                self._days.update(_day(crop.taken_at) for crop in found.values())

    def wants(self, now: datetime) -> bool:
        """Whether there is room for one more today."""
        with self._lock:
            return self._days[_day(now)] < self._per_day and not self._full

    def add(self, about: About, png: bytes) -> bool:
        """Keep a crop, and make room for it; False where the labelled ones leave none, or today's share is used up.

        Raises:
            OSError: It cannot be written.
        """
        with self._lock:
            day = _day(about.taken_at)
            if self._days[day] >= self._per_day or not self._make_room(len(png)):
                return False
            self.root.mkdir(mode=0o700, exist_ok=True)
            write_whole(self.root / WAITING / about.name, png)
            self._crops[about.name] = Crop(about.name, WAITING, len(png), about)
            self._days[day] += 1
            return True

    def _make_room(self, size_bytes: int) -> bool:
        """Delete what is oldest and unlabelled, discarded crops first; labelled ones are never touched."""
        taken = sum(crop.size_bytes for crop in self._crops.values()) + size_bytes
        spare = sorted(
            (crop for crop in self._crops.values() if crop.label is None),
            key=lambda crop: (crop.folder != DISCARDED, crop.taken_at),
        )
        room = taken - sum(crop.size_bytes for crop in spare) <= self._max_bytes
        if room:
            for crop in spare:
                if taken <= self._max_bytes:
                    break
                self._delete(crop)
                taken -= crop.size_bytes
        if self._full == room:
            self._full = not room
            if self._full:
                log.warning(
                    "labelled crops take all of the %d MB of %s: no more are kept. Take them away for a training, or"
                    " raise max_mb under [review].",
                    self._max_bytes // 2**20,
                    self.root,
                )
        return room

    def tidy(self, now: datetime, *, days: float) -> None:
        """Delete what has waited for longer than `days`, and see whether there is room again."""
        before = now - timedelta(days=days)
        with self._lock:
            unlabelled = [crop for crop in self._crops.values() if crop.label is None]
            old = [crop for crop in unlabelled if crop.taken_at < before]
            if len(old) <= max(1, AGE_MOST * len(unlabelled)):
                for crop in old:
                    self._delete(crop)
            if self._full:
                self._make_room(2**16)

    def _delete(self, crop: Crop) -> None:
        with suppress(OSError):
            (self.root / crop.folder / crop.name).unlink(missing_ok=True)
        self._crops.pop(crop.name, None)

    def crops(self) -> list[Crop]:
        """All that there are, the newest first."""
        with self._lock:
            return sorted(self._crops.values(), key=lambda crop: (crop.taken_at, crop.name), reverse=True)

    def png(self, name: str) -> bytes:
        """The picture of a crop; nobody moves it meanwhile.

        Raises:
            InputError: There is none of this name.
            OSError: It cannot be read.
        """
        with self._lock:
            crop = self._known([name])[0]
            return (self.root / crop.folder / crop.name).read_bytes()

    def label(self, names: Sequence[str], label: str) -> list[str]:
        """Say what crops show. Returns those that were moved.

        Raises:
            DataError: The label cannot be the name of a class.
            InputError: One of them isn't there any more; none was moved.
            OSError: The disk does not take it.
        """
        return self._move(names, checked(label), f"labelled {label}")

    def discard(self, names: Sequence[str]) -> list[str]:
        """Put crops away that show nothing of use. Returns those that were moved.

        Raises:
            InputError: One of them isn't there any more; none was moved.
            OSError: The disk does not take it.
        """
        return self._move(names, DISCARDED, "discarded")

    def undo(self) -> Move | None:
        """Take the last move back; None where there is none."""
        with self._lock:
            while self._moves:
                move = self._moves.pop()
                there = [(name, folder) for name, folder in move.before if name in self._crops]
                for name, folder in there:
                    self._put(self._crops[name], folder)
                if there:
                    return Move(move.what, tuple(there))
            return None

    def figures(self, now: datetime) -> Figures:
        """How much there is."""
        with self._lock:
            crops = list(self._crops.values())
            return Figures(
                waiting=sum(crop.folder == WAITING for crop in crops),
                discarded=sum(crop.folder == DISCARDED for crop in crops),
                labels=dict(sorted(Counter(crop.label for crop in crops if crop.label is not None).items())),
                size_bytes=sum(crop.size_bytes for crop in crops),
                max_bytes=self._max_bytes,
                today=self._days[_day(now)],
                per_day=self._per_day,
                full=self._full,
            )

    def _move(self, names: Sequence[str], folder: str, what: str) -> list[str]:
        with self._lock:
            moved = [crop for crop in self._known(names) if crop.folder != folder]
            before = tuple((crop.name, crop.folder) for crop in moved)
            for crop in moved:
                self._put(crop, folder)
            if before:
                self._moves.append(Move(what, before))
            return [crop.name for crop in moved]

    def _known(self, names: Iterable[str]) -> list[Crop]:
        found = []
        for name in names:
            crop = self._crops.get(name)
            if crop is None or not (self.root / crop.folder / crop.name).is_file():
                self._crops.pop(name, None)
                raise InputError(f'the crop "{name}" is not there any more. Load the page again.')
            found.append(crop)
        return found

    def _put(self, crop: Crop, folder: str) -> None:
        """Move a file; a class that is left without a picture goes, as a training would refuse it."""
        target, source = self.root / folder, self.root / crop.folder
        target.mkdir(mode=0o700, exist_ok=True)
        try:
            (source / crop.name).replace(target / crop.name)
            self._crops[crop.name] = replace(crop, folder=folder)
        finally:
            for place in (source, target):
                if not place.name.startswith("."):
                    with suppress(OSError):
                        place.rmdir()  # only where it is empty


def _files(root: Path) -> Iterator[Path]:
    """All that lies in the folders of crops."""
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        if folder.is_dir() and (folder.name in (WAITING, DISCARDED) or not folder.name.startswith(".")):
            with suppress(FileNotFoundError):  # a class that was just left without a picture
                yield from folder.iterdir()


def _read(path: Path) -> Crop:
    about = None
    try:
        with path.open("rb") as file:
            about = about_of(file.read(HEAD_BYTES))
    except DataError as error:
        log.debug("the crop %s is taken as it is: %s", path, error)
    return Crop(path.name, path.parent.name, path.stat().st_size, about)


def _day(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d}"
