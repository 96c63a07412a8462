"""An exam of a network → one HTML page that needs nothing else: for those who run the shop, and for engineers.

Photographs are inside as small JPEGs, charts as SVG; the page asks no server for anything.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.judging import charts, parts, words
from trainer.judging.evaluate import ClassFigures, Evaluation, reliability, summary
from trainer.judging.gallery import Shown
from trainer.judging.mistakes import Pair, confused_pairs, examples, worst
from trainer.judging.rejection import Kept, Rejection, Unknown, coverage, score_of
from trainer.report import Epoch

Pixels = NDArray[np.uint8]

TEMPLATE = "page.html.jinja"
PAIRS_SHOWN = 8
SHOWN_OF_PAIR = 3
ERRORS_SHOWN = 24
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
    return parts.write(Path(__file__).with_name(TEMPLATE), _fields(contents))


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
        "looks": [{**_photo(shown, look.index), "overlay": parts.image(look.overlay)} for look in contents.looks],
        "sureness": [
            charts.reliability_chart(
                reliability(shown.scores, shown.truth), calibration_error=evaluation.calibration_error
            ),
            charts.coverage_chart(curve, rejection=contents.rejection),
        ],
        "classes": _weakest_first(evaluation.classes),
        "groups": _weakest_first(evaluation.coarse.classes) if evaluation.coarse else [],
        "matrix": parts.matrix(evaluation.confusion, shown.labels),
        "figures": list(_figures(contents)),
        "curves": _curves(contents),
        "sheets": [(title, parts.rows(contents.card[key])) for key, title in SECTIONS.items() if key in contents.card],
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
        "wrong": [parts.image(shown.pixels[index]) for index in wrong],
        "others": [parts.image(shown.pixels[index]) for index in others],
    }


def _photo(shown: Shown, index: int) -> dict[str, Any]:
    """A photograph with what it is and what was said."""
    truth, answer = int(shown.truth[index]), int(shown.answers[index])
    return {
        "image": parts.image(shown.pixels[index]),
        "truth": shown.labels[truth],
        "answer": shown.labels[answer],
        "sure": f"{shown.scores[index, answer]:.0%}",
        "style": "good" if truth == answer else "bad",
    }


def _weakest_first(classes: Sequence[ClassFigures]) -> list[ClassFigures]:
    """Those that occur, and then those that were only named."""
    return sorted((c for c in classes if c.support or c.predicted), key=lambda c: (not c.support, c.f1, c.label))


def _figures(contents: Contents) -> Sequence[tuple[str, str]]:
    """Every figure of the whole by its name."""
    rows = {name.replace("_", " "): parts.short(value) for name, value in summary(contents.evaluation).items()}
    if contents.rejection:
        rows |= {
            f"rejection: {name.replace('_', ' ')}": parts.short(v) for name, v in contents.rejection.as_json().items()
        }
    for title, part in (("answered", contents.kept), ("unknown products", contents.unknown)):
        if part:
            rows |= {f"{title}: {name.replace('_', ' ')}": parts.short(value) for name, value in asdict(part).items()}
    return list(rows.items())


def _curves(contents: Contents) -> list[charts.Chart]:
    """Accuracy and loss of the training; nothing where one epoch, or none, is known."""
    history = [epoch for epoch in contents.history if np.isfinite([epoch.loss, epoch.validation_loss]).all()]
    if len(history) < 2:
        return []
    best = int(contents.card.get("training", {}).get("best_epoch", history[-1].epoch))
    return [charts.accuracy_curve(history, best_epoch=best), charts.loss_curve(history, best_epoch=best)]
