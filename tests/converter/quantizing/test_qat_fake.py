"""A network that rounds in float answers as the int8 file does, and can be trained."""

from typing import Any

import numpy as np
import pytest

from converter.load import load
from converter.network import import_quietly
from converter.photos.photographs import find
from converter.quantizing.quantize import converted


@pytest.fixture(scope="module")
def lossy(workshop: Any) -> Any:
    """The tiny network and pictures to calibrate it, (n, 48, 48, 3); pictures held out, (m, 48, 48, 3)."""
    from trainer.photos.data import read

    trained = load(workshop.model)
    photos = find(workshop.data, evaluate=None, labels=trained.labels, count=120, seed=0)
    return trained, *(
        np.stack([read(photo, trained.size_px) for photo in part]) for part in (photos.calibration, photos.held_out)
    )


def _made(network: Any, crops: np.ndarray) -> Any:
    from converter.quantizing.qat.fake import Fake
    from converter.quantizing.qat.fold import folded

    fake = Fake(folded(network))
    fake.measure(crops)
    return fake


def _by_int8(content: bytes, crops: np.ndarray) -> np.ndarray:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content)
    given, answer = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    interpreter.resize_tensor_input(given, crops.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given, crops)
    interpreter.invoke()
    return interpreter.get_tensor(answer).astype(np.float32) / 256


def test_rounding_foretells_what_int8_answers(lossy: Any) -> None:
    """What int8 changes in an answer, the rounded network changes alike: most of the difference is explained."""
    trained, calibration, held_out = lossy
    pixels = held_out.astype(np.float32)
    by_float = np.asarray(trained.network(pixels, training=False))
    by_int8 = _by_int8(converted(trained.path, calibration, ("int8",))["int8"], held_out)
    rounded = np.asarray(_made(trained.network, calibration)(pixels))
    unexplained, lost = np.square(by_int8 - rounded).sum(), np.square(by_int8 - by_float).sum()
    assert unexplained < 0.4 * lost, f"{unexplained / lost:.2f} of the difference is not explained"


def test_the_weights_of_every_layer_get_a_gradient(lossy: Any) -> None:
    """Rounding has no slope, yet every kernel and bias is told which way to go."""
    tf = import_quietly("tensorflow")
    trained, calibration, _ = lossy
    fake = _made(trained.network, calibration)
    with tf.GradientTape() as tape:
        scores = fake(calibration[:8].astype(np.float32))
        loss = tf.reduce_mean(tf.square(scores - 1 / 3))
    gradients = tape.gradient(loss, [variable.value for variable in fake.trainable_variables])
    assert len(gradients) == 8
    assert all(float(tf.reduce_max(tf.abs(gradient))) > 0 for gradient in gradients)


@pytest.mark.parametrize("channels", [(5,), (3, 5), None])
def test_weights_have_as_many_steps_as_int8(channels: tuple[int, ...] | None) -> None:
    """Each channel has a scale of its own, by its greatest weight, or all have one; never is a weight moved by more."""
    tf = import_quietly("tensorflow")
    from converter.quantizing.qat.fake import rounded_weights

    kernel = np.random.default_rng(0).normal(size=(3, 3, *(channels or (3, 5)))).astype(np.float32)
    kernel[..., 0] *= 50
    rounded = np.asarray(rounded_weights(tf.constant(kernel), channels=channels))
    flat = kernel.reshape(-1, 1) if channels is None else kernel.reshape(-1, int(np.prod(channels)))
    steps = np.abs(flat).max(axis=0) / 127
    by_channel = rounded.reshape(flat.shape)
    np.testing.assert_allclose(by_channel, np.rint(flat / steps) * steps, atol=1e-5 * float(np.abs(flat).max()))
    assert np.unique(by_channel[:, 0]).size <= 255


def test_a_tensor_is_rounded_where_tflite_has_one(lossy: Any) -> None:
    """Convolutions with their activation, the dense layers and the rescaling round; pooling and Flatten do not."""
    trained, calibration, _ = lossy
    fake = _made(trained.network, calibration)
    ranges = np.asarray(fake.ranges)
    assert len(fake.points) == len(ranges) == 5  # rescaling, two convolutions, two dense layers
    assert (ranges[:, 0] <= 0).all()
    np.testing.assert_allclose(ranges[0], (calibration.min() / 255, calibration.max() / 255), rtol=1e-6)
    assert (ranges[1:4, 0] == 0).all(), "what comes out of a ReLU begins at zero"
    assert ranges[4, 0] < 0, "logits do not"
