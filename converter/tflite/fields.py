"""Flatbuffers by the field numbers of a schema, written from plain values and read back; no generated code.

A table is a dict from field number to value, and a value is one of these

    str                   a string
    np.uint8, np.uint32   a number of that width
    [float, …]            a vector of float32
    [dict, …]             a vector of tables
    dict                  a table

Fields are numbered in the order in which the schema declares them, from 0; a union takes two, its type and its value.
"""

import struct
from collections.abc import Mapping
from typing import Any

import flatbuffers
import numpy as np
from flatbuffers import encode, number_types
from flatbuffers.table import Table

from edge_agent.shelf import DataError

LENGTH_MAX = 65536
"""A vector that claims to be longer is damaged: nothing that we read has that many parts."""
_TORN = (struct.error, IndexError, ValueError, TypeError)
"""What offsets that point nowhere raise."""


def write(root: Mapping[int, Any], identifier: bytes) -> bytes:
    """The flatbuffer of a table. The same values give the same bytes."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(_table(builder, root), file_identifier=identifier)
    return bytes(builder.Output())


def read(content: bytes, identifier: bytes) -> Table:
    """The root table of a flatbuffer, for `text`, `child`, `children`, `floats` and `number`.

    Raises:
        DataError: It has another identifier, or is damaged.
    """
    if content[4:8] != identifier:
        raise DataError(f"not a flatbuffer of {identifier!r}: {len(content)} bytes that begin with {content[:8]!r}.")
    return Table(content, encode.Get(number_types.UOffsetTFlags.packer_type, content, 0))


def text(table: Table, field: int) -> str | None:
    """A string, None where the field is not set.

    Raises:
        DataError: It is damaged.
    """
    try:
        place = _place(table, field)
        return None if place is None else bytes(table.String(place)).decode(errors="replace")
    except _TORN as error:
        raise _damaged(field) from error


def child(table: Table, field: int) -> Table | None:
    """A table within a table, None where the field is not set.

    Raises:
        DataError: It is damaged.
    """
    try:
        place = _place(table, field)
        return None if place is None else Table(table.Bytes, table.Indirect(place))
    except _TORN as error:
        raise _damaged(field) from error


def children(table: Table, field: int) -> list[Table]:
    """The tables of a vector.

    Raises:
        DataError: It is damaged.
    """
    try:
        start, length = _vector(table, field)
        return [Table(table.Bytes, table.Indirect(start + 4 * index)) for index in range(length)]
    except _TORN as error:
        raise _damaged(field) from error


def floats(table: Table, field: int) -> tuple[float, ...]:
    """The numbers of a vector of float32.

    Raises:
        DataError: It is damaged.
    """
    try:
        start, length = _vector(table, field)
        return tuple(float(value) for value in struct.unpack_from(f"<{length}f", table.Bytes, start))
    except _TORN as error:
        raise _damaged(field) from error


def number(table: Table, field: int) -> int:
    """An unsigned byte, 0 where the field is not set.

    Raises:
        DataError: It is damaged.
    """
    try:
        place = _place(table, field)
        return 0 if place is None else int(table.Get(number_types.Uint8Flags, place))
    except _TORN as error:
        raise _damaged(field) from error


def _damaged(field: int) -> DataError:
    return DataError(
        f"the metadata is damaged: field {field} points outside of it. Take the file from its source again."
    )


def _place(table: Table, field: int) -> int | None:
    """Where a field lies, None where it is not set. Negative places would count from the end, silently."""
    offset = table.Offset(4 + 2 * field)
    if table.Pos < 0 or table.Pos >= len(table.Bytes):
        raise IndexError(table.Pos)
    return table.Pos + offset if offset else None


def _vector(table: Table, field: int) -> tuple[int, int]:
    """Where the parts of a vector begin, and how many there are."""
    offset = table.Offset(4 + 2 * field)
    if not offset:
        return 0, 0
    length = table.VectorLen(offset)
    if length > LENGTH_MAX:
        raise IndexError(length)
    return table.Vector(offset), length


def _table(builder: Any, fields: Mapping[int, Any]) -> int:
    """Write a table after all that it points at, as flatbuffers grow from the back; its offset."""
    offsets = {
        field: _pointed_at(builder, value) for field, value in fields.items() if not isinstance(value, np.integer)
    }
    builder.StartObject(max(fields, default=-1) + 1)
    for field, value in fields.items():
        if isinstance(value, np.uint8):
            builder.PrependUint8Slot(field, int(value), 0)
        elif isinstance(value, np.uint32):
            builder.PrependUint32Slot(field, int(value), 0)
        else:
            builder.PrependUOffsetTRelativeSlot(field, offsets[field], 0)
    return int(builder.EndObject())


def _pointed_at(builder: Any, value: Any) -> int:
    """Write a string, vector or table; its offset."""
    match value:
        case str():
            return int(builder.CreateString(value))
        case dict():
            return _table(builder, value)
        case [float(), *_]:
            return int(builder.CreateNumpyVector(np.asarray(value, dtype="<f4")))
    parts = [_table(builder, part) for part in value]
    builder.StartVector(4, len(parts), 4)
    for part in reversed(parts):
        builder.PrependUOffsetTRelative(part)
    return int(builder.EndVector())
