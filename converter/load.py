"""A trained `.keras` file and the card beside it → a network whose labels are known to fit."""

import hashlib
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from converter.network import check_shape, doubts_about, keras_network
from edge_agent.shelf import DataError, InputError


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
    check_shape(path, network, labels=card.labels, size_px=card.size_px)
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
        doubts=tuple(doubts_about(network)),
    )


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
