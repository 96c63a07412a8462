"""Crops → scores. One protocol, one real adapter (LiteRT, or tflite-runtime where that is what a device has), one fake.

A batch is run in chunks of 8, 4, 2 and 1 by interpreters that are kept for each of these sizes: resizing one costs as
much as many crops. Golden outputs are checked once, after loading.
"""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_agent.bundle import Bundle
from edge_agent.shelf import BundleError

Runtime = Literal["auto", "litert", "tflite-runtime"]

_MODULES = {"litert": "ai_edge_litert.interpreter", "tflite-runtime": "tflite_runtime.interpreter"}
GOLDEN_LSB = {"litert": 2, "tflite-runtime": 64}
"""How far an output byte may be from its golden value. LiteRT agrees with itself across processors within 1; the older
kernels of tflite-runtime differ by up to 50, so there the same winner is what is asked for."""
CHUNKS = (8, 4, 2, 1)


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
    """A bundle's model on the CPU. Not for use by several threads at once."""

    def __init__(self, bundle: Bundle, *, runtime: Runtime = "auto", threads: int = 2) -> None:
        """Load the model and hold it against its golden outputs.

        Args:
            bundle: From `edge_agent.bundle.read`.
            runtime: Which interpreter; `auto` takes LiteRT where it is installed.
            threads: Processor threads for one batch, 1 or more.

        Raises:
            BundleError: No runtime, or the model does not load, or does not answer as it must.
        """
        self._bundle = bundle
        self.runtime, module = _import(runtime)
        self._threads = threads
        self._interpreter: Callable[..., Any] = module.Interpreter
        try:
            self._by_chunk = {size: self._load(size) for size in CHUNKS}
            answers = self._raw(bundle.golden_inputs)
        except (ValueError, RuntimeError, KeyError) as error:
            raise BundleError(
                f'model "{self.model_id}" does not load in {self.runtime} ({error}). Convert it with the'
                " shelf-convert of this version, or install the runtime that it was verified with."
            ) from error
        self._check_golden(answers)

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of the scores."""
        return self._bundle.manifest.labels

    @property
    def size_px(self) -> int:
        """Side of the crops that it takes."""
        return self._bundle.manifest.input.size_px

    @property
    def model_id(self) -> str:
        """The bundle's id."""
        return self._bundle.manifest.id

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Crops (n, size, size, 3) uint8 RGB → scores (n, classes) float32 in 0..1; n may be 0."""
        output = self._bundle.manifest.output
        scores = (self._raw(crops).astype(np.float32) - output.zero_point) * output.scale
        return scores.astype(np.float32, copy=False)

    def _load(self, batch: int) -> tuple[Any, int, int]:
        """An interpreter for chunks of `batch` crops, and where its input and output are."""
        interpreter = self._interpreter(model_content=self._bundle.model, num_threads=self._threads)
        given, answer = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        if given["dtype"] != np.uint8 or answer["dtype"] != np.uint8:
            raise ValueError(f"input {given['dtype'].__name__}, output {answer['dtype'].__name__}, both must be uint8")
        interpreter.resize_tensor_input(given["index"], [batch, self.size_px, self.size_px, 3], strict=False)
        interpreter.allocate_tensors()
        return interpreter, given["index"], answer["index"]

    def _raw(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Crops → output bytes (n, classes)."""
        answers = np.empty((len(crops), len(self.labels)), dtype=np.uint8)
        done = 0
        for size, (interpreter, given, answer) in self._by_chunk.items():
            while len(crops) - done >= size:
                interpreter.set_tensor(given, crops[done : done + size])
                interpreter.invoke()
                answers[done : done + size] = interpreter.get_tensor(answer)
                done += size
        return answers

    def _check_golden(self, answers: NDArray[np.uint8]) -> None:
        golden = self._bundle.golden_outputs
        worst = int(np.abs(answers.astype(int) - golden).max())
        same_winner = bool((answers.argmax(axis=1) == golden.argmax(axis=1)).all())
        if worst > GOLDEN_LSB[self.runtime] or not same_winner:
            raise BundleError(
                f'model "{self.model_id}" does not answer in {self.runtime} as it did when it was verified: it is'
                f" {worst} steps of 255 away on its golden inputs, where {GOLDEN_LSB[self.runtime]} are allowed."
                " Don't count with it: copy the bundle again, or convert it with the shelf-convert of this version."
            )


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


def _import(runtime: Runtime) -> tuple[str, ModuleType]:
    """The interpreter's module, and which runtime it is."""
    wanted = ("litert", "tflite-runtime") if runtime == "auto" else (runtime,)
    for name in wanted:
        try:
            return name, importlib.import_module(_MODULES[name])
        except ImportError:
            continue
    raise BundleError(
        f"no TFLite runtime is installed (looked for {' and '.join(wanted)})."
        " Install the agent with its dependencies: pip install shelfwatch."
    )
