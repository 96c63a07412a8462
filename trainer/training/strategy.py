"""On which devices a training runs: one, several of this machine, or those of several machines.

Every machine runs the same command on the same photographs and draws the same batches; each device takes its slice, and
gradients are summed over all of them, so that the outcome is that of one device. What is not shared are the statistics
of batch normalization, which Keras takes over each slice (its layers are not `synchronized`), and which units dropout
hides. With `multi-worker`, TF_CONFIG says who takes part, and who this is:

    TF_CONFIG='{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, "task": {"type": "worker", "index": 0}}'

The worker with index 0 is the chief: it alone writes. Imports TensorFlow: import it lazily.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edge_agent.shelf import ConfigError
from trainer.training.run import StrategyName

EXAMPLE = (
    '{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, "task": {"type": "worker", "index": 0}}, '
    "with another index for each machine"
)


@dataclass(frozen=True, slots=True, eq=False)
class Team:
    """The devices that train together; `chief` says whether this process writes the outcome."""

    strategy: tf.distribute.Strategy
    chief: bool = True

    @property
    def replicas(self) -> int:
        """How many devices take part."""
        return int(self.strategy.num_replicas_in_sync)

    @property
    def processes(self) -> int:
        """How many programs take part."""
        resolver = self.strategy.cluster_resolver
        return 1 if resolver is None else max(1, len(resolver.cluster_spec().as_dict().get("worker", [0])))

    def share(self, *batch: NDArray[Any]) -> tuple[Any, ...]:
        """Each array of a batch in slices, one for each device, as even as its length allows."""
        if self.replicas == 1:
            return tuple(tf.constant(array) for array in batch)

        def slice_of(array: NDArray[Any]) -> Callable[[tf.distribute.experimental.ValueContext], Any]:
            parts = np.array_split(array, self.replicas)
            return lambda context: tf.constant(parts[context.replica_id_in_sync_group])

        return tuple(self.strategy.experimental_distribute_values_from_function(slice_of(array)) for array in batch)

    def agree(self, values: Sequence[float]) -> list[float]:
        """What the chief says, where clocks and the last digits of figures differ between machines."""
        if self.processes == 1:
            return list(values)
        silence = [0.0] * len(values)
        said = self.strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(silence if context.replica_id_in_sync_group else list(values), tf.float64)
        )
        heard = self.strategy.reduce(tf.distribute.ReduceOp.SUM, said, axis=None)
        return [float(value) for value in heard.numpy()]


@cache  # a second strategy in a program would meet the collective operations of the first
def assemble(name: StrategyName) -> Team:
    """Find the devices, and for `multi-worker` wait for the other machines. Comes before anything else of TensorFlow.

    Raises:
        ConfigError: TF_CONFIG is missing or wrong.
    """
    if name == "none":
        return Team(tf.distribute.get_strategy())
    if name == "mirrored":
        # processors are only of use to try it out: their threads are shared by all replicas
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return Team(tf.distribute.MirroredStrategy([device.name for device in devices]))
    index = _own_index(os.environ.get("TF_CONFIG"))
    return Team(tf.distribute.MultiWorkerMirroredStrategy(), chief=index == 0)


def _own_index(text: str | None) -> int:
    """Which worker this is, from TF_CONFIG."""
    if not text:
        raise ConfigError(
            "the training cannot start:",
            [f"--strategy multi-worker needs to know the machines; set TF_CONFIG to {EXAMPLE}"],
        )
    try:
        described = json.loads(text)
        workers = described["cluster"]["worker"]
        kind, index = described["task"]["type"], int(described["task"]["index"])
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            "the training cannot start:", [f"TF_CONFIG is {text} ({error!r}); it must look like {EXAMPLE}"]
        ) from error
    if kind != "worker" or not 0 <= index < len(workers):
        raise ConfigError(
            "the training cannot start:",
            [f'TF_CONFIG says "{kind}" {index}, of {len(workers)} workers; say "worker", and 0..{len(workers) - 1}'],
        )
    return index
