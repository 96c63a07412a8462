"""Crops → scores. One protocol, one real adapter (TFLite, wherever it runs), one fake.

What a network is loaded into, and how a batch is dealt out there, is `edge_agent.engines`; whether it may run on an
accelerator is decided in `edge_agent.delegates`. Golden outputs are checked once, after loading.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge_agent import engines
from edge_agent.bundle import Bundle
from edge_agent.engines import CHUNKS, FLOAT_ENDS, NAMES, Plan, Runtime, cores
from edge_agent.golden import check
from edge_agent.shelf import DelegateError

__all__ = ["CHUNKS", "Classifier", "ScriptedClassifier", "TfliteClassifier", "cores"]


class Classifier(Protocol):
    """What the pipeline needs of a network."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of the scores."""

    @property
    def size_px(self) -> int:
        """Side of the crops that it takes."""

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Crops (n, size, size, 3) uint8 RGB → scores (n, classes) float32 in 0..1."""


class TfliteClassifier:
    """A bundle's network, loaded. Not for use by several threads at once."""

    def __init__(
        self,
        bundle: Bundle,
        *,
        runtime: Runtime = "auto",
        threads: int | None = None,
        variant: str | None = None,
        plan: Plan | None = None,
    ) -> None:
        """Load the network and hold it against its golden outputs.

        Args:
            bundle: From `edge_agent.bundle.read`.
            runtime: Which interpreter; `auto` takes LiteRT where it is installed.
            threads: Processor threads for one batch, 1 or more; by default all cores that this process may use.
            variant: Which file of the bundle, such as `FLOAT_FILE`; by default the one that is fastest on a CPU.
            plan: All of this, and a delegate, from `edge_agent.delegates`; instead of the others.

        Raises:
            ValueError: A plan, and besides it something that the plan says.
            BundleError: No runtime, no such file, or the network does not load, or does not answer as it must.
            DelegateError: The plan names an accelerator, and that cannot be used, or does not answer as it must.
        """
        if plan is not None and (runtime, threads, variant) != ("auto", None, None):
            raise ValueError("a plan says which runtime, threads and variant: give it, or those, not both")
        self.plan = plan or engines.plan_for_cpu(bundle, runtime=runtime, threads=threads, variant=variant)
        self._bundle = bundle
        self._engine = engines.load(engines.network(bundle, self.plan.variant), self.plan)
        output = bundle.manifest.output
        self._score_of_byte = ((np.arange(256) - output.zero_point) * output.scale).astype(np.float32)
        check(bundle, self.plan, self._engine.answer(bundle.golden_inputs))

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of the scores."""
        return self._bundle.manifest.labels

    @property
    def size_px(self) -> int:
        """Side of the crops that it takes."""
        return self._bundle.manifest.input.size_px

    @property
    def runtime(self) -> str:
        """`litert` or `tflite-runtime`."""
        return self.plan.runtime

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Crops (n, size, size, 3) uint8 RGB → scores (n, classes) float32 in 0..1; n may be 0.

        Raises:
            DelegateError: The accelerator that it runs on has stopped answering.
        """
        try:
            answers = self._engine.answer(crops)
        except RuntimeError as error:
            if self.plan.delegate == "cpu":
                raise
            raise DelegateError(
                f"the {NAMES[self.plan.delegate]} has stopped answering ({error}). Check its cable and power; the"
                " agent looks for it again when it starts."
            ) from error
        return answers if self.plan.variant in FLOAT_ENDS else self._score_of_byte[answers]


@dataclass(frozen=True, slots=True)
class ScriptedClassifier:
    """A fake for tests and dry runs: scores come from a function of the crops."""

    labels: tuple[str, ...]
    size_px: int
    script: Callable[[NDArray[np.uint8]], Sequence[str]]
    confidence: float = 0.99

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Give each crop's scripted label `confidence`, and share the rest evenly."""
        rest = (1 - self.confidence) / max(1, len(self.labels) - 1)
        scores = np.full((len(crops), len(self.labels)), rest, dtype=np.float32)
        for row, label in enumerate(self.script(crops)):
            scores[row, self.labels.index(label)] = self.confidence
        return scores
