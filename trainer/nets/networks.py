"""Which networks there are, by name, and what each can be asked for. Without TensorFlow, so a slip is told at once."""

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

from edge_agent.shelf import nearest

SCRATCH = ("small-cnn", "small-cnn-bn")
"""Networks of our own, trained from nothing; `-bn` has a batch norm after each convolution."""
SHELF = {
    "mobilenet-v1": "MobileNet",
    "mobilenet-v2": "MobileNetV2",
    "mobilenet-v3-small": "MobileNetV3Small",
    "mobilenet-v3-large": "MobileNetV3Large",
    "efficientnetv2-b0": "EfficientNetV2B0",
}
"""Networks small enough for a Raspberry Pi, by the name that people type, and what `keras.applications` calls them."""
WITH_WIDTH = frozenset({"MobileNet", "MobileNetV2", "MobileNetV3Small", "MobileNetV3Large"})
"""Those of `keras.applications` that take an `alpha`, the factor on the filters of each layer."""
LEAST_PX = {"Xception": 71, "InceptionV3": 75, "InceptionResNetV2": 75}
"""Smallest input of those that need more than `SMALLEST_PX`."""
SMALLEST_PX = 32
"""Most networks halve their input five times."""
SCRATCH_PX = 150
IMAGENET_PX = 224
"""The size that ImageNet weights are usually made for; the others work at this size too."""


def names() -> tuple[str, ...]:
    """Every name that `--network` takes, ours first."""
    return (*SCRATCH, *SHELF, *keras_names())


def keras_names() -> tuple[str, ...]:
    """The networks of `keras.applications`, read from its list of exports: importing it would take seconds.

    Empty where Keras is not installed.
    """
    spec = importlib.util.find_spec("keras")
    exports = Path(spec.origin).with_name("applications") / "__init__.py" if spec and spec.origin else None
    if exports is None or not exports.is_file():
        return ()
    imported = (node for node in ast.parse(exports.read_text("utf-8")).body if isinstance(node, ast.ImportFrom))
    found = (alias.asname or alias.name for node in imported for alias in node.names)
    return tuple(sorted(name for name in found if name[0].isupper()))  # the others are modules


def application(network: str) -> str | None:
    """What `keras.applications` calls a network; None for one of our own."""
    return None if network in SCRATCH else SHELF.get(network, network)


def has_width(network: str) -> bool:
    """Whether the filters of a network can be multiplied."""
    return network in SCRATCH or application(network) in WITH_WIDTH


def default_size_px(network: str) -> int:
    """Side of the input where nobody asks for another."""
    return SCRATCH_PX if network in SCRATCH else IMAGENET_PX


def least_size_px(network: str) -> int:
    """Side of the smallest input that a network can take."""
    return LEAST_PX.get(application(network) or "", SMALLEST_PX)


def problem(network: str) -> str | None:
    """Why there is no such network, with the nearest name; None where there is one."""
    known = names()
    if network in known:
        return None
    hint = nearest(network, known)
    if not hint.startswith("nearest"):
        hint = (
            f"known are {', '.join(known[: len(SCRATCH) + len(SHELF)])}, and those of keras.applications by their name"
        )
    return f'there is no network "{network}"; {hint}'


def misfits(network: str, *, size_px: int, width: float, weights: str) -> Iterator[str]:
    """Every reason why a network cannot be had at this size and width, or from these weights."""
    least_px = least_size_px(network)
    if SMALLEST_PX <= size_px < least_px:
        yield f"--size is {size_px}; {network} needs at least {least_px}"
    if width != 1.0 and not has_width(network):
        yield f"width is {width:g}, but {network} comes in one width only; leave --width out, or use mobilenet-v2"
    if weights == "imagenet" and network in SCRATCH:
        yield f'there are no ImageNet weights for "{network}"; use --weights none, or --network mobilenet-v2'
