"""A training data set of drawn shelves: random contents, cameras, light and arms, cut into slots and sorted by label.

    python -m edge_agent.demo.drawings OUT --crops 7000 --seed 1

writes OUT/train/<label>/*.jpg, OUT/validation/… and OUT/test/…, which share neither pieces, shelves nor light.
"""

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from edge_agent.demo.arm import Arm, Placement, random_arm
from edge_agent.demo.brush import Pixels
from edge_agent.demo.camera import SLOTS, random_pose
from edge_agent.demo.furniture import random_look
from edge_agent.demo.light import Levels, Noise
from edge_agent.demo.products import PRODUCTS
from edge_agent.demo.view import Contents, View
from edge_agent.demo.visits import random_stand
from edge_agent.regions import rectified
from edge_agent.shelf import EMPTY, OCCLUDED, DataError, Quad, ShelfwatchError

LABELS = (*PRODUCTS, EMPTY, OCCLUDED)
"""The label of every folder."""
SPLITS = {"train": 0.70, "validation": 0.15, "test": 0.15}
"""The share of each split."""
OCCLUDED_FROM = 0.17
"""A slot is `occluded` when an arm and what it holds cover at least this share (0..1) of it."""
CLEAR_BELOW = 0.03
"""A slot counts as seen when less than this share is covered; what lies between is left out."""

_SHARES = {EMPTY: 2.5, OCCLUDED: 8.0}  # crops for each crop of a product: what covers a slot looks like anything
_FRAMES_PER_VIEW = 5
_OCCLUDED_PER_FRAME = 3  # one arm hides many slots: take few of each, so that the network sees many arms
_SHEETS = (*[("train", 0.1)] * 7, *[("validation", 0.075)] * 2, *[("test", 0.075)] * 2)
"""Split and share of the crops that are drawn in one go, two or more at once."""
_FRAME_SIZES = ((960, 540), (1120, 630))
_VARIANTS = {"train": range(1000, 1012), "validation": range(2000, 2005), "test": range(3000, 3005)}

_Rng = np.random.Generator


def write(out: Path, *, crops: int, seed: int, progress: Callable[[int, int], None] | None = None) -> dict[str, int]:
    """Write a data set.

    Args:
        out: A folder that doesn't exist yet, or is empty.
        crops: How many pictures to write in all, about; each label gets at least one in each split.
        seed: Decides everything; any whole number from 0.
        progress: Called now and then with the pictures written so far and those in all.

    Returns:
        The pictures written for each label.

    Raises:
        DataError: The folder holds something already, or a picture cannot be written.
    """
    if out.exists() and any(out.iterdir()):
        raise DataError(f"{out} is not empty; name a new folder, so that no old pictures mix with the new ones")
    for split in SPLITS:
        for label in LABELS:
            (out / split / label).mkdir(parents=True, exist_ok=True)
    written, done = dict.fromkeys(LABELS, 0), 0
    sheets = [(split, _quota(round(crops * share))) for split, share in _SHEETS]
    total = sum(sum(quota.values()) for _, quota in sheets)
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        drawn = [
            pool.submit(_draw_sheet, out, split, quota, number=number, seed=seed)
            for number, (split, quota) in enumerate(sheets)
        ]
        for sheet in as_completed(drawn):
            for label, count in sheet.result().items():
                written[label] += count
                done += count
            if progress is not None:
                progress(done, total)
    return written


def _draw_sheet(out: Path, split: str, quota: dict[str, int], *, number: int, seed: int) -> dict[str, int]:
    """Write one sheet's crops, and return how many of each label; a sheet depends on its number and the seed alone."""
    rng, written = np.random.default_rng([seed, 100 + number]), dict.fromkeys(LABELS, 0)
    for label, crop in _crops(split, dict(quota), rng):
        path = out / split / label / f"{number}-{written[label]:05d}.jpg"
        if not cv2.imwrite(str(path), crop, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(82, 97))]):
            raise DataError(f"{path} cannot be written; is the disk full?")
        written[label] += 1
    return written


def _quota(crops: int) -> dict[str, int]:
    """How many crops of each label make `crops`."""
    shares = {label: _SHARES.get(label, 1.0) for label in LABELS}
    unit = crops / sum(shares.values())
    return {label: max(1, round(unit * share)) for label, share in shares.items()}


def _crops(split: str, left: dict[str, int], rng: _Rng) -> Iterator[tuple[str, Pixels]]:
    """Labelled crops until none is `left` to make; each frame gives all that are still wanted of its slots."""
    noises = {size: _noises(size) for size in _FRAME_SIZES}
    while any(left.values()):
        size = _FRAME_SIZES[int(rng.integers(len(_FRAME_SIZES)))]
        planned = [str(product) for product in rng.choice(PRODUCTS, SLOTS)]
        light_seed = int(rng.integers(1 << 30))
        view = View(size, planned, pose=random_pose(rng), look=random_look(rng), seed=light_seed)
        quads = view.pose.slot_quads()
        for _ in range(_FRAMES_PER_VIEW):
            contents = _contents(_VARIANTS[split], left, rng)
            image, covered = _frame(view, contents, rng, arm=left[OCCLUDED] > 0 or rng.uniform() < 0.2)
            noises[size][int(rng.integers(3))].add(image, int(rng.integers(1 << 20)))
            arms = _OCCLUDED_PER_FRAME
            for slot in rng.permutation(SLOTS).tolist():
                label = _label(contents[slot], float(covered[slot]))
                arms -= label == OCCLUDED
                if label is not None and left[label] > 0 and (label != OCCLUDED or arms >= 0):
                    left[label] -= 1
                    yield label, rectified(image, _jittered(quads[slot], rng))


@lru_cache(maxsize=len(_FRAME_SIZES))
def _noises(frame_wh: tuple[int, int]) -> tuple[Noise, ...]:
    """A good sensor, an ordinary one, and a poor one."""
    return tuple(Noise(frame_wh, sigma, seed) for seed, sigma in enumerate((1.2, 2.6, 5.0)))


def _label(piece: tuple[str, int] | None, covered: float) -> str | None:
    """What a slot is to be called; None where nobody could say."""
    if covered >= OCCLUDED_FROM:
        return OCCLUDED
    if covered >= CLEAR_BELOW:
        return None
    return EMPTY if piece is None else piece[0]


def _contents(variants: range, left: dict[str, int], rng: _Rng) -> Contents:
    """A random shelf: mostly what is still wanted, anything anywhere."""
    wanted = np.asarray([left[product] for product in PRODUCTS], dtype=np.float64)
    wanted = wanted + max(0.05 * float(wanted.max()), 0.01)
    chosen = rng.choice(np.asarray(PRODUCTS), SLOTS, p=wanted / wanted.sum())
    of_empty = 0.15 if wanted.max() > 1 else 0.5
    gaps = rng.uniform(size=SLOTS) < (of_empty if left[EMPTY] else 0.06)
    return tuple(
        None if gap else (str(product), int(rng.choice(variants))) for product, gap in zip(chosen, gaps, strict=True)
    )


def _frame(view: View, contents: Contents, rng: _Rng, *, arm: bool) -> tuple[Pixels, NDArray[np.float64]]:
    """A picture of a shelf in any light, perhaps with an arm, and how much of each slot is covered (0..1)."""
    total, share = float(np.exp(rng.uniform(np.log(0.40), np.log(1.45)))), rng.uniform(0.15, 0.85)
    light = Levels(total * share, total * (1 - share))
    image = view.lit(view.still(contents), light)
    if rng.uniform() < 0.35:
        _cast_shadow(image, rng)
    covered = np.zeros(SLOTS)
    if arm and rng.uniform() < 0.75:
        who, place = _reach(rng)
        view.reach(image, light, who, place)
        covered = view.hidden(who, place)
    if rng.uniform() < 0.4:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 0.9))).astype(np.uint8, copy=False)
    return image, covered


def _cast_shadow(image: Pixels, rng: _Rng) -> None:
    """The soft shadow of somebody outside the picture, a broad streak across it, in place."""
    height, width = image.shape[:2]
    streak = np.zeros((54, 96), dtype=np.float32)
    first, last = ((int(x), int(y)) for x, y in rng.uniform((-20, -10), (116, 64), (2, 2)))
    cv2.line(streak, first, last, (float(rng.uniform(0.15, 0.5)),), int(rng.integers(5, 22)))
    soft = cv2.resize(cv2.GaussianBlur(streak, (0, 0), float(rng.uniform(1.0, 4.0))), (width, height))
    left = np.round(255 * (1 - soft)).astype(np.uint8)
    cv2.multiply(image, cv2.merge([left, left, left]), dst=image, scale=1 / 255)


def _reach(rng: _Rng) -> tuple[Arm, Placement]:
    """Some arm on its way to somewhere, every other one with a piece in its hand."""
    goal = float(rng.uniform(0.05, 0.95)), float(rng.uniform(0.08, 0.92))
    stand = random_stand(goal, rng)
    share = float(rng.uniform(0.45, 1.0))
    palm = (
        stand.away[0] + (goal[0] - stand.away[0]) * share,
        stand.away[1] + (goal[1] - stand.away[1]) * share,
    )
    held = (str(rng.choice(PRODUCTS)), int(rng.integers(4000, 4004))) if rng.uniform() < 0.5 else None
    grip = held is not None or bool(rng.uniform() < 0.3)
    arm = random_arm(rng)
    if rng.uniform() < 0.6:  # a sleeve of any colour, not only of those in the demo's wardrobe
        one, two, three = (int(level) for level in rng.integers(10, 246, 3))
        arm = replace(arm, sleeve=(one, two, three))
    return arm, Placement(palm, stand.shoulder, grip, held)


def _jittered(quad: Quad, rng: _Rng) -> Quad:
    """A slot as somebody might have marked it: shifted by up to 4 % of its size, each corner by up to 2 % more."""
    corners = np.asarray(quad)
    size = corners.max(axis=0) - corners.min(axis=0)
    moved = corners + (rng.uniform(-0.04, 0.04, 2) + rng.uniform(-0.02, 0.02, (4, 2))) * size
    one, two, three, four = ((float(x), float(y)) for x, y in np.clip(moved, 0, 1))
    return one, two, three, four


def main(
    out: Annotated[Path, typer.Argument(help="A new folder for the pictures.")],
    crops: Annotated[int, typer.Option(min=1, help="How many pictures to write.")] = 7000,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives other pictures.")] = 1,
) -> None:
    """Draw shelves and write their slots as a data set for shelf-train."""
    console = Console(stderr=True)
    try:
        with Progress(console=console) as bar:
            task = bar.add_task("drawing", total=crops)
            written = write(
                out, crops=crops, seed=seed, progress=lambda done, total: bar.update(task, completed=done, total=total)
            )
    except ShelfwatchError as error:
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(error.exit_status) from error
    console.print(f"{sum(written.values())} pictures of {len(written)} labels in {out}")


if __name__ == "__main__":
    typer.run(main)
