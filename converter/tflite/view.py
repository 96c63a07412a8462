"""A TFLite file as values: its operators in the order in which they run, with their tensors.

`converter.tflite.graph` gives the schema's own objects, which can be changed and packed again; this gives what a rule
about a file wants to read, checked: no index points beyond the file, no name is missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import Any

from converter.tflite import graph
from edge_agent.shelf import DataError

EDGETPU = "edgetpu-custom-op"
"""The custom operator that holds what the Edge TPU's compiler has mapped."""


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A tensor: `shape` as far as it is known, -1 in `signature` where it is open; `data` (little endian) if constant.

    A value is (stored - zero_point) x scale, with one scale for the whole tensor or one per channel, none for floats.
    `variable` tensors keep a state between two runs.
    """

    index: int
    name: str
    kind: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    data: bytes | None
    variable: bool

    @property
    def constant(self) -> bool:
        """Whether the file holds it."""
        return self.data is not None

    @property
    def size(self) -> int:
        """How many values it has; an open side counts as one."""
        return prod(max(side, 1) for side in self.shape)

    @property
    def integers(self) -> tuple[int, ...]:
        """The values of a constant int32 tensor, such as axes or a shape; none for any other."""
        if self.data is None or self.kind != "INT32":
            return ()
        return tuple(memoryview(self.data).cast("i")) if len(self.data) % 4 == 0 else ()


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """An operator: `code` as in the schema, `custom` its name if that is CUSTOM. An input that is left out is None."""

    index: int
    code: str
    custom: str
    version: int
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    options: Mapping[str, Any]
    custom_options: bytes

    @property
    def name(self) -> str:
        """What people call it: its code, or the name of a custom one."""
        return self.custom or self.code

    @property
    def layer(self) -> str:
        """The layer that it comes from, by the name of its first output."""
        return self.outputs[0].name.rsplit(";", 1)[-1] if self.outputs else ""

    @property
    def given(self) -> tuple[Tensor, ...]:
        """The inputs that are there."""
        return tuple(tensor for tensor in self.inputs if tensor is not None)

    def input(self, position: int) -> Tensor | None:
        """The input at a position, None where there is none."""
        return self.inputs[position] if position < len(self.inputs) else None

    def option(self, key: str) -> int:
        """A numeric option of the operator; 0, the schema's own default, where the file doesn't say."""
        value = self.options.get(key)
        return 0 if value is None else int(value)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A whole file. `operations` are those of its main graph; `metadata` maps names to what is stored under them."""

    description: str
    schema_version: int
    graphs: int
    tensors: tuple[Tensor, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operations: tuple[Operation, ...]
    metadata: Mapping[str, bytes]

    @property
    def compiled(self) -> bool:
        """Whether the Edge TPU's compiler made it."""
        return any(operation.custom == EDGETPU for operation in self.operations)

    def count(self, code: str) -> int:
        """How many operators have this code."""
        return sum(operation.code == code for operation in self.operations)


def view(content: bytes) -> View:
    """Read a file.

    Raises:
        DataError: It is not a TFLite file, or one whose parts don't fit each other.
    """
    model = graph.parse(content)
    if not model.subgraphs:
        raise DataError("a TFLite file without a graph: nothing in it can be run. Convert the network again.")
    main = model.subgraphs[0]
    tensors = tuple(_tensor(model, index, tensor) for index, tensor in enumerate(_list(main.tensors)))
    return View(
        description=_text(model.description),
        schema_version=int(model.version),
        graphs=len(model.subgraphs),
        tensors=tensors,
        inputs=tuple(_at(tensors, int(index), "an input") for index in _list(main.inputs)),
        outputs=tuple(_at(tensors, int(index), "an output") for index in _list(main.outputs)),
        operations=tuple(
            _operation(model, index, operator, tensors) for index, operator in enumerate(_list(main.operators))
        ),
        metadata=MappingProxyType(
            {_text(entry.name): _buffer(model, int(entry.buffer)) or b"" for entry in _list(model.metadata)}
        ),
    )


def _tensor(model: Any, index: int, tensor: Any) -> Tensor:
    quantization = tensor.quantization
    shape = _numbers(tensor.shape)
    return Tensor(
        index=index,
        name=_text(tensor.name),
        kind=graph.kind(tensor),
        shape=shape,
        signature=_numbers(tensor.shapeSignature) or shape,
        scales=tuple(float(scale) for scale in _list(quantization.scale if quantization else None)),
        zero_points=_numbers(quantization.zeroPoint if quantization else None),
        data=_buffer(model, int(tensor.buffer)),
        variable=bool(tensor.isVariable),
    )


def _operation(model: Any, index: int, operator: Any, tensors: tuple[Tensor, ...]) -> Operation:
    opcode = _at(_list(model.operatorCodes), int(operator.opcodeIndex), "an operator's code")
    options = vars(operator.builtinOptions) if operator.builtinOptions is not None else {}
    return Operation(
        index=index,
        code=graph.code(model, operator),
        custom=_text(opcode.customCode),
        version=int(opcode.version),
        inputs=tuple(
            None if int(at) == -1 else _at(tensors, int(at), "an operator's input") for at in _list(operator.inputs)
        ),
        outputs=tuple(_at(tensors, int(at), "an operator's output") for at in _list(operator.outputs)),
        options=MappingProxyType(dict(options)),
        custom_options=bytes(_list(operator.customOptions)),
    )


def _buffer(model: Any, index: int) -> bytes | None:
    """What a buffer holds; buffer 0 stands for nothing."""
    if index == 0:
        return None
    data = _at(_list(model.buffers), index, "a buffer").data
    return None if data is None or len(data) == 0 else bytes(data)


def _at(things: Any, index: int, what: str) -> Any:
    if not 0 <= index < len(things):
        raise DataError(
            f"a damaged TFLite file: {what} has number {index}, but there are {len(things)}. Copy it again."
        )
    return things[index]


def _list(things: Any) -> Any:
    return () if things is None else things


def _numbers(things: Any) -> tuple[int, ...]:
    return tuple(int(number) for number in _list(things))


def _text(raw: Any) -> str:
    return printable(raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw or ""))


def printable(text: str) -> str:
    """The same text without what a file of unknown origin could tell a terminal to do.

    >>> printable("a" + chr(27) + "[2J layer")
    'a?[2J layer'
    """
    return "".join(letter if letter.isprintable() else "?" for letter in text)
