"""Which network a file of weights is of, found by comparing it with those that it could be. Import it lazily."""

from collections.abc import Iterator
from dataclasses import replace

from trainer.nets import networks
from trainer.nets.backbones import backbone
from trainer.nets.weights import Contents, contents_of
from trainer.training.recipe import Recipe

WIDTHS = (0.25, 0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
"""Those for which ImageNet weights of a MobileNet were published."""
ROUNDED = 8
"""MobileNets round their filters to a multiple of so many."""


def remedy(found: Contents, recipe: Recipe) -> str:
    """What to do about a file that does not fit a recipe."""
    if any(place.count("layers/") > 1 for place in found):
        return (
            "The file is of a whole model. Save its backbone alone:"
            ' model.get_layer("backbone").save_weights("backbone.weights.h5").'
        )
    if origin := _origin(found, recipe):
        options = [f"--network {origin.network}"]
        if networks.has_width(origin.network):
            options.append(f"--width {origin.width:g}")
        if origin.network in networks.SCRATCH:
            options.append(f"--size {origin.size_px}")
        return f"It fits {' '.join(options)}."
    return (
        "Give the --network and --width that it was saved with, and for small-cnn the --size;"
        " they are not read from the file."
    )


def _origin(found: Contents, recipe: Recipe) -> Recipe | None:
    """The recipe of the backbone that has just these layers, the asked network first; None where none has."""
    for network in dict.fromkeys((recipe.network, *networks.SHELF, *networks.SCRATCH)):
        plain = replace(recipe, network=network, width=1.0, weights="none")
        wanted = contents_of(backbone(plain), like=found)
        if _plan(wanted) != _plan(found):
            continue
        for candidate in _candidates(found, wanted, plain):
            if _shapes(contents_of(backbone(candidate), like=found)) == _shapes(found):
                return candidate
    return None


def _shapes(stored: Contents) -> dict[str, tuple[tuple[int, ...], ...]]:
    """Without names, which Keras counts on within a process."""
    return {place: layer.shapes for place, layer in stored.items()}


def _plan(stored: Contents) -> dict[str, tuple[int, ...]]:
    """How many weights of how many dimensions stand where, whatever their width."""
    return {place: tuple(len(shape) for shape in layer.shapes) for place, layer in stored.items()}


def _candidates(found: Contents, wanted: Contents, plain: Recipe) -> Iterator[Recipe]:
    """Widths, and sizes where they matter, that the filters of the first layer allow."""
    first = next(iter(wanted))
    here, there = found[first].shapes[0][-1], wanted[first].shapes[0][-1]
    if plain.network in networks.SCRATCH:
        thinner = replace(plain, width=here / there)
        if size_px := _size_px(found, contents_of(backbone(thinner), like=found), thinner):
            yield replace(thinner, size_px=size_px)
    elif networks.has_width(plain.network):
        yield from (replace(plain, width=width) for width in WIDTHS if abs(width * there - here) <= ROUNDED)
    else:
        yield plain


def _size_px(found: Contents, wanted: Contents, recipe: Recipe) -> int | None:
    """The size at which as many numbers reach the dense layer of a small network as in the file."""
    last = list(wanted)[-1]
    here, there = found[last].shapes[0][0], wanted[last].shapes[0][0]
    channels = there // _side(recipe.size_px) ** 2
    fits = [size_px for size_px in range(networks.SMALLEST_PX, 1025) if _side(size_px) ** 2 * channels == here]
    usual = networks.default_size_px(recipe.network)
    return usual if usual in fits else next(iter(fits), None)


def _side(size_px: int) -> int:
    """What is left of a side after three times convolution with 3 by 3 and max-pooling."""
    for _ in range(3):
        size_px = (size_px - 2) // 2
    return size_px
