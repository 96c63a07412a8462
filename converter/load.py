"""A trained `.keras` file and the card beside it → a network whose labels are known to fit. TensorFlow starts here."""

import hashlib
import importlib
import json
import math
import os
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_agent.shelf import DataError, InputError

WIDE_INPUTS = 4000
"""More inputs of one dense layer than this are warned of, as the Edge TPU's compiler lays them out wastefully."""


class Card(BaseModel):
    """What `shelf-train` writes beside a model: what the converter reads of it, and the rest, which it hands on."""

    model_config = ConfigDict(extra="allow", frozen=True)

    schema_: Literal["shelfwatch.model/1"] = Field(alias="schema")
    labels: tuple[str, ...] = Field(min_length=2)
    size_px: int = Field(ge=1)
    recipe: dict[str, Any] = Field(default_factory=dict)
    data: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A float network and what it tells apart.

    `network` is a Keras model, (batch, size, size, 3) float32 RGB in 0..255 → (batch, classes) probabilities; `labels`
    are in the order of its outputs, and `sha256` (hex) is that of the `.keras` file. `card` is what else its card says:
    data, figures, rejection threshold, versions. `trained_on` is how many photographs it was trained on, where the card
    says so. `doubts` are what is worth knowing about its layers.
    """

    path: Path
    sha256: str
    labels: tuple[str, ...]
    size_px: int
    recipe: dict[str, Any]
    card: dict[str, Any]
    trained_on: int | None
    network: Any
    doubts: tuple[str, ...] = ()

    @property
    def float_bytes(self) -> int:
        """What the weights take as float32; the `.keras` file itself also holds the state of the training."""
        return 4 * int(self.network.count_params())


def load(path: Path) -> Trained:
    """Load a trained network with its card, and check that the two fit each other and the agent.

    Raises:
        InputError: There is no such file, or it cannot be read.
        DataError: It is not a `.keras` file, its card is missing or is for another network, or its shape is not one
            that the agent can use.
    """
    content = _content(path)
    card = _card(path)
    network = keras_network(path)
    _check_shape(path, network, card)
    count = card.data.get("train")
    return Trained(
        path,
        sha256=hashlib.sha256(content).hexdigest(),
        labels=card.labels,
        size_px=card.size_px,
        recipe=card.recipe,
        card=card.model_dump(mode="json", exclude={"schema_", "labels", "size_px", "recipe"}),
        trained_on=count if isinstance(count, int) else None,
        network=network,
        doubts=tuple(_doubts(network)),
    )


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


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be opened ({error.strerror}). Give the .keras file of shelf-train."
        ) from error
    if content[4:8] == b"TFL3":
        raise DataError(
            f"{path}: a TFLite file, so converted already. Give the .keras file that it was made from;"
            " shelf-convert describe says what is in it."
        )
    if not zipfile.is_zipfile(path):
        raise DataError(
            f"{path}: not a .keras file ({len(content)} bytes that begin with {content[:4]!r})."
            " Give the file that shelf-train wrote, or save the network with model.save('model.keras')."
        )
    return content


def _card(path: Path) -> Card:
    card_path = path.with_suffix(".json")
    remedy = 'Bring the card that shelf-train wrote beside the model, or write one: {"schema": "shelfwatch.model/1",'
    remedy += ' "labels": ["…", "…"], "size_px": 96, "recipe": {}}, labels in the order of the outputs.'
    try:
        card = Card.model_validate(json.loads(card_path.read_bytes()))
    except FileNotFoundError:
        raise DataError(f"{path}: its card {card_path.name} is missing, so its labels are unknown. {remedy}") from None
    except OSError as error:
        raise InputError(f"{card_path}: cannot be opened ({error.strerror}). {remedy}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise DataError(f"{card_path}: not a model card: {where}: {first['msg']}. {remedy}") from None
    except ValueError as error:
        raise DataError(f"{card_path}: not JSON ({error}). {remedy}") from None
    if doubled := sorted({label for label in card.labels if card.labels.count(label) > 1}):
        raise DataError(f'{card_path}: the label "{doubled[0]}" is there twice. Each output needs a name of its own.')
    return card


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
    if not _has_head(network) or not _ends_in(network, "linear"):
        return network
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


def _check_shape(path: Path, network: Any, card: Card) -> None:
    """One square RGB input, and a softmax over as many outputs as there are labels."""
    size_px = card.size_px
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
    if answers[0][1] != len(card.labels):
        raise DataError(
            f"{path}: has {answers[0][1]} outputs, its card names {len(card.labels)} labels."
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


def _doubts(network: Any) -> Iterator[str]:
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
