"""Figures of each epoch for TensorBoard, without TensorBoard itself. Imports TensorFlow: import it lazily."""

from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

import tensorflow as tf
from tensorflow.core.framework import summary_pb2

from trainer.report import Epoch

SCALAR = summary_pb2.SummaryMetadata(
    plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name="scalars"),
    data_class=summary_pb2.DATA_CLASS_SCALAR,
)
"""What makes TensorBoard draw a curve of it. `tf.summary.scalar` would say the same, but wants it installed."""
NAMES = {
    "loss": "loss/training",
    "validation_loss": "loss/validation",
    "accuracy": "accuracy/training",
    "validation_accuracy": "accuracy/validation",
    "lr": "learning rate",
    "seconds": "seconds per epoch",
}
"""What a figure of an epoch is called there; the part before the slash is the group."""


class Board(AbstractContextManager["Board"]):
    """Writes events into a folder, to be looked at with `tensorboard --logdir FOLDER`."""

    def __init__(self, folder: Path) -> None:
        self._writer = tf.summary.create_file_writer(str(folder))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._writer.close()

    def show(self, epoch: Epoch) -> None:
        """Add the figures of an epoch."""
        with self._writer.as_default(step=epoch.epoch):
            for name, shown in NAMES.items():
                tf.summary.write(shown, tf.constant(getattr(epoch, name), tf.float32), metadata=SCALAR)
        self._writer.flush()
