"""One build of a network, loaded where it runs: TFLite's interpreters on the CPU or an Edge TPU, LiteRT's GPU.

An engine takes crops and gives the network's own answers back, bytes or floats. A batch is run in chunks of 8, 4, 2
and 1 by interpreters that are kept for each of these sizes: resizing one costs as much as many crops.
"""

import importlib
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_agent.bundle import EDGETPU_FILE, FLOAT_FILE, GPU_FILE, MODEL_FILE, Bundle
from edge_agent.shelf import BundleError, DelegateError

Runtime = Literal["auto", "litert", "tflite-runtime"]
Place = Literal["cpu", "edgetpu", "gpu"]

CHUNKS = (8, 4, 2, 1)
EDGETPU_LIBRARY = "libedgetpu.so.1"
"""Name under which Coral's runtime is installed."""
FLOAT_ENDS = frozenset({FLOAT_FILE, GPU_FILE})
"""Builds that take float32 in 0..255 and give float32 in 0..1; the others take and give uint8."""

NAMES: dict[Place, str] = {"cpu": "CPU", "edgetpu": "Edge TPU", "gpu": "GPU"}

_MODULES = {"litert": "ai_edge_litert.interpreter", "tflite-runtime": "tflite_runtime.interpreter"}
_X86 = frozenset({"x86_64", "AMD64", "i686", "i386"})


@dataclass(frozen=True, slots=True)
class Plan:
    """What runs, and where: a file of the bundle, a runtime, processor threads, and a delegate with its library.

    Raises:
        DelegateError: A GPU is planned with another runtime than LiteRT: no other one has a way to it.
    """

    variant: str
    runtime: str
    threads: int
    delegate: Place = "cpu"
    library: str = EDGETPU_LIBRARY

    def __post_init__(self) -> None:
        """Refuse what would run in another runtime than planned."""
        if self.delegate == "gpu" and self.runtime != "litert":
            raise DelegateError(
                f"a GPU needs LiteRT 2, and the runtime here is {self.runtime}. Install LiteRT (pip install"
                ' ai-edge-litert), and leave runtime at "auto" or set it to "litert".'
            )


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A model file and what it must fit: crops of `size_px`, and so many `classes`."""

    name: str
    content: bytes
    size_px: int
    classes: int


class Engine(Protocol):
    """A network that is loaded."""

    def answer(self, crops: NDArray[np.uint8]) -> NDArray[Any]:
        """Crops (n, size, size, 3) uint8 RGB → what the network says, (n, classes) uint8 or float32; n may be 0."""


def cores() -> int:
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0))


def plan_for_cpu(
    bundle: Bundle, *, runtime: Runtime = "auto", threads: int | None = None, variant: str | None = None
) -> Plan:
    """Which file to run on the CPU, and how: see `TfliteClassifier`.

    Raises:
        BundleError: No runtime is installed.
    """
    found, _ = _import(runtime)
    return Plan(variant or suits_cpu(bundle, found), found, threads or cores())


def suits_cpu(bundle: Bundle, runtime: str, machine: str | None = None) -> str:
    """The file of a bundle that is fastest on a CPU.

    That is int8 wherever the runtime has kernels for it. tflite-runtime has none on x86: there float, where the bundle
    has it, was measured 14 times as fast.
    """
    slow_int8 = runtime == "tflite-runtime" and (machine or platform.machine()) in _X86
    return FLOAT_FILE if slow_int8 and FLOAT_FILE in bundle.variants else MODEL_FILE


def network(bundle: Bundle, variant: str) -> Network:
    """One build of a bundle's network.

    Raises:
        BundleError: The bundle has no such build.
    """
    content = bundle.model if variant == MODEL_FILE else bundle.variants.get(variant)
    if content is None:
        known = ", ".join([MODEL_FILE, *bundle.variants])
        raise BundleError(f'bundle "{bundle.manifest.id}" has no {variant}, only {known}. Convert it for that target.')
    manifest = bundle.manifest
    return Network(f'{variant} of "{manifest.id}"', content, manifest.input.size_px, len(manifest.labels))


def load(wanted: Network, plan: Plan) -> Engine:
    """Load a network as planned. Nothing falls back to anything else.

    Raises:
        BundleError: There is no runtime, or the file does not load on the CPU.
        DelegateError: The delegate cannot be used.
    """
    if plan.delegate == "gpu":
        return _on_gpu(wanted)
    module = _import(plan.runtime)[1]
    if plan.delegate == "edgetpu":
        return _on_edgetpu(wanted, plan, module)
    try:
        chunks = (1,) if plan.variant == EDGETPU_FILE else CHUNKS
        return Ladder(lambda: _interpreter(module, wanted, plan), wanted, plan.variant, chunks)
    except (ValueError, RuntimeError, KeyError) as error:
        raise BundleError(
            f"{wanted.name} does not load in {plan.runtime} ({error}). Convert it with the shelf-convert of this"
            " version, or install the runtime that it was verified with."
        ) from error


class Ladder:
    """An interpreter for each size of chunk, and how crops are dealt out to them."""

    def __init__(self, make: Callable[[], Any], wanted: Network, variant: str, chunks: Sequence[int] = CHUNKS) -> None:
        """Make and size the interpreters.

        Args:
            make: Gives a new interpreter.
            wanted: The network that is in them.
            variant: Which build it is.
            chunks: Sizes, the largest first, down to 1.

        Raises:
            ValueError: The file takes or gives something else than its build must.
            RuntimeError: The runtime cannot run it.
        """
        self._classes = wanted.classes
        self._dtype: type = np.float32 if variant in FLOAT_ENDS else np.uint8
        shape = (wanted.size_px, wanted.size_px, 3)
        self._steps = [(size, *self._sized(make(), (size, *shape))) for size in chunks]

    def _sized(self, interpreter: Any, shape: tuple[int, ...]) -> tuple[Any, Callable[[], NDArray[Any]], int]:
        """An interpreter for crops of one shape, a function that shows its input, and the place of its output."""
        given, answer = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        if given["dtype"] != self._dtype or answer["dtype"] != self._dtype:
            seen = f"input {given['dtype'].__name__}, output {answer['dtype'].__name__}"
            raise ValueError(f"{seen}, both must be {self._dtype.__name__}")
        if tuple(given["shape"]) != shape:
            interpreter.resize_tensor_input(given["index"], list(shape), strict=False)
        interpreter.allocate_tensors()
        answers = interpreter.get_output_details()[0]["shape"].tolist()
        if answers != [shape[0], self._classes]:
            raise ValueError(f"it answers {answers} to {shape[0]} crops, not {[shape[0], self._classes]}")
        return interpreter, interpreter.tensor(given["index"]), answer["index"]

    def answer(self, crops: NDArray[np.uint8]) -> NDArray[Any]:
        """Crops → answers, in as few chunks as there are."""
        answers: NDArray[Any] = np.empty((len(crops), self._classes), dtype=self._dtype)
        done = 0
        for size, interpreter, shown, answer in self._steps:
            while len(crops) - done >= size:
                shown()[...] = crops[done : done + size]  # a view that lasted longer would bar the next invoke
                interpreter.invoke()
                answers[done : done + size] = interpreter.get_tensor(answer)
                done += size
        return answers


class Compiled:
    """LiteRT's CompiledModel, one crop at a time: the only way to a GPU on Linux."""

    def __init__(self, wanted: Network, accelerator: str) -> None:
        """Compile the network for an accelerator by its name in LiteRT, `GPU` or `CPU`, and for no other.

        Raises:
            ImportError: The runtime is not LiteRT.
            RuntimeError: There is no such accelerator, or it does not take the network.
            ValueError: The file takes or gives something else than it must.
        """
        compiled = importlib.import_module("ai_edge_litert.compiled_model").CompiledModel
        kinds = importlib.import_module("ai_edge_litert.hardware_accelerator").HardwareAccelerator
        self._model = compiled.from_buffer(wanted.content, hardware_accel=kinds[accelerator])
        self._inputs, self._outputs = self._model.create_input_buffers(0), self._model.create_output_buffers(0)
        self._classes = wanted.classes
        shape, answers = [1, wanted.size_px, wanted.size_px, 3], [1, wanted.classes]
        for buffers, must in ((self._inputs, shape), (self._outputs, answers)):
            seen = buffers[0].get_tensor_details()
            if (seen["dtype"], list(seen["shape"])) != ("float32", must):
                raise ValueError(f"{seen['dtype']} {list(seen['shape'])} where float32 {must} is expected")

    def answer(self, crops: NDArray[np.uint8]) -> NDArray[Any]:
        """Crops → answers, one by one."""
        answers = np.empty((len(crops), self._classes), dtype=np.float32)
        for row, crop in enumerate(crops):
            self._inputs[0].write(crop.astype(np.float32))
            self._model.run_by_index(0, self._inputs, self._outputs)
            answers[row] = self._outputs[0].read(self._classes, np.float32)
        return answers


def _import(runtime: str) -> tuple[str, ModuleType]:
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


def _interpreter(module: ModuleType, wanted: Network, plan: Plan, **more: Any) -> Any:
    return module.Interpreter(model_content=wanted.content, num_threads=plan.threads, **more)


def _on_edgetpu(wanted: Network, plan: Plan, module: ModuleType) -> Engine:
    """A compiled network on an Edge TPU; what each kind of error of the loader means was found out by trying."""
    library = plan.library
    try:
        delegate = module.load_delegate(library)
    except OSError as error:
        raise DelegateError(
            f"the Edge TPU's library {library} is missing, or cannot be loaded ({error}). Install libedgetpu, in a"
            " build for TensorFlow 2.16 or newer, or name the file as delegate_library."
        ) from error
    except AttributeError as error:
        raise DelegateError(
            f"{library} is a library, but no delegate ({error}). Name libedgetpu's file as delegate_library."
        ) from error
    except ValueError as error:
        raise DelegateError(
            f"no Edge TPU answers ({_one_line(error)}). Plug it in, and see that this user may open it:"
            " docs/operations.md."
        ) from error
    try:
        return Ladder(
            lambda: _interpreter(module, wanted, plan, experimental_delegates=[delegate]), wanted, plan.variant, (1,)
        )
    except (ValueError, RuntimeError) as error:
        if "unresolved custom op" in str(error).lower():
            raise DelegateError(
                f"{wanted.name} is compiled for the Edge TPU, and {library} does not take it ({_one_line(error)})."
                " Name libedgetpu's file as delegate_library."
            ) from error
        raise DelegateError(
            f"{wanted.name} does not load on the Edge TPU ({_one_line(error)}). Compile it again with"
            " edgetpu_compiler, or install the libedgetpu that belongs to that compiler."
        ) from error


def _on_gpu(wanted: Network) -> Engine:
    try:
        return Compiled(wanted, "GPU")
    except ImportError as error:
        raise DelegateError(
            f"a GPU needs LiteRT 2, which is not installed ({error}). Install it: pip install ai-edge-litert."
        ) from error
    except RuntimeError as error:  # its words are lines of LiteRT's sources; what helps is on standard error
        raise DelegateError(
            f"LiteRT finds no GPU that runs {wanted.name}. It needs a Vulkan driver, and a user who may open /dev/dri:"
            " docs/operations.md."
        ) from error
    except ValueError as error:
        raise DelegateError(f"{wanted.name} is not for a GPU: {error}. Convert it anew with --target gpu.") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
