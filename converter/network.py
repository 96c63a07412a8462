"""A Keras network: brought in without TensorFlow's noise, and checked to be one that the agent can use."""

import importlib
import json
import math
import os
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from edge_agent.shelf import DataError, InputError

WIDE_INPUTS = 4000
"""More inputs of one dense layer than this are warned of, as the Edge TPU's compiler lays them out wastefully."""


def import_quietly(name: str) -> ModuleType:
    """Import a module of TensorFlow or Keras without the lines that its C++ side writes to standard error.

    Raises:
        InputError: TensorFlow is not installed.
    """
    if name in sys.modules:
        return sys.modules[name]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with _silence():
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name} is not installed, and converting needs it. Install it: pip install 'shelfwatch[convert]'."
        ) from error


@contextmanager
def _silence() -> Iterator[None]:
    """Standard error of the process, below Python, goes nowhere: absl logs there before it can be told not to."""
    kept = os.dup(2)
    try:
        with tempfile.TemporaryFile() as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def keras_network(path: Path) -> Any:
    """The Keras model in a `.keras` file, with a softmax behind it where it ends in logits.

    Raises:
        DataError: Keras cannot load it.
    """
    keras = import_quietly("keras")
    if strangers := _custom_layers(path):
        raise DataError(
            f"{path}: its layer {strangers[0]} is not one of Keras' own, and only its author's program knows what it"
            " does. Build the network out of built-in layers only."
        )
    try:
        network = keras.saving.load_model(path, compile=False)
    except (ValueError, TypeError, KeyError, OSError, ImportError, zipfile.BadZipFile) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise DataError(
            f"{path}: Keras {keras.__version__} cannot load it ({reason}). Save it again with this version of Keras,"
            " out of built-in layers only."
        ) from error
    if len(getattr(network, "inputs", None) or ()) != 1 or not _has_head(network) or not _ends_in(network, "linear"):
        return network  # finished, or for `check_shape` to refuse
    return keras.Model(network.inputs[0], keras.layers.Softmax(name="softmax")(network.outputs[0]))


def _custom_layers(path: Path) -> list[str]:
    """The classes in a `.keras` file that are not of Keras, by its configuration; nothing of it is run."""
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return []  # Keras will say what is wrong with it

    def walk(part: Any) -> Iterator[str]:
        if isinstance(part, dict):
            if "module" in part and str(part["module"]).partition(".")[0] not in ("keras", "builtins"):
                yield str(part.get("class_name"))
            part = list(part.values())
        if isinstance(part, list):
            for inner in part:
                yield from walk(inner)

    return sorted(set(walk(config)))


def _has_head(network: Any) -> bool:
    """Whether it is known what a network gives, and that it is one row of numbers."""
    outputs: Sequence[Any] = getattr(network, "outputs", None) or ()
    return len(outputs) == 1 and len(outputs[0].shape) == 2


def check_shape(path: Path, network: Any, *, labels: Sequence[str], size_px: int) -> None:
    """One square RGB input, and a softmax over as many outputs as there are labels."""
    shapes: list[Sequence[int | None]] = [tuple(tensor.shape) for tensor in getattr(network, "inputs", None) or ()]
    if len(shapes) != 1 or not _is_square_rgb(shapes[0]):
        raise DataError(
            f"{path}: takes {shapes or 'nothing that is declared'}; the agent gives one input (batch, size, size, 3)."
            " Build the network with keras.Input((size, size, 3))."
        )
    if shapes[0][1] is None:
        raise DataError(
            f"{path}: takes pictures of any size, {shapes[0]}, and a device's program needs one."
            f" Build the network with keras.Input(({size_px}, {size_px}, 3))."
        )
    if shapes[0][1] != size_px:
        raise DataError(f"{path}: takes {shapes[0][1]} px, its card says {size_px} px. Bring the card of this model.")
    answers: list[tuple[int | None, ...]] = [tuple(tensor.shape) for tensor in getattr(network, "outputs", None) or ()]
    if not _has_head(network) or not _ends_in(network, "softmax"):
        raise DataError(
            f"{path}: ends in {answers or 'nothing that is declared'} without a softmax or logits over (batch,"
            " classes), and the agent reads outputs as probabilities. End the network with"
            " Dense(classes, activation='softmax')."
        )
    if answers[0][1] != len(labels):
        raise DataError(
            f"{path}: has {answers[0][1]} outputs, its card names {len(labels)} labels."
            " Bring the card that was written with this model."
        )


def _is_square_rgb(shape: Sequence[int | None]) -> bool:
    return len(shape) == 4 and shape[1] == shape[2] and shape[3] == 3


def _ends_in(network: Any, activation: str) -> bool:
    """Whether the layer that gives the output, also in a network within the network, is dense or an activation so."""
    last = network.layers[-1]
    if getattr(last, "layers", None):
        return _ends_in(last, activation)
    if type(last).__name__ == "Softmax":
        return activation == "softmax"
    named = getattr(getattr(last, "activation", None), "__name__", "")
    return type(last).__name__ in ("Dense", "Activation") and named == activation


def doubts_about(network: Any) -> Iterator[str]:
    """What makes a network large or slow on a device for nothing."""
    before = None
    for layer in _all_layers(network):
        if type(layer).__name__ == "Flatten":
            before = layer
        elif type(layer).__name__ == "Dense" and before is not None:
            inputs, share = int(layer.kernel.shape[0]), math.prod(layer.kernel.shape) / network.count_params()
            if inputs > WIDE_INPUTS:
                yield (
                    f'the layer "{layer.name}" behind Flatten has {inputs} inputs, and {share:.0%} of all weights:'
                    " GlobalAveragePooling2D instead of Flatten makes the network smaller, and an Edge TPU would have"
                    " to stream it."
                )
            before = None


def _all_layers(network: Any) -> Iterator[Any]:
    """The layers of a network, and of networks within it, in their order."""
    for layer in network.layers:
        if getattr(layer, "layers", None):
            yield from _all_layers(layer)
        else:
            yield layer
