"""What makes a network worth less than its figures say, as far as it shows before the slow work."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

from edge_agent.shelf import EMPTY, OCCLUDED, SPECIAL_LABELS
from trainer.photos.data import Photo, Splits, minute

ENOUGH_TO_JUDGE = 10
"""With fewer photographs of a class, one of them moves its figures by more than ten points."""
SHELF_LABELS = 40
"""A folder with more classes than this is taken for a catalogue of products, not for the slots of a shelf."""
ALIKE = 0.8
"""Of `difflib`: "ocluded" and "emtpy" are meant, "included" is not."""
WITHOUT = {EMPTY: "cannot see a gap", OCCLUDED: "cannot tell an arm from a product"}


def of_training(splits: Splits, photographs: Path) -> Iterator[str]:
    """Say what to doubt about a training on `splits`, listed from `photographs`."""
    yield from splits.remarks
    yield from of_labels(splits.labels, photographs)
    yield from _of_overlap(splits)
    yield from _of_leaks(splits)
    yield from _of_few(splits)


def of_labels(labels: Sequence[str], photographs: Path) -> Iterator[str]:
    """Say which labels were probably meant to be `empty` or `occluded`, and which of the two are absent.

    Args:
        labels: Of the network.
        photographs: The folder or list that they come from; absence is remarked on for the folders of a shelf only.
    """
    near = {label: meant for label in labels if (meant := _meant(label))}
    for label, meant in near.items():
        where = f'the folder "{label}" in {photographs}' if photographs.is_dir() else f"it in {photographs}"
        yield f'the label "{label}" is not "{meant}", so it counts as a product. Rename {where} to "{meant}" and train.'
    absent = [label for label in WITHOUT if label not in labels and label not in near.values()]
    if absent and photographs.is_dir() and len(labels) <= SHELF_LABELS:
        lacks = "; ".join(f'this model {WITHOUT[label]}: there is no class "{label}"' for label in absent)
        yield f"{lacks}. To watch a shelf, add photographs of that; other uses may do without."


def _meant(label: str) -> str | None:
    """The special label that this one is nearly."""
    if label in SPECIAL_LABELS:
        return None
    close = get_close_matches(label.strip().casefold(), SPECIAL_LABELS, n=1, cutoff=ALIKE)
    return close[0] if close else None


def _of_overlap(splits: Splits) -> Iterator[str]:
    """What was trained on proves nothing, whatever the file is called."""
    held_out = (*splits.validation, *splits.test)
    trained = {photo.path for photo in splits.train}
    shared = [str(path) for path in sorted({photo.path for photo in held_out} & trained)]
    others = sorted({photo.path for photo in held_out} - trained)
    shared += [f"{path} (the bytes of {twin})" for path, twin in _twins(others, sorted(trained))]
    if shared:
        yield (
            f"{len(shared)} held-out photographs are trained on as well: {_some(shared)}. The figures will be better"
            " than the shelf's; take them out of one of the two."
        )


def _twins(paths: Sequence[Path], among: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """Those of `paths` that have the same bytes as another file; only files of equal size are opened."""
    sizes = _by_size(among)
    for size, candidates in _by_size(paths).items():
        known = {_digest(path): path for path in sizes.get(size, ())}
        for path in candidates if known else ():
            if twin := known.get(_digest(path)):
                yield path, twin


def _by_size(paths: Sequence[Path]) -> dict[int, list[Path]]:
    """Files by size in bytes; a file that is not there is the business of whoever reads it."""
    sizes: dict[int, list[Path]] = {}
    for path in paths:
        if path.is_file():
            sizes.setdefault(path.stat().st_size, []).append(path)
    return sizes


def _digest(path: Path) -> str:
    """Of the content; a file that cannot be opened is like no other."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return str(path)


def _of_leaks(splits: Splits) -> Iterator[str]:
    """A crop and the one of a second later are nearly the same picture."""

    def minutes(photos: Sequence[Photo]) -> set[tuple[int, str]]:
        return {(photo.label_index, at) for photo in photos if (at := minute(photo.path))}

    shared = minutes(splits.train) & minutes((*splits.validation, *splits.test))
    if shared:
        named = _some([f'"{splits.labels[index]}"' for index in sorted({index for index, _ in shared})])
        yield (
            f"pictures of one minute are in training and held out as well, for {named}: the figures will be better than"
            " the shelf's. Collect pictures on another day and name them with --validation."
        )


def _of_few(splits: Splits) -> Iterator[str]:
    counts = Counter(photo.label_index for photo in splits.validation)
    few = [f'"{label}" {counts[i]}' for i, label in enumerate(splits.labels) if counts[i] < ENOUGH_TO_JUDGE]
    if few:
        yield (
            f"fewer than {ENOUGH_TO_JUDGE} photographs to judge a class by: {_some(few)}. One more or less that is"
            " right moves its figures by far; add photographs, or name more with --validation."
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
