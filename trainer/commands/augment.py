"""`shelf-train augment`: a picture of what training will see, before hours are spent on it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from rich.console import Console
from typer import Option

from edge_agent.shelf import ConfigError, DataError
from trainer.commands.common import Data, Seed, say
from trainer.photos import data
from trainer.place import check_file, refuse_folder
from trainer.report import Terminal
from trainer.training import recipe
from trainer.views.augment import Jitter, asked
from trainer.views.feed import Album, open_album
from trainer.views.preview import Strip, alone, random_views, sheet

RANGES: dict[str, tuple[float, float]] = {
    "photographs": (1, 20),
    "views": (1, 24),
    "size": (32, 512),
    "strength": recipe.RANGES["augment"],
    "crop": recipe.RANGES["crop"],
    "effects": recipe.RANGES["effects"],
}
"""Least and greatest value of each option."""


def augment(  # noqa: PLR0913, PLR0917 - one parameter per option
    data_set: Data,
    preview: Annotated[Path, Option("--preview", "--out", help="The picture to write, a .png file.")],
    photographs: Annotated[int, Option(help="So many photographs, of different classes where there are any.")] = 4,
    views: Annotated[int, Option(help="Random views of each.")] = 8,
    strength: Annotated[
        float, Option("--strength", "--augment", help="As --augment of fit: 0 none, 1 as usual, 2 twice.")
    ] = 1.0,
    crop: Annotated[float, Option(help="As of fit: least share of a photograph's side that a view shows.")] = 0.75,
    effects: Annotated[float, Option(help="As of fit: glare, price tags, arms; 0 never, 1 as in a store.")] = 1.0,
    flip: Annotated[bool, Option("--flip/--no-flip", help="Mirror at random; not for products with text.")] = True,  # noqa: FBT002 - an option
    size: Annotated[int, Option(help="Side of the network's input in pixels.")] = 160,
    seed: Seed = 0,
) -> None:
    """Draw what augmentation makes of some photographs, and each of its changes by itself."""
    numbers = {"photographs": photographs, "views": views, "size": size}
    _check(preview, {**numbers, "strength": strength, "crop": crop, "effects": effects})
    console = Console()
    splits = data.load(data_set, seed=seed)
    jitter = asked(strength=strength, crop=crop, effects=effects, flip=flip)
    with Terminal(console) as watch:
        album = open_album(_chosen(splits.train, photographs, seed), size_px=size, watch=watch)
        for problem in album.problems:
            watch.say(f"left out: {problem}")
        if not album.photos:
            raise DataError(f"{data_set}: none of the photographs that were tried can be read. See above for each.")
        rows = list(_rows(album, splits.labels, jitter, views=views, seed=seed))
        singles = list(_singles(album, jitter, draws=max(3, (views + 1) // 2), seed=seed))
        figures = f"--augment {strength:g} --crop {crop:g} --effects {effects:g}{'' if flip else ' --no-flip'}"
        title = f"As the device sees it, and {views} views as training with {figures} --size {size} does"
        preview.parent.mkdir(parents=True, exist_ok=True)
        sheet(rows, singles, preview, title=title)
    say(console, f"wrote {preview}: {len(rows)} photographs, {views} views of each, {len(singles)} changes alone")


def _check(preview: Path, given: dict[str, float]) -> None:
    """Find out before any work whether the options make sense."""
    problems = [
        f"--{name} is {value:g}; it must lie in {RANGES[name][0]:g}..{RANGES[name][1]:g}"
        for name, value in given.items()
        if not RANGES[name][0] <= value <= RANGES[name][1]
    ]
    if preview.suffix.lower() != ".png":
        problems.append(f'--preview is "{preview}"; its name must end in .png')
    if problems:
        raise ConfigError("no preview can be drawn:", problems)
    check_file(preview, option="--preview")
    refuse_folder(preview, option="--preview")


def _chosen(photos: Sequence[data.Photo], count: int, seed: int) -> list[data.Photo]:
    """Random photographs: one of each class before a second one of any."""
    times: dict[int, int] = {}
    turns: list[tuple[int, int]] = []
    order = np.random.default_rng(seed).permutation(len(photos)).tolist()
    for index in order:
        label_index = photos[index].label_index
        times[label_index] = times.get(label_index, 0) + 1
        turns.append((times[label_index], index))
    turns.sort(key=lambda turn: turn[0])  # stable, so that it stays random within a round
    return [photos[index] for _, index in turns[:count]]


def _rows(album: Album, labels: Sequence[str], jitter: Jitter, *, views: int, seed: int) -> Iterator[Strip]:
    """A strip per photograph: as the device sees it, and as training does."""
    for row, photo in enumerate(album.photos):
        seeds = [(seed, 0, row, column) for column in range(views)]
        drawn = random_views(album.image(row), jitter, size_px=album.size_px, seeds=seeds)
        yield Strip(labels[photo.label_index], (data.read(photo, album.size_px), *drawn))


def _singles(album: Album, jitter: Jitter, *, draws: int, seed: int) -> Iterator[Strip]:
    """A strip per change, on one photograph after the other."""
    for number, (caption, single) in enumerate(alone(jitter)):
        image = album.image(number % len(album.photos))
        seeds = [(seed, 1, number, column) for column in range(draws)]
        yield Strip(caption, random_views(image, single, size_px=album.size_px, seeds=seeds))
