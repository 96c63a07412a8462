"""The model card of a bundle: what a network is, what it was made of, what it can and cannot do. Markdown, pure.

Its headings are those of "Model Cards for Model Reporting" (M. Mitchell et al., FAT* 2019) as people know them from
model hubs, with the fields at the top that those read. Everything in it stands in the bundle's manifest.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from converter.markdown import bullets, code, plain, table
from edge_agent.bundle import EDGETPU_FILE, FLOAT_FILE, GOLDEN_FILE, GPU_FILE, MODEL_FILE, Manifest
from edge_agent.shelf import EMPTY, OCCLUDED, SPECIAL_LABELS

WORST_SHOWN = 8
SURE_Z = 1.96
"""Standard deviations on both sides of a mean that hold 95 % of a normal distribution."""
_FILES = {
    MODEL_FILE: "int8, uint8 RGB in, uint8 probabilities out, any batch",
    FLOAT_FILE: "the same in float32, for runtimes without int8 kernels and as the reference",
    GPU_FILE: "float16 weights, for a GPU",
    EDGETPU_FILE: "compiled for the Edge TPU, batch of 1",
    GOLDEN_FILE: "inputs, and what the models must answer to them",
    "labels.txt": "the labels, in the order of the outputs",
    "labelmap.txt": "the same for Frigate's custom classification (which takes pictures of 224 px only)",
    "LICENSE": "the licence",
    "report.html": "how the conversion went, with pictures",
    "report.json": "the same for programs",
    "confusion.png": "which labels are taken for which",
    "edgetpu.json": "what the Edge TPU would take of it",
}


def model_card(manifest: Manifest, licence: str | None = None) -> str:
    """The text of MODEL_CARD.md.

    Args:
        manifest: Of the bundle, with the hashes of the files that it should mention.
        licence: The text of the licence that the network comes under, None where nobody stated one.
    """
    sections = (
        ("", [*_top(manifest, licence), f"# {manifest.id}", "", _in_short(manifest)]),
        ("Labels", _labels(manifest)),
        ("Intended use", _use(manifest)),
        ("How it was trained", _training(manifest)),
        ("How it was converted", _conversion(manifest)),
        ("Figures", _figures(manifest)),
        ("Where it is weak", _weak(manifest)),
        ("Limits", _limits(manifest)),
        *([("Files", _files(manifest))] if manifest.files else []),
        ("Licence", _licence(licence)),
    )
    parts = ("\n".join([f"## {title}", "", *lines] if title else lines) for title, lines in sections)
    return "\n\n".join(parts) + "\n"


def interval(share: float, count: int) -> tuple[float, float]:
    """Between which bounds (0..1) the true share lies, 19 times in 20, if it was `share` among `count`.

    E. B. Wilson's score interval, Journal of the American Statistical Association 22 (1927), 209-212.

    >>> [round(bound, 3) for bound in interval(0.9, 100)]
    [0.826, 0.945]
    """
    square = SURE_Z**2 / count
    middle = share + square / 2
    width = SURE_Z * math.sqrt(share * (1 - share) / count + square / (4 * count))
    return max(0.0, (middle - width) / (1 + square)), min(1.0, (middle + width) / (1 + square))


def _top(manifest: Manifest, licence: str | None) -> Iterator[str]:
    """What model hubs read; JSON strings are YAML strings as well."""
    yield "---"
    yield "pipeline_tag: image-classification"
    yield "library_name: litert"
    yield f"model_name: {json.dumps(manifest.id)}"
    yield "tags: [shelf, retail, int8, tflite]"
    if licence is not None:
        yield "license: other"
        yield f"license_name: {json.dumps(_first_line(licence))}"
    yield "---"
    yield ""


def _in_short(manifest: Manifest) -> str:
    metrics = manifest.metrics
    return (
        f"Says what stands in one place of a shelf: one of {len(manifest.labels)} labels, from a crop of"
        f" {manifest.input.size_px} × {manifest.input.size_px} pixels. As int8 it is right for"
        f" {_percent(metrics.int8_top1)} of {metrics.count} held-out photographs; that int8 is as good as float is"
        f" {'proven' if metrics.proven else '**not proven**'} (see the figures)."
    )


def _labels(manifest: Manifest) -> list[str]:
    products = [label for label in manifest.labels if label not in SPECIAL_LABELS]
    lines = [f"{len(products)} products: {', '.join(code(label) for label in products)}."]
    for label, means in ((EMPTY, "nothing stands there"), (OCCLUDED, "something hides the place")):
        if label in manifest.labels:
            lines.append(f"{code(label)}: {means}.")
        else:
            lines.append(f"There is no {code(label)}: it cannot say that {means}.")
    return bullets(lines)


def _use(manifest: Manifest) -> list[str]:
    size = manifest.input.size_px
    return bullets(
        [
            (
                "For shelf-agent, which cuts each facing out of a fixed camera's picture, asks this network about it,"
                " and counts what was seen clearly and more than once."
            ),
            (
                f"Elsewhere: give it (batch, {size}, {size}, 3) bytes, RGB in 0..255, a crop stretched to that size;"
                " rescaling is in the network. It gives a byte per label, probability ="
                f" (byte − {manifest.output.zero_point}) × {manifest.output.scale:g}."
            ),
            (
                "Not for people, prices, dates or labels that must be read, and not where a wrong count does harm"
                " without anybody looking."
            ),
        ]
    )


def _training(manifest: Manifest) -> list[str]:
    recipe, card = _table(manifest.recipe, "training"), _table(manifest.recipe, "card")
    data, course = _table(card, "data"), _table(card, "training")
    lines = []
    if data.get("train") is not None:
        lines.append(
            f"Photographs: {plain(data['train'])} to train, {plain(data.get('validation', 'none'))} to validate."
        )
    else:
        lines.append("How many photographs it was trained on is not stated.")
    if "sha256" in data:
        lines.append(f"sha256 of these photographs: {code(data['sha256'])}.")
    if "epochs" in course:
        lines.append(
            f"Epochs: {plain(course['epochs'])}, of which {plain(course.get('best_epoch', '?'))} was the best."
        )
    lines.append(
        "With: " + ", ".join(f"{plain(name)} {code(value)}" for name, value in recipe.items()) if recipe else ""
    )
    lines.append("Made with " + ", ".join(f"{name} {value}" for name, value in manifest.versions.items()) + ".")
    return bullets(lines)


def _conversion(manifest: Manifest) -> list[str]:
    calibration = manifest.calibration
    conversion = _table(manifest.recipe, "conversion")
    lines = [
        f"{calibration.count} photographs set the ranges of int8; sha256 of their pixels: {code(calibration.sha256)}.",
        "With: " + ", ".join(f"{plain(name)} {code(value)}" for name, value in conversion.items())
        if conversion
        else "",
        f"Checked for: {', '.join(manifest.delegates)}.",
    ]
    return bullets(lines)


def _figures(manifest: Manifest) -> list[str]:
    metrics = manifest.metrics
    drop = 100 * (metrics.float_top1 - metrics.int8_top1)
    bound = metrics.drop_bound_points
    rows = [
        ("float", _percent(metrics.float_top1), _between(metrics.float_top1, metrics.count)),
        ("int8", _percent(metrics.int8_top1), _between(metrics.int8_top1, metrics.count)),
        ("same answer", _percent(metrics.agreement), _between(metrics.agreement, metrics.count)),
    ]
    proof = (
        f"int8 loses {drop:.2f} points"
        + ("." if bound is None else f", and with 95 % certainty at most {bound:.2f}.")
        + (
            " That is proven."
            if metrics.proven
            else " **Not proven**: these photographs do not show that it is more than luck."
        )
    )
    return [
        (
            f"On {metrics.count} held-out photographs, through the agent's preprocessing. For photographs like these"
            " the true share lies in the interval 19 times in 20."
        ),
        "",
        *table(("", "right (top-1)", "95 % interval"), rows),
        "",
        proof,
    ]


def _weak(manifest: Manifest) -> list[str]:
    metrics = manifest.metrics
    found = sorted(metrics.int8_recall.items(), key=lambda entry: (entry[1], entry[0]))
    worst = [(label, share) for label, share in found if share < 1][:WORST_SHOWN]
    unseen = [label for label in manifest.labels if label not in metrics.int8_recall]
    lines = ["Of the held-out photographs of each label, so many were recognized, the worst first.", ""]
    rows = [(code(label), _percent(share), _percent(metrics.float_recall.get(label))) for label, share in worst]
    lines += table(("label", "int8", "float"), rows) if worst else []
    if others := found[len(worst) :]:
        least = min(share for _, share in others)
        which = f"the other {len(others)} labels" if worst else f"all {len(others)} labels"
        said = f"Every photograph of {which} was recognized." if least == 1 else f"{which}: {_percent(least)} or more."
        lines += ["", said[0].upper() + said[1:]]
    if unseen:
        lines += [
            "",
            f"Never tested, as no photograph was held out: {', '.join(code(label) for label in unseen)}.",
        ]
    return lines


def _limits(manifest: Manifest) -> list[str]:
    rejection = _table(_table(manifest.recipe, "card"), "rejection")
    unknown = _table(_table(_table(manifest.recipe, "card"), "metrics"), "unknown")
    lines = [
        "It sees facings, not units: what stands behind the first pack is not counted.",
        "A product that is not among the labels is taken for one that is"
        + (
            f", unless the answer is less sure than {plain(rejection['threshold'])} and is rejected."
            if isinstance(rejection.get("threshold"), float | int)
            else "."
        ),
        (
            "The figures hold for photographs like those above. Another camera, light, shop or packaging can be worse,"
            " and a changed package is a new product: photograph it, and train again."
        ),
        "The probabilities of int8 come in steps; two labels may share the first place.",
    ]
    if {"photographs", "auroc"} <= unknown.keys():
        lines.append(
            f"Tried on {plain(unknown['photographs'])} photographs of unknown products: a known one was surer than"
            f" an unknown one in {_percent(unknown['auroc'])} of all pairs."
        )
    return bullets(lines)


def _files(manifest: Manifest) -> list[str]:
    rows = [(code(name), _FILES.get(name, ""), code(found[:16])) for name, found in sorted(manifest.files.items())]
    return table(("file", "what it is", "sha256 begins"), rows)


def _licence(licence: str | None) -> list[str]:
    if licence is None:
        return [
            "Nobody stated one. Ask whoever made the network, and whoever made the photographs, before passing it on."
        ]
    fence = "`" * (1 + max([2, *(len(run) for run in re.findall(r"`+", licence))]))
    return [f"{fence}text", licence.strip(), fence]


def _table(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A table within a table of the recipe, empty where there is none: what is in it is whatever the trainer wrote."""
    found = values.get(name)
    return found if isinstance(found, dict) else {}


def _percent(share: Any) -> str:
    return f"{share:.1%}" if isinstance(share, float | int) else "–"


def _between(share: float, count: int) -> str:
    low, high = interval(share, count)
    return f"{low:.1%} to {high:.1%}"


def _first_line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "")
