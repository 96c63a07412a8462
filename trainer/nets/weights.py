"""Files of weights: what they hold, and reading them into a backbone. Imports TensorFlow: import this module lazily."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import keras

from edge_agent.shelf import DataError, InputError
from trainer.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Stored:
    """The weights of one layer: its name where the file tells it, else its place there, and the shapes in order."""

    name: str
    shapes: tuple[tuple[int, ...], ...]


Contents = dict[str, Stored]
"""Layers with weights, by their place in a file."""


def load_into(built: keras.Model, recipe: Recipe) -> None:
    """Read the weights that a recipe names into its backbone.

    Raises:
        InputError: There is no such file.
        DataError: It is no file of weights, or they are of another network.
    """
    path = Path(recipe.weights)
    if not path.is_file():
        raise InputError(f"{path}: there is no such weights file. Check --weights.")
    if not path.name.endswith(".h5"):
        raise DataError(f"{path} is no weights file for {recipe.network}. Name a Keras .weights.h5 file.")
    try:
        found = contents(path)
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"{path} is no file of weights that can be read ({error}). Name a .weights.h5 file.") from error
    try:
        with warnings.catch_warnings():
            # Keras only warns where a file holds some of the layers, and leaves the others as they began
            warnings.simplefilter("error", UserWarning)
            built.load_weights(path)
    except (ValueError, OSError, KeyError, UserWarning) as error:
        from trainer.nets.origin import remedy  # noqa: PLC0415 - it builds networks to compare with

        reasons = "; ".join(differences(found, contents_of(built, like=found))) or str(error)
        of = f"{recipe.network} of width {recipe.width:g}"
        raise DataError(f"{path} does not fit {of}: {reasons}. {remedy(found, recipe)}") from error


def contents(path: Path) -> Contents:
    """What a Keras `.weights.h5` file holds, or an `.h5` file of the time before, such as those of ImageNet.

    Raises:
        OSError: It is no HDF5 file, or it is cut short.
    """
    found: Contents = {}

    def visit(place: str, node: h5py.Group | h5py.Dataset) -> None:
        owner, _, last = place.rpartition("/")
        if last == "vars" and len(node) and not owner.startswith("optimizer"):
            shapes = tuple(tuple(node[key].shape) for key in sorted(node, key=int))
            found[owner] = Stored(str(node.attrs.get("name", owner)), shapes)

    with h5py.File(path) as file:
        weights = file.get("model_weights", file)
        if "layer_names" in weights.attrs:
            return _of_old(weights)
        file.visititems(visit)
    return found


def _of_old(weights: h5py.Group) -> Contents:
    """The layers of Keras' first format; they are told apart by their order, not by their names."""
    names = [name.decode() if isinstance(name, bytes) else str(name) for name in weights.attrs["layer_names"]]
    stored = [
        Stored(name, tuple(tuple(weights[name][key].shape) for key in weights[name].attrs["weight_names"]))
        for name in names
    ]
    return {str(place): layer for place, layer in enumerate(layer for layer in stored if layer.shapes)}


def contents_of(built: keras.Model, *, like: Contents) -> Contents:
    """What a file with the weights of a backbone would hold, in the format of another, from the input on."""
    full = [layer for layer in built.layers if layer.weights]
    if not any("/" in place for place in like):
        shapes = [tuple(tuple(weight.shape) for weight in layer.weights) for layer in full]
        return {str(at): Stored(layer.name, shapes[at]) for at, layer in enumerate(full)}
    with TemporaryDirectory(prefix="shelfwatch-") as folder:
        path = Path(folder) / "wanted.weights.h5"
        built.save_weights(path)
        held = contents(path)
    order = {layer.name: at for at, layer in enumerate(full)}
    return dict(sorted(held.items(), key=lambda item: order.get(item[1].name, 0)))


def differences(found: Contents, wanted: Contents) -> Iterator[str]:
    """Where a file and a network part: in shapes, by what is missing, and by what is too much."""
    unlike = [place for place in wanted if place in found and found[place].shapes != wanted[place].shapes]
    if unlike:
        name, (here, there) = wanted[unlike[0]].name, _first_apart(found[unlike[0]], wanted[unlike[0]])
        more = f", and {len(unlike) - 1} more layers differ" if len(unlike) > 1 else ""
        yield f'layer "{name}" has the shape {here} in the file and {there} in the network{more}'
    if missing := [stored.name for place, stored in wanted.items() if place not in found]:
        yield f'{_layers(missing)} of the network {_are(missing)} not in the file, such as "{missing[0]}"'
    if strange := [stored.name for place, stored in found.items() if place not in wanted]:
        yield f'{_layers(strange)} of the file {_are(strange)} not in the network, such as "{strange[0]}"'


def _first_apart(found: Stored, wanted: Stored) -> tuple[str, str]:
    """The first shapes of a layer that differ; all of them where one has more."""
    if len(found.shapes) != len(wanted.shapes):
        return str(list(found.shapes)), str(list(wanted.shapes))
    here, there = next(pair for pair in zip(found.shapes, wanted.shapes, strict=True) if pair[0] != pair[1])
    return str(here), str(there)


def _layers(names: list[str]) -> str:
    return f"{len(names)} layer{'s' if len(names) != 1 else ''}"


def _are(names: list[str]) -> str:
    return "are" if len(names) != 1 else "is"
