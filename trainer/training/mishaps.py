"""What can befall a training on the machine that it runs on, in words that say how to go on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_agent.shelf import HaltedError
from trainer.training.checkpoint import Checkpoint, room_for
from trainer.training.recipe import Recipe


@contextmanager
def explained(recipe: Recipe, out: Path, checkpoint: Checkpoint) -> Iterator[None]:
    """Answer for memory that does not suffice, a full disk, and workers that are gone.

    Args:
        recipe: Of the training.
        out: Where its outcome is written.
        checkpoint: Of the training.

    Raises:
        HaltedError: One of them happened.
    """
    import tensorflow as tf  # noqa: PLC0415 - it takes seconds to load

    try:
        with room_for(out.parent, checkpoint.kept):
            yield
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        raise HaltedError(
            f"there is not enough memory for batches of {recipe.batch} at {recipe.size_px} px. Close other programs. "
            f"{checkpoint.kept()} Or lower --batch or --size, with --fresh."
        ) from error
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as error:
        raise HaltedError(f"another worker is gone. Start all of them again. {checkpoint.kept()}") from error
