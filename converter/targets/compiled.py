"""What is in a file that the Edge TPU's compiler made: what it mapped, what it left, and what it takes on the chip.

Such a file is TFLite with a custom operator `edgetpu-custom-op` in place of what was mapped. Its options are a
flexbuffer map whose key "4" holds a flatbuffer `DWN1`: a package of executables, by the schema that Coral publishes
with its runtime (`executable/executable.fbs` in google-coral/libedgetpu).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from flatbuffers import encode, flexbuffers, number_types, table

from converter.targets.placement import Placement, place, rows
from converter.tflite.view import EDGETPU, Operation, View, view
from edge_agent.shelf import DataError

PACKAGE_KEY = "4"
PACKAGE_IDENTIFIER = b"DWN1"
ON_EDGETPU = "Mapped to Edge TPU"
ON_CPU = "Left to the CPU"
STAND_ALONE, PARAMETER_CACHING, EXECUTION_ONLY = 0, 1, 2
BROKEN = (struct.error, ValueError, TypeError, IndexError, KeyError, AttributeError)
"""What reading a damaged flatbuffer may raise."""

Role = Literal["stand-alone", "parameter caching", "execution only"]
ROLES: dict[int, Role] = {
    STAND_ALONE: "stand-alone",
    PARAMETER_CACHING: "parameter caching",
    EXECUTION_ONLY: "execution only",
}


@dataclass(frozen=True, slots=True)
class Executable:
    """One program of the chip, and how many bytes of parameters come with it."""

    role: Role
    chip: str
    parameter_bytes: int


@dataclass(frozen=True, slots=True)
class Package:
    """One compiled operator: the oldest runtime (`runtime_version`) that can run it, and the build of the compiler."""

    runtime_version: int
    compiler: str
    executables: tuple[Executable, ...]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled file. `operators` are all that it holds; those on the CPU are not mapped."""

    operators: tuple[Placement, ...]
    packages: tuple[Package, ...]

    @property
    def on_chip_bytes(self) -> int:
        """Parameters that are loaded once and stay on the chip."""
        return sum(one.parameter_bytes for one in self._executables if one.role == "parameter caching")

    @property
    def off_chip_bytes(self) -> int:
        """Parameters that are sent again for each picture."""
        return sum(one.parameter_bytes for one in self._executables if one.role != "parameter caching")

    @property
    def left(self) -> tuple[Placement, ...]:
        """What the CPU still has to do."""
        return tuple(one for one in self.operators if not one.mapped)

    @property
    def _executables(self) -> Iterator[Executable]:
        return (executable for package in self.packages for executable in package.executables)


def parse(content: bytes) -> Compiled:
    """Read a compiled file.

    Raises:
        DataError: It is not a TFLite file, not a compiled one, or damaged inside.
    """
    return of(view(content))


def of(file: View) -> Compiled:
    """`parse`, of a file that was read."""
    if not file.compiled:
        raise DataError(f"not compiled for the Edge TPU: no operator is {EDGETPU}. Compile it with edgetpu_compiler.")
    return Compiled(
        tuple(_placed(operation) for operation in file.operations),
        tuple(_package(operation.custom_options) for operation in file.operations if operation.custom == EDGETPU),
    )


def payload(compiled: Compiled) -> dict[str, Any]:
    """A compiled file as JSON takes it."""
    return {
        "left": rows(compiled.left),
        "on_chip_bytes": compiled.on_chip_bytes,
        "off_chip_bytes": compiled.off_chip_bytes,
        "runtime_version": max((package.runtime_version for package in compiled.packages), default=0),
        "compiler": next((package.compiler for package in compiled.packages), ""),
        "chips": sorted({one.chip for package in compiled.packages for one in package.executables}),
    }


def mapped(original: View, compiled: View) -> tuple[bool, ...]:
    """For each operator of the original whether the compiler mapped it: all but those that it left.

    What was left is recognized by its code and the names of its outputs, which the compiler keeps, or else by its code
    and shapes, last first: it is the end of a network that stays on the CPU.

    Raises:
        DataError: The compiled file has an operator that the original hasn't: they are no pair.
    """
    left = [operation for operation in compiled.operations if operation.custom != EDGETPU]
    found: set[int] = set()
    for key in (_names, _shapes):
        for operation in reversed(original.operations):
            twin = next((one for one in left if key(one) == key(operation)), None)
            if twin is not None and operation.index not in found:
                found.add(operation.index)
                left.remove(twin)
    if left:
        raise DataError(
            f"the compiled file has {left[0].name}, which the original hasn't: it was made from another file."
        )
    return tuple(operation.index not in found for operation in original.operations)


def _names(operation: Operation) -> tuple[str, tuple[str, ...]]:
    return operation.name, tuple(tensor.name for tensor in operation.outputs)


def _shapes(operation: Operation) -> tuple[str, tuple[tuple[int, ...], ...]]:
    return operation.name, tuple(tensor.shape for tensor in operation.outputs)


def _placed(operation: Operation) -> Placement:
    on_chip = operation.custom == EDGETPU
    return place(operation, mapped=on_chip, status=ON_EDGETPU if on_chip else ON_CPU)


def _package(options: bytes) -> Package:
    """What the options of one compiled operator hold."""
    try:
        package = _root(_stored(options))
        programs = _root(_bytes(package, 1))
        return Package(
            runtime_version=_number(package, 0, number_types.Int32Flags),
            compiler=_text(package, 4),
            executables=tuple(_executable(_root(program)) for program in _strings(programs, 0)),
        )
    except BROKEN as error:
        raise DataError(
            f"the compiled part of the file is damaged ({type(error).__name__}: {error}). Compile the network again."
        ) from error


def _stored(options: bytes) -> bytes:
    """The package inside the flexbuffer, which keeps it as a string of bytes."""
    value = flexbuffers.GetRoot(bytearray(options)).AsMap[PACKAGE_KEY]
    # AsString.Bytes is out of reach: flexbuffers decodes any string as UTF-8 first, and this is none
    stored = bytes(flexbuffers.String(value._Indirect(), value._byte_width).Bytes)  # noqa: SLF001
    if stored[4:8] != PACKAGE_IDENTIFIER:
        raise ValueError(f"{stored[4:8]!r} stands where {PACKAGE_IDENTIFIER!r} should")
    return stored


def _executable(program: table.Table) -> Executable:
    role = _number(program, 13, number_types.Int16Flags)
    return Executable(ROLES[role], _text(program, 10), len(_bytes(program, 6)))


def _root(content: bytes) -> table.Table:
    """The root table of a flatbuffer."""
    buffer = bytearray(content)
    return table.Table(buffer, encode.Get(number_types.UOffsetTFlags.packer_type, buffer, 0))


def _field(record: table.Table, number: int) -> int:
    """Where the field of this number (from 0, as in the schema) is kept; 0 if it is left out."""
    return int(record.Offset(4 + 2 * number))


def _number(record: table.Table, number: int, flags: Any) -> int:
    at = _field(record, number)
    return int(record.Get(flags, at + record.Pos)) if at else 0


def _bytes(record: table.Table, number: int) -> bytes:
    at = _field(record, number)
    if not at:
        return b""
    start, length = record.Vector(at), record.VectorLen(at)
    if start + length > len(record.Bytes):
        raise ValueError(f"{length} bytes at {start} reach beyond its end")
    return bytes(record.Bytes[start : start + length])


def _strings(record: table.Table, number: int) -> tuple[bytes, ...]:
    """A vector of strings, which here are flatbuffers themselves."""
    at = _field(record, number)
    if not at:
        return ()
    start = record.Vector(at)
    return tuple(bytes(record.String(start + 4 * item)) for item in range(record.VectorLen(at)))


def _text(record: table.Table, number: int) -> str:
    at = _field(record, number)
    return bytes(record.String(at + record.Pos)).decode(errors="replace") if at else ""
