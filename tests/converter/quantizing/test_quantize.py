"""What is inside the int8 file, and that it is always the same."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from converter.bundles.drafting import Parts, answers, draft
from converter.load import Trained, load
from converter.network import import_quietly
from converter.photos.calibrate import Calibration
from converter.quantizing.quantize import Quantized, converted, of_file, representative
from converter.tflite import graph, lint
from edge_agent.bundle import FLOAT_FILE, GPU_FILE, MODEL_FILE, read
from edge_agent.inference import TfliteClassifier
from edge_agent.shelf import DataError


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """A conversion, and what it was made from."""

    trained: Trained
    calibration: Calibration
    quantized: Quantized


@pytest.fixture(scope="module")
def mobilenet(save: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Made:
    """MobileNetV2-0.35 at 96 px with random weights."""
    keras = import_quietly("keras")
    keras.utils.set_random_seed(5)
    pixels = keras.Input((96, 96, 3))
    body = keras.applications.MobileNetV2((96, 96, 3), alpha=0.35, include_top=False, weights=None, pooling="avg")
    features = body(keras.layers.Rescaling(1 / 127.5, offset=-1)(pixels))
    network = keras.Model(pixels, keras.layers.Dense(3, activation="softmax")(features))
    path = save(network, tmp_path_factory.mktemp("mobilenet") / "model.keras")
    crops = np.random.default_rng(0).integers(0, 256, (20, 96, 96, 3), dtype=np.uint8)
    trained, calibration = load(path), Calibration(crops, "0" * 64)
    return Made(trained, calibration, _quantized(trained, calibration))


def _quantized(trained: Trained, calibration: Calibration) -> Quantized:
    content = converted(trained.path, calibration.crops, ("int8",))["int8"]
    lint.check(content)
    return of_file(content)


def _as_the_agent_runs_it(made: Made, crops: np.ndarray) -> np.ndarray:
    unverified = draft(Parts(made.trained, made.quantized, made.calibration, {}, None), crops[:1])
    scores = TfliteClassifier(unverified).classify(crops)
    ends = made.quantized.ends
    return np.rint(scores / ends.output_scale + ends.output_zero_point).astype(np.uint8)


def test_a_file_is_int8_between_uint8_ends(converted: Path) -> None:
    """Every tensor is int8 but for the bytes at the ends, no shape is open, and the input is a picture as it is."""
    model = read(converted).model
    lint.check(model)
    ends = graph.ends(model)
    assert (ends.input_scale, ends.input_zero_point) == (1.0, 0)
    assert (ends.output_scale, ends.output_zero_point) == (1 / 256, 0)


def test_convolutions_are_per_channel_and_dense_layers_per_tensor(converted: Path) -> None:
    """Convolutions keep a scale per channel; dense layers have one, as old kernels read more than one wrongly."""
    model = graph.parse(read(converted).model)
    scales = {"CONV_2D": [], "FULLY_CONNECTED": []}
    for code, found in scales.items():
        for operator in graph.operators(model, code):
            found.append(len(model.subgraphs[0].tensors[operator.inputs[1]].quantization.scale))
    assert scales == {"CONV_2D": [8, 16], "FULLY_CONNECTED": [1, 1]}


def test_the_same_inputs_give_the_same_file(workshop: Any, converted: Path, shelf_convert: Any, tmp_path: Path) -> None:
    """A second conversion gives the same bytes: models, golden answers, and the hashes of the photographs."""
    arguments = ("--calibrate", workshop.data, "--calibration-count", 120, "--target", "all", "--slim", "--no-ladder")
    result = shelf_convert(workshop.model, *arguments, "--out", tmp_path / "again")
    assert result.exit_code == 0, result.output
    first, again = read(converted).manifest, read(tmp_path / "again").manifest
    for name in (MODEL_FILE, GPU_FILE, "labels.txt"):
        assert first.files[name] == again.files[name], name
    assert (first.calibration, first.metrics, first.id) == (again.calibration, again.metrics, again.id)
    assert FLOAT_FILE in first.files
    assert FLOAT_FILE not in again.files


def test_a_network_with_flatten_runs_in_batches(converted: Path) -> None:
    """A Flatten doesn't tie the network to one crop: a batch of 8, 4, 2 or 1 answers as one by one, to the byte."""
    bundle = read(converted)
    assert list(graph.operators(graph.parse(bundle.model), "RESHAPE")), "this network should hold a Flatten"
    one_by_one = answers(bundle.model, bundle.golden_inputs)
    np.testing.assert_array_equal(one_by_one, bundle.golden_outputs)
    ends = bundle.manifest.output
    classifier = TfliteClassifier(bundle)
    for count in (8, 4, 2, 1, 15):
        batch = np.rint(classifier.classify(bundle.golden_inputs[:count]) / ends.scale + ends.zero_point)
        np.testing.assert_array_equal(batch, one_by_one[:count])


def test_mobilenet_runs_in_batches(mobilenet: Made) -> None:
    """MobileNetV2 answers in batches as one by one, to the byte."""
    crops = mobilenet.calibration.crops[:15]
    np.testing.assert_array_equal(_as_the_agent_runs_it(mobilenet, crops), answers(mobilenet.quantized.content, crops))


def test_mobilenet_gives_the_same_file(mobilenet: Made) -> None:
    """MobileNetV2, with its depthwise layers and folded normalization, converts to the same bytes again."""
    assert _quantized(mobilenet.trained, mobilenet.calibration).sha256 == mobilenet.quantized.sha256


def test_contents_are_aligned_and_equal_vectors_stand_once(mobilenet: Made, converted: Path) -> None:
    """Weights begin at multiples of 16 bytes, as the schema asks, and thousands of equal zero points cost nothing."""
    for content in (mobilenet.quantized.content, read(converted).model, read(converted).variants[FLOAT_FILE]):
        model = schema.Model.GetRootAs(bytearray(content), 0)
        filled = [model.Buffers(index) for index in range(model.BuffersLength())]
        starts = [one._tab.Vector(one._tab.Offset(4)) for one in filled if one.DataLength()]
        assert len(starts) > 5
        assert {start % 16 for start in starts} == {0}
    model = graph.parse(mobilenet.quantized.content)
    told = [tensor.quantization for tensor in model.subgraphs[0].tensors if tensor.quantization is not None]
    zero_points_bytes = sum(8 * len(one.zeroPoint) for one in told if one.zeroPoint is not None)
    contents_bytes = sum(len(buffer.data) for buffer in model.buffers if buffer.data is not None)
    scales_bytes = sum(4 * len(one.scale) for one in told if one.scale is not None)
    assert zero_points_bytes > 100_000
    assert len(mobilenet.quantized.content) < contents_bytes + scales_bytes + zero_points_bytes / 2


def test_a_float_file_is_told_from_an_int8_one(mobilenet: Made) -> None:
    """A file with float tensors inside is refused with their names."""
    model = graph.parse(mobilenet.quantized.content)
    model.subgraphs[0].tensors[5].type = 0
    with pytest.raises(DataError, match="is FLOAT32"):
        lint.check(graph.packed(model))


def test_the_input_is_pinned_to_the_whole_range_of_a_byte() -> None:
    """Dull photographs would stretch the input's scale, and the agent's bytes would mean something else."""
    dull = np.full((3, 4, 4, 3), 90, dtype=np.uint8)
    seen = np.concatenate([inputs[0] for inputs in representative(dull)])
    assert (seen.min(), seen.max(), seen.dtype) == (0, 255, np.float32)
    assert (seen[1:] == 90).all()
    assert (dull == 90).all()
