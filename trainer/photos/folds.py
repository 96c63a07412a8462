"""Cross-validation: the training photographs are dealt into folds, and each is judged by a network of the others.

What validation photographs say is a matter of luck where they are few; the folds say it again on all that are trained.
They are from the same days and stores, though, and so are easier than what comes later.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edge_agent.shelf import ConfigError
from trainer.photos.data import Photo, Splits, minute


def deal(splits: Splits, count: int, *, seed: int) -> tuple[Splits, ...]:
    """Data sets that train on all folds but one and validate on that one.

    Each class is dealt out evenly. What `shelf-agent collect` took of it in one minute, and the boxes of one picture,
    stay together. A class of one photograph is always trained on.

    Args:
        splits: Only what is trained on is dealt.
        count: Of folds, at least 2.
        seed: Decides who goes where.

    Raises:
        ConfigError: No class has enough photographs for so many folds.
    """
    most = max((len(groups) for groups in _groups(splits.train).values()), default=0)
    if not 2 <= count <= most:
        problem = f"--folds is {count}; with at most {most} photographs (or minutes) of a class it can be 2..{most}"
        raise ConfigError("the training cannot start:", [problem])
    fold_of: dict[Photo, int] = {}
    turn = 0
    for label_index, groups in sorted(_groups(splits.train).items()):
        for place in np.random.default_rng([seed, label_index]).permutation(len(groups)):
            for photo in groups[place]:
                fold_of[photo] = turn % count if len(groups) > 1 else -1
            turn += 1
    return tuple(
        replace(
            splits,
            train=tuple(photo for photo in splits.train if fold_of[photo] != fold),
            validation=tuple(photo for photo in splits.train if fold_of[photo] == fold),
        )
        for fold in range(count)
    )


def _groups(photos: Sequence[Photo]) -> dict[int, list[list[Photo]]]:
    """By label index, the photographs that must stay together."""
    found: dict[int, dict[str, list[Photo]]] = {}
    whole = any(photo.box_xywh for photo in photos)  # boxes of several classes share a picture
    for photo in photos:
        key = str(photo.path) if whole else minute(photo.path) or str(photo.path)
        found.setdefault(0 if whole else photo.label_index, {}).setdefault(key, []).append(photo)
    return {label_index: list(groups.values()) for label_index, groups in found.items()}
