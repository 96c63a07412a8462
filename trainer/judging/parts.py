"""What the pages of trainer and converter are made of: the writer, photographs, a confusion matrix, tables of values.

Their looks are in `page.css` and `parts.html.jinja`. Text goes through jinja2, which escapes it, so that a product may
be called `<b>`.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

PHOTO_PX = 128
JPEG_QUALITY = 78
LABEL_CHARACTERS = 24
"""Of a label beside the confusion matrix."""


def write(template: Path, fields: Mapping[str, Any]) -> str:
    """Fill in a template, which may import `parts.html.jinja` and include `page.css`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - only when a page is written

    environment = Environment(
        loader=FileSystemLoader([template.parent, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template.name).render(fields)


def image(pixels: Pixels) -> str:
    """A photograph, (height, width, 3) uint8 RGB, as a data URI of a small JPEG."""
    side = min(PHOTO_PX, pixels.shape[0])
    small = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", small[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")


def matrix(confusion: NDArray[np.int64], labels: Sequence[str]) -> dict[str, Any]:
    """Where the cells of the matrix lie, one unit each, and the names beside them."""
    used = np.flatnonzero(confusion.sum(axis=0) + confusion.sum(axis=1)).tolist()
    part = confusion[np.ix_(used, used)]
    share = part / np.maximum(1, part.sum(axis=1, keepdims=True))
    names = [labels[index] for index in used]
    cut = [name if len(name) <= LABEL_CHARACTERS else name[: LABEL_CHARACTERS - 1] + "…" for name in names]
    font = 0.75 if len(used) > 12 else 0.35
    margin = round(0.62 * font * max(len(name) for name in cut) + 1, 1)
    cells = [
        {
            "x": margin + column,
            "y": margin + row,
            "style": "right" if row == column else "wrong",
            "share": round(0.15 + 0.85 * float(share[row, column]), 2),
            "title": f"{names[row]} → {names[column]}: {part[row, column]} of {part[row].sum()}",
        }
        for row, column in np.argwhere(part).tolist()
    ]
    left_out = len(labels) - len(used)
    side = margin + len(used) + 0.5
    return {"labels": cut, "cells": cells, "font": font, "margin": margin, "side": side, "left_out": left_out}


def rows(section: Any) -> list[tuple[str, str]]:
    """A section of a card as names and values."""
    entries = section.items() if isinstance(section, dict) else [("", section)]
    return [(str(name).replace("_", " "), short(value)) for name, value in entries]


def short(value: Any) -> str:
    """A value as a table shows it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return (
        "–"
        if value is None
        else json.dumps(value, ensure_ascii=False)
        if isinstance(value, dict | list)
        else str(value)
    )
