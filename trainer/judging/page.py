"""An exam of a network → one HTML page that needs nothing else: for those who run the shop, and for engineers.

Photographs are inside as small JPEGs, charts as SVG; the page asks no server for anything. Text goes through jinja2,
which escapes it, so that a product may be called `<b>`.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.judging import charts, words
from trainer.judging.evaluate import ClassFigures, Evaluation, reliability, summary
from trainer.judging.gallery import Shown
from trainer.judging.mistakes import Pair, confused_pairs, examples, worst
from trainer.judging.rejection import Kept, Rejection, Unknown, coverage, score_of
from trainer.report import Epoch

Pixels = NDArray[np.uint8]

TEMPLATE = "page.html.jinja"
PHOTO_PX = 128
JPEG_QUALITY = 78
PAIRS_SHOWN = 8
SHOWN_OF_PAIR = 3
ERRORS_SHOWN = 24
LABEL_CHARACTERS = 24
"""Of a label beside the confusion matrix."""
SECTIONS = {"recipe": "Recipe", "data": "Photographs", "training": "Training", "versions": "Made with"}
"""What of a card is shown as a table, and under which title."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A photograph by its index, and the same with what speaks for the answer marked: (size, size, 3) uint8 RGB."""

    index: int
    overlay: Pixels


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """Everything that the page tells; fields as in `trainer.judging.exam.Exam`."""

    name: str
    card: dict[str, Any]
    shown: Shown
    evaluation: Evaluation
    rejection: Rejection | None = None
    kept: Kept | None = None
    unknown: Unknown | None = None
    problems: tuple[str, ...] = ()
    history: tuple[Epoch, ...] = ()
    looks: tuple[Look, ...] = ()


def render(contents: Contents) -> str:
    """Write the page."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - only when a page is written

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(_fields(contents))


def worth_a_look(shown: Shown, *, most: int) -> list[int]:
    """Photographs to show saliency for: half of them the surest mistakes, the rest sure right answers of all kinds."""
    wrong = worst(shown.scores, shown.truth, most=most // 2)
    right: dict[int, int] = {}
    for index in np.argsort(-shown.scores.max(axis=1), kind="stable").tolist():
        if shown.answers[index] == shown.truth[index]:
            right.setdefault(int(shown.truth[index]), index)
    return [*wrong, *list(right.values())[: most - len(wrong)]]


def _fields(contents: Contents) -> dict[str, Any]:
    """What the template asks for."""
    evaluation, shown = contents.evaluation, contents.shown
    curve = coverage(shown.scores, shown.truth, score=score_of(contents.rejection))
    pairs = confused_pairs(evaluation.confusion, most=PAIRS_SHOWN)
    fields = {
        "name": contents.name,
        "plot": charts,
        "labels": shown.labels,
        "evaluation": evaluation,
        "headline": words.headline(evaluation),
        "words": _words(contents),
        "pairs": [_pair(shown, pair) for pair in pairs],
        "errors": [_photo(shown, index) for index in worst(shown.scores, shown.truth, most=ERRORS_SHOWN)],
        "looks": [{**_photo(shown, look.index), "overlay": _image(look.overlay)} for look in contents.looks],
        "sureness": [
            charts.reliability_chart(
                reliability(shown.scores, shown.truth), calibration_error=evaluation.calibration_error
            ),
            charts.coverage_chart(curve, rejection=contents.rejection),
        ],
        "classes": _weakest_first(evaluation.classes),
        "groups": _weakest_first(evaluation.coarse.classes) if evaluation.coarse else [],
        "matrix": _matrix(evaluation.confusion, shown.labels),
        "figures": list(_figures(contents)),
        "curves": _curves(contents),
        "sheets": [(title, _rows(contents.card[key])) for key, title in SECTIONS.items() if key in contents.card],
        "card_json": json.dumps(contents.card, indent=2, ensure_ascii=False),
    }
    return {**fields, "contents": _places(fields)}


def _places(fields: dict[str, Any]) -> list[tuple[str, str]]:
    """The sections that there are, for the links at the top."""
    titles = {
        "short": "In short",
        "pairs": "What is taken for what",
        "errors": "The surest mistakes",
        "looks": "Where it looks",
        "sure": "How sure it is",
        "classes": "Product by product",
        "matrix": "Confusion matrix",
        "course": "Figures and training",
        "card": "Model card",
    }
    return [(place, title) for place, title in titles.items() if fields.get(place, True) or place == "pairs"]


def _words(contents: Contents) -> dict[str, Any]:
    evaluation = contents.evaluation
    return {
        "right": words.how_often_right(evaluation),
        "sure": words.how_sure(evaluation),
        "unknown": words.what_of_unknown(contents.rejection, contents.kept, contents.unknown),
        "mixed": words.what_it_mixes_up(evaluation),
        "wanting": words.what_needs_photographs(evaluation),
        "doubts": words.doubts(evaluation, contents.problems),
    }


def _pair(shown: Shown, pair: Pair) -> dict[str, Any]:
    wrong, others = examples(pair, shown.answers, shown.truth, most=SHOWN_OF_PAIR)
    return {
        "truth": shown.labels[pair.truth],
        "answer": shown.labels[pair.answer],
        "count": pair.count,
        "support": pair.support,
        "wrong": [_image(shown.pixels[index]) for index in wrong],
        "others": [_image(shown.pixels[index]) for index in others],
    }


def _photo(shown: Shown, index: int) -> dict[str, Any]:
    """A photograph with what it is and what was said."""
    truth, answer = int(shown.truth[index]), int(shown.answers[index])
    return {
        "image": _image(shown.pixels[index]),
        "truth": shown.labels[truth],
        "answer": shown.labels[answer],
        "sure": f"{shown.scores[index, answer]:.0%}",
        "style": "good" if truth == answer else "bad",
    }


def _image(pixels: Pixels) -> str:
    """A photograph, (height, width, 3) uint8 RGB, as a data URI of a small JPEG."""
    side = min(PHOTO_PX, pixels.shape[0])
    small = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", small[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")


def _weakest_first(classes: Sequence[ClassFigures]) -> list[ClassFigures]:
    """Those that occur, and then those that were only named."""
    return sorted((c for c in classes if c.support or c.predicted), key=lambda c: (not c.support, c.f1, c.label))


def _matrix(confusion: NDArray[np.int64], labels: Sequence[str]) -> dict[str, Any]:
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


def _figures(contents: Contents) -> Sequence[tuple[str, str]]:
    """Every figure of the whole by its name."""
    rows = {name.replace("_", " "): _short(value) for name, value in summary(contents.evaluation).items()}
    if contents.rejection:
        rows |= {f"rejection: {name.replace('_', ' ')}": _short(v) for name, v in contents.rejection.as_json().items()}
    for title, part in (("answered", contents.kept), ("unknown products", contents.unknown)):
        if part:
            rows |= {f"{title}: {name.replace('_', ' ')}": _short(value) for name, value in asdict(part).items()}
    return list(rows.items())


def _curves(contents: Contents) -> list[charts.Chart]:
    """Accuracy and loss of the training; nothing where one epoch, or none, is known."""
    history = [epoch for epoch in contents.history if np.isfinite([epoch.loss, epoch.validation_loss]).all()]
    if len(history) < 2:
        return []
    best = int(contents.card.get("training", {}).get("best_epoch", history[-1].epoch))
    return [charts.accuracy_curve(history, best_epoch=best), charts.loss_curve(history, best_epoch=best)]


def _rows(section: Any) -> list[tuple[str, str]]:
    """A section of a card as names and values."""
    entries = section.items() if isinstance(section, dict) else [("", section)]
    return [(str(name).replace("_", " "), _short(value)) for name, value in entries]


def _short(value: Any) -> str:
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
