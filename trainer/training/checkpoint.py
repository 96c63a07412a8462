"""What a training needs to go on after it was cut off: one file, written whole after each epoch, beside the model.

The order of the photographs and their views follow from the seed and the number of the epoch, so that number stands for
them. Everything else that changes while training is in the file: see `State`.
"""

import errno
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.shelf import ConfigError, DataError, HaltedError
from trainer.report import Epoch, write_history

SCHEMA = "shelfwatch.partial/1"
STATE = "state.npz"
HISTORY = "history.csv"
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Numbers of the errors when a file cannot grow: the disk is full, or a quota or the limit of a file is reached."""

Arrays = tuple[NDArray[Any], ...]


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """A training at the end of an epoch.

    Attributes:
        history: Its epochs so far.
        planned: Epochs that it was going to have.
        arrays: By name ("model", "optimizer", "best"), the values of its variables in their own order.
    """

    history: tuple[Epoch, ...]
    planned: int
    arrays: dict[str, Arrays] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """The folder of a training that is not over.

    Attributes:
        folder: Is made with the first epoch, and gone when the model is written.
        made_by: What must be the same for a training to go on, by name: options of the recipe, and the photographs.
    """

    folder: Path
    made_by: dict[str, Any]

    def read(self) -> State | None:
        """The last epoch, or None where there is nothing yet.

        Raises:
            ConfigError: It is that of another recipe, or of other photographs.
            DataError: It cannot be read.
        """
        path = self.folder / STATE
        if not path.is_file():
            return None
        found, arrays = _load(path)
        if problems := differences(found.get("made_by", {}), self.made_by):
            raise ConfigError(
                f"{self.folder} holds an unfinished training that was asked for differently. Ask as it was, or give "
                "--fresh to delete it and begin anew:",
                problems,
            )
        history = tuple(Epoch(**epoch) for epoch in found["history"])
        return State(history, int(found["planned"]), arrays)

    def write(self, state: State) -> None:
        """Keep an epoch, and the history as a CSV that can be looked at meanwhile.

        Raises:
            HaltedError: There is no room for it. The epoch before is still there.
        """
        described = {
            "schema": SCHEMA,
            "made_by": plain(self.made_by),
            "history": [asdict(epoch) for epoch in state.history],
            "planned": state.planned,
        }
        with room_for(self.folder, self.kept):
            self.folder.mkdir(parents=True, exist_ok=True)
            _save(self.folder / STATE, described, state.arrays)
            write_history(state.history, self.folder / HISTORY)

    def remove(self) -> None:
        """Delete it; nothing happens where there is none, and what somebody else put there stays."""
        for name in (STATE, f".{STATE}", HISTORY):
            (self.folder / name).unlink(missing_ok=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def kept(self) -> str:
        """What is there to go on from, as a sentence."""
        if not (self.folder / STATE).is_file():
            return "No epoch is kept yet."
        return f"The epochs before are kept in {self.folder}; run the same command again to go on."


def beside(model: Path) -> Path:
    """Where the unfinished training of a model lies.

    >>> beside(Path("out/cola.keras")).name
    'cola.keras.partial'
    """
    return model.with_name(f"{model.name}.partial")


@contextmanager
def room_for(path: Path, kept: Callable[[], str]) -> Iterator[None]:
    """Answer for a disk that is full while the body writes to `path`; `kept` says then what is safe.

    Raises:
        HaltedError: It is full.
    """
    try:
        yield
    except OSError as error:
        # h5py and zipfile say it in words of their own, with or without the number
        if error.errno not in NO_ROOM and "No space left" not in str(error) and "File too large" not in str(error):
            raise
        raise HaltedError(
            f"{path} cannot be written: there is no room left. Free some space there. {kept()}"
        ) from error


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """Values as JSON gives them back: tuples become lists."""
    plain: dict[str, Any] = json.loads(json.dumps(values, default=str))
    return plain


def differences(was: dict[str, Any], asked: dict[str, Any]) -> list[str]:
    """A line for each value that is asked for and was another in what `plain` kept."""
    now = plain(asked)
    return [f"{name} was {was.get(name)}, and is now {now[name]}" for name in sorted(now) if was.get(name) != now[name]]


def _save(path: Path, described: dict[str, Any], arrays: dict[str, Arrays]) -> None:
    """Write everything into one file that is there whole or not at all, also when the power goes."""
    named = {f"{group}/{index:05}": value for group, values in arrays.items() for index, value in enumerate(values)}
    text = np.frombuffer(json.dumps(described).encode(), np.uint8)
    partial = path.with_name(f".{path.name}")
    try:
        with partial.open("wb") as file:
            np.savez(file, allow_pickle=False, described=text, **named)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)  # it fills the disk that is full
        raise


def _load(path: Path) -> tuple[dict[str, Any], dict[str, Arrays]]:
    """Read what `_save` wrote."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            described: dict[str, Any] = json.loads(stored["described"].tobytes())
            groups: dict[str, list[NDArray[Any]]] = {}
            for name in sorted(set(stored.files) - {"described"}):
                groups.setdefault(name.split("/")[0], []).append(stored[name])
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read ({error}). Give --fresh to delete it and begin anew.") from error
    if described.get("schema") != SCHEMA:
        raise DataError(
            f'{path} is "{described.get("schema")}", not {SCHEMA}. Give --fresh to delete it and begin anew.'
        )
    return described, {group: tuple(values) for group, values in groups.items()}
