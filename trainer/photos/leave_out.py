"""Some classes are kept from a training, so that it shows what becomes of products that a network does not know."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edge_agent.shelf import ConfigError
from trainer.photos.data import Coarse, Photo, Splits


def leave_out(splits: Splits, count: int, *, seed: int) -> tuple[Splits, tuple[Photo, ...]]:
    """Take classes out of a data set.

    Args:
        splits: Of all classes.
        count: How many are taken out, of those with a photograph to validate on.
        seed: Decides which.

    Returns:
        What is left, with label indices from 0 on, and the validation photographs of the others. The label indices of
        these mean nothing any more.

    Raises:
        ConfigError: Fewer than two classes would be left, or there are not so many to choose from.
    """
    choice = sorted({photo.label_index for photo in splits.validation})
    most = min(len(choice), len(splits.labels) - 2)
    if not 0 < count <= most:
        problem = f"--leave-out is {count}; of {len(splits.labels)} classes it can be 1..{most}"
        raise ConfigError("the training cannot start:", [problem])
    gone = set(np.random.default_rng(seed).choice(choice, count, replace=False).tolist())
    kept = [index for index in range(len(splits.labels)) if index not in gone]
    place = {index: at for at, index in enumerate(kept)}

    def known(photos: Sequence[Photo]) -> tuple[Photo, ...]:
        return tuple(
            replace(photo, label_index=place[photo.label_index]) for photo in photos if photo.label_index in place
        )

    left = replace(
        splits,
        labels=tuple(splits.labels[index] for index in kept),
        train=known(splits.train),
        validation=known(splits.validation),
        test=known(splits.test),
        coarse=splits.coarse and Coarse(splits.coarse.labels, tuple(splits.coarse.of[index] for index in kept)),
    )
    return left, tuple(photo for photo in splits.validation if photo.label_index in gone)
