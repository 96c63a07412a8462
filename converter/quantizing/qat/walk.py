"""The calls that a Keras network is made of, one after the other. Imports Keras: import it lazily."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras

Node = Any
"""A call of an operation: `operation`, `input_tensors` and `outputs`; a layer that is shared has several."""


def nodes(network: keras.Model) -> Iterator[Node]:
    """The calls of a network in an order in which they can be made, those that declare an input left out."""
    graph = keras.Model(network.inputs, network.outputs)  # of a Sequential as well
    by_depth = graph._nodes_by_depth  # noqa: SLF001  (Keras walks its networks by it, and has no other way in)
    for depth in sorted(by_depth, reverse=True):
        yield from (node for node in by_depth[depth] if not node.is_input)


def walk(network: keras.Model, inputs: Sequence[Any], call: Callable[..., Any]) -> list[Any]:
    """Pass tensors, or Keras' symbolic ones, through a network, each call made by `call(node, *args, **kwargs)`.

    Args:
        network: Whose calls these are.
        inputs: One for each input of the network.
        call: Gives what the operation of the node would.

    Returns:
        One for each output of the network.
    """
    found = {id(declared): given for declared, given in zip(network.inputs, inputs, strict=True)}
    for node in nodes(network):
        arguments, named = node.arguments.fill_in(found)
        answers = keras.tree.flatten(call(node, *arguments, **named))
        found.update((id(declared), answer) for declared, answer in zip(node.outputs, answers, strict=True))
    return [found[id(declared)] for declared in network.outputs]


def consumers(network: keras.Model) -> dict[int, list[Node]]:
    """Who takes each tensor of a network, by the `id` of the tensor; the outputs of the network are taken by None."""
    taken: dict[int, list[Node]] = {}
    for node in nodes(network):
        for tensor in node.input_tensors:
            taken.setdefault(id(tensor), []).append(node)
    for tensor in network.outputs:
        taken.setdefault(id(tensor), []).append(None)
    return taken


def producers(network: keras.Model) -> dict[int, Node]:
    """Which call each tensor of a network comes from, by the `id` of the tensor."""
    return {id(tensor): node for node in nodes(network) for tensor in node.outputs}
