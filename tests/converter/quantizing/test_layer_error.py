"""Which layers quantization hurts, and the file that keeps them in float."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converter.network import import_quietly
from converter.quantizing.layers import ROUNDING, LayerError, layer_errors, selective
from converter.quantizing.quantize import converted
from converter.tflite import graph, lint
from converter.tflite.batch import free_batch
from edge_agent.shelf import DataError

SIZE_PX = 24


@pytest.fixture(scope="module")
def lopsided(save: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network whose layer "twisted" multiplies by weights that cancel, so that rounding them is no longer small."""
    keras = import_quietly("keras")
    keras.utils.set_random_seed(1)
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((SIZE_PX, SIZE_PX, 3)),
            layers.Rescaling(1 / 127.5, offset=-1, name="rescaling"),
            layers.Conv2D(16, 3, strides=2, padding="same", activation="relu", name="straight"),
            layers.MaxPooling2D(2, name="largest"),
            layers.Conv2D(16, 1, name="twisted"),
            layers.GlobalAveragePooling2D(name="average"),
            layers.Dense(3, activation="softmax", name="scores"),
        ]
    )
    kernel, bias = network.get_layer("straight").get_weights()
    kernel[..., 8:] = kernel[..., :8]  # each channel twice, and what follows takes one copy from the other
    network.get_layer("straight").set_weights([kernel, bias])
    kernel, bias = network.get_layer("twisted").get_weights()
    kernel[:, :, :8] *= 60
    kernel[:, :, 8:] = 0.3 * kernel[:, :, 8:] - kernel[:, :, :8]
    network.get_layer("twisted").set_weights([kernel, bias])
    return save(network, tmp_path_factory.mktemp("lopsided") / "model.keras")


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    """Noise with light and dark pictures."""
    rng = np.random.default_rng(4)
    return (rng.integers(0, 256, (24, SIZE_PX, SIZE_PX, 3)) * rng.random((24, 1, 1, 1))).astype(np.uint8)


@pytest.fixture(scope="module")
def errors(lopsided: Path, crops: np.ndarray) -> tuple[LayerError, ...]:
    """What the debugger finds in that network."""
    return layer_errors(lopsided, crops)


@pytest.fixture(scope="module")
def kept(lopsided: Path, crops: np.ndarray, errors: tuple[LayerError, ...]) -> bytes:
    """The network with its worst layer in float."""
    return selective(lopsided, crops, [errors[0].tensor])


@pytest.fixture(scope="module")
def plain(lopsided: Path, crops: np.ndarray) -> bytes:
    """The network in int8 throughout."""
    return converted(lopsided, crops, ("int8",))["int8"]


def _answers(content: bytes, crops: np.ndarray) -> np.ndarray:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content)
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], crops.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], crops)
    interpreter.invoke()
    end = interpreter.get_output_details()[0]
    scale, zero_point = end["quantization"]
    return (interpreter.get_tensor(end["index"]).astype(np.float32) - zero_point) * scale


def test_the_worst_layer_comes_first_by_its_name(errors: tuple[LayerError, ...]) -> None:
    """A layer that loses more than rounding is named first, as Keras names it, and the others follow by their loss."""
    assert (errors[0].layer, errors[0].operator) == ("twisted", "CONV_2D")
    assert errors[0].rmse_steps > 2 * ROUNDING
    assert [error.rmse_steps for error in errors] == sorted((error.rmse_steps for error in errors), reverse=True)
    assert {error.layer for error in errors} == {"rescaling", "straight", "largest", "twisted", "average", "scores"}


def test_a_layer_that_only_rounds_loses_a_twelfth(errors: tuple[LayerError, ...]) -> None:
    """The error of bytes that are multiplied by a constant is that of rounding: 1/√12 of a step, or less."""
    rescaling = next(error for error in errors if error.layer == "rescaling")
    assert 0.1 * ROUNDING < rescaling.rmse_steps <= 1.1 * ROUNDING
    assert rescaling.mean_squared_error == pytest.approx((rescaling.rmse_steps * rescaling.scale) ** 2)
    assert rescaling.noise_db is not None
    assert 40 < rescaling.noise_db < 60


def test_a_layer_kept_in_float_runs_in_float_between_int8_ones(kept: bytes, errors: tuple[LayerError, ...]) -> None:
    """One layer works in float, its weights included, all others in int8, and the ends are bytes."""
    model = graph.parse(kept)
    tensors = model.subgraphs[0].tensors
    in_float = [
        graph.full_name(tensors[operator.outputs[0]])
        for operator in model.subgraphs[0].operators
        if graph.kind(tensors[operator.outputs[0]]) == "FLOAT32" and graph.code(model, operator) != "DEQUANTIZE"
    ]
    assert in_float == [errors[0].tensor]
    assert graph.ends(kept).input_scale == 1.0
    lint.check(kept, in_float=in_float)
    with pytest.raises(DataError, match="is FLOAT32"):
        lint.check(kept)
    with pytest.raises(DataError, match="is FLOAT32"):
        lint.check(kept, in_float=[errors[1].tensor])


def test_the_worst_layer_in_float_helps(lopsided: Path, crops: np.ndarray, plain: bytes, kept: bytes) -> None:
    """With its worst layer in float, a network answers nearer to the float one than in int8 throughout, in batches."""
    network = import_quietly("keras").saving.load_model(lopsided, compile=False)
    wanted = np.asarray(network.predict_on_batch(crops.astype(np.float32)))
    lost_plain, lost_kept = (np.abs(_answers(file, crops) - wanted).mean() for file in (plain, free_batch(kept)))
    assert lost_kept < 0.5 * lost_plain


def test_with_no_layer_in_float_the_file_is_the_plain_one(lopsided: Path, crops: np.ndarray, plain: bytes) -> None:
    """The way through the debugger's conversion changes no weight, scale or operator of the ordinary one."""

    def inside(content: bytes) -> list[Any]:
        model = graph.parse(content)
        return [graph.code(model, operator) for operator in model.subgraphs[0].operators] + [
            (tensor.name, graph.constant(model, tensor), np.asarray(tensor.quantization.scale).tolist())
            for tensor in model.subgraphs[0].tensors
        ]

    assert inside(free_batch(selective(lopsided, crops, []))) == inside(plain)


def test_a_layer_that_is_not_there_cannot_be_kept(lopsided: Path, crops: np.ndarray) -> None:
    """A tensor of no layer is named, rather than passed over."""
    with pytest.raises(DataError, match="nowhere/Relu is not the output of a layer"):
        selective(lopsided, crops, ["nowhere/Relu"])


def test_each_layer_says_whether_it_can_be_kept_in_float(
    lopsided: Path, crops: np.ndarray, errors: tuple[LayerError, ...]
) -> None:
    """Those that say so can, all at once; a pool says no, goes by its own name, and asking for it is an error."""
    (pool,) = (error for error in errors if not error.can_be_float)
    assert (pool.layer, pool.operator) == ("largest", "MAX_POOL_2D")
    every = [error.tensor for error in errors if error.can_be_float]
    lint.check(selective(lopsided, crops, every), in_float=every)
    with pytest.raises(DataError, match=r"largest.* is not the output of a layer that can be kept in float"):
        selective(lopsided, crops, [pool.tensor])


def test_the_names_of_layers_come_out_of_the_file(lopsided: Path, errors: tuple[LayerError, ...]) -> None:
    """Every tensor is found in the network that was converted, so none is named by TensorFlow's own words."""
    with zipfile.ZipFile(lopsided) as archive:
        config = archive.read("config.json").decode()
    assert all(f'"name": "{error.layer}"' in config for error in errors)
