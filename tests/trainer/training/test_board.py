"""TensorBoard finds the figures of each epoch, though it need not be installed."""

import pytest
import tensorflow as tf
from tensorflow.core.util import event_pb2

from trainer.photos import data
from trainer.report import Unwatched
from trainer.training import fit
from trainer.training.recipe import settle
from trainer.training.run import Run


def test_each_epoch_is_a_point_of_each_curve(draw_classes, tmp_path):
    """Losses, accuracies, learning rate and duration are scalars, by the number of the epoch."""
    recipe = settle("small-cnn", size_px=32, width=0.25, epochs=2, batch=8, seed=1)
    splits = data.load(draw_classes(["cola", "oat"], 6), seed=1)
    trained = fit.fit(splits, recipe, watch=Unwatched(), run=Run(tensorboard=tmp_path / "logs"))
    (path,) = (tmp_path / "logs").iterdir()
    points = {}
    for record in tf.data.TFRecordDataset(str(path)):
        event = event_pb2.Event.FromString(record.numpy())
        for value in event.summary.value:
            assert value.metadata.plugin_data.plugin_name == "scalars"
            points[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    assert len(points) == 12
    for epoch in trained.course.history:
        assert points["loss/training", epoch.epoch] == pytest.approx(epoch.loss)
        assert points["accuracy/validation", epoch.epoch] == pytest.approx(epoch.validation_accuracy)
        assert points["learning rate", epoch.epoch] == pytest.approx(epoch.lr)
