"""The library of looks: what the bundled network says of slots in every situation, measured once on pixels and kept.

Standing pieces are measured in sixteen lights and under fourteen positions of glare; reaches, people, trolleys and
failing lamps as clips, frame by frame, each over a full and over an empty shelf. Crops, glances and scores come from
the agent's own `regions` and from the network of `edge_agent/demo/bundle`.
"""

import hashlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.faults.progress import each
from benchmarks.week.measuring import CLIP, Clip, Effort, Standing, clips_of, delays, standing_of
from edge_agent.demo.store import BUNDLE

Scores = NDArray[np.uint8]
FORMAT = 1


@dataclass(frozen=True, slots=True, eq=False)
class Library:
    """All looks.

    Attributes:
        labels: The network's classes, the last axis of all scores (0..255, as the network gives them).
        label: (examples,) which class stands there.
        variant: (examples,) which of its pieces.
        scores: (examples, situations, repeats, classes) uint8.
        bright: (examples, situations) uint8, mean grey level.
        clips: What moves, or stands before the shelf.
        delays: How soon the agent itself stops counting, see `measuring.delays`.
    """

    labels: tuple[str, ...]
    label: NDArray[np.int16]
    variant: NDArray[np.int16]
    scores: Scores
    bright: NDArray[np.uint8]
    clips: tuple[Clip, ...]
    delays: tuple[float, ...]

    def examples(self, label: str) -> NDArray[np.intp]:
        """Which examples show a class."""
        return np.flatnonzero(self.label == self.labels.index(label))

    def of_kind(self, kind: str, place: int | None = None) -> tuple[Clip, ...]:
        """The clips of a kind, at a place where one is named."""
        return tuple(clip for clip in self.clips if clip.kind == kind and place in (None, clip.place))


def kept(folder: Path, effort: Effort, *, workers: int = 2) -> Library:
    """The library as it lies in `folder`, measured first where it isn't there or is another's."""
    path = folder / f"looks-{_fingerprint(effort)}.npz"
    if not path.is_file():
        library = measured(effort, workers=workers)
        folder.mkdir(parents=True, exist_ok=True)
        _save(path, library)
    return _load(path)


def measured(effort: Effort, *, workers: int) -> Library:
    """Draw everything and let the network read it; `workers` processes share it."""
    tasks: list[partial[Any]] = [
        *(partial(standing_of, camera, number, effort) for camera in range(3) for number in range(effort.contents)),
        *(partial(clips_of, kind, number, effort) for kind, many in CLIP.items() for number in range(many(effort))),
        partial(delays),
    ]
    if workers < 2:
        made = [task() for task in each("looks", tasks)]
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            made = list(each("looks", pool.map(_call, tasks), total=len(tasks)))
    standing = [part for part in made if isinstance(part, Standing)]
    return Library(
        standing[0].labels,
        np.concatenate([part.label for part in standing]),
        np.concatenate([part.variant for part in standing]),
        np.concatenate([part.scores for part in standing]),
        np.concatenate([part.bright for part in standing]),
        tuple(clip for part in made if isinstance(part, list) for clip in part),
        tuple(float(one) for part in made if isinstance(part, np.ndarray) for one in part),
    )


def _call(task: partial[Any]) -> Any:
    return task()


def _fingerprint(effort: Effort) -> str:
    """Changes with the network, with how it is measured and with what is drawn."""
    text = hashlib.sha256(f"{FORMAT} {effort}".encode())
    here = Path(__file__).parent
    drawn = sorted((BUNDLE.parent).glob("*.py"))
    for path in (BUNDLE / "manifest.json", here / "pixels.py", here / "measuring.py", here / "shop.py", *drawn):
        text.update(path.read_bytes())
    return text.hexdigest()[:12]


_ARRAYS = ("scores", "moved", "touched", "bright", "covered", "held")


def _save(path: Path, library: Library) -> None:
    arrays: dict[str, Any] = {name: getattr(library, name) for name in ("label", "variant", "scores", "bright")}
    arrays["labels"], arrays["delays"] = np.asarray(library.labels), np.asarray(library.delays)
    arrays["clip"] = np.asarray(
        [(clip.kind, clip.place, clip.turn, clip.number, len(clip.moved)) for clip in library.clips], "U16"
    )
    for name in _ARRAYS:
        parts = [np.atleast_2d(getattr(clip, name)) for clip in library.clips]
        arrays[f"clip_{name}"] = np.concatenate(parts)
    beside = path.with_suffix(".part.npz")
    np.savez_compressed(beside, **arrays)
    beside.replace(path)


def _load(path: Path) -> Library:
    with np.load(path) as found:
        arrays = {name: found[name] for name in found.files}
    clips, first = [], 0
    for number, (kind, place, turn, which, long) in enumerate(arrays["clip"]):
        part = slice(first, first + int(long))
        first += int(long)
        of = {name: arrays[f"clip_{name}"][part] for name in _ARRAYS if name != "held"}
        held = arrays["clip_held"][number]
        clips.append(Clip(kind=str(kind), place=int(place), turn=int(turn), number=int(which), held=held, **of))
    labels = tuple(str(label) for label in arrays["labels"])
    delayed = tuple(float(one) for one in arrays["delays"])
    return Library(
        labels, arrays["label"], arrays["variant"], arrays["scores"], arrays["bright"], tuple(clips), delayed
    )
