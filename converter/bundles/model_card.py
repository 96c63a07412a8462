"""The model card of a bundle: what a network is, what it was made of, what it can and cannot do. Markdown, pure.

Its headings are those of "Model Cards for Model Reporting" (M. Mitchell et al., FAT* 2019) as people know them from
model hubs, with the fields at the top that those read. Everything in it stands in the bundle's manifest.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from converter.bundles.markdown import bullets, code, plain, table
from converter.judging.comparison import share as share_of
from edge_agent.bundle import EDGETPU_FILE, FLOAT_FILE, GOLDEN_FILE, GPU_FILE, MODEL_FILE, Manifest
from edge_agent.shelf import EMPTY, OCCLUDED, SPECIAL_LABELS

WORST_SHOWN = 8
FRIGATE_PX = 224
"""The one size that Frigate's custom classification asks about."""
TUNED = "quantization-aware"
"""How the recipe of a network begins that was trained on for int8."""
_FILES = {
    MODEL_FILE: "int8, uint8 RGB in, uint8 probabilities out, any batch",
    FLOAT_FILE: "the network as trained, in float32, for runtimes without int8 kernels and as the reference",
    GPU_FILE: "float16 weights, for a GPU",
    EDGETPU_FILE: "compiled for the Edge TPU, batch of 1",
    GOLDEN_FILE: "inputs, and what the models must answer to them",
    "labels.txt": "the labels, in the order of the outputs",
    "labelmap.txt": "the same, under the name that Frigate's custom classification looks for",
    "LICENSE": "the licence",
    "MODEL_CARD.md": "this text",
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
        ("Intended use", bullets(_use(manifest))),
        ("How it was trained", bullets(_training(manifest))),
        ("How it was converted", bullets(_conversion(manifest))),
        ("Figures", _figures(manifest)),
        ("Where it is weak", _weak(manifest)),
        ("Limits", bullets(_limits(manifest))),
        *([("Files", _files(manifest))] if manifest.files else []),
        ("Licence", _licence(licence)),
    )
    parts = ("\n".join([f"## {title}", "", *lines] if title else lines) for title, lines in sections)
    return "\n\n".join(parts) + "\n"


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


def _use(manifest: Manifest) -> Iterator[str]:
    size, output = manifest.input.size_px, manifest.output
    yield (
        "For shelf-agent, which cuts each facing out of a fixed camera's picture, asks this network about it, and"
        " counts what was seen clearly and more than once."
    )
    yield (
        f"Elsewhere: give it (batch, {size}, {size}, 3) bytes, RGB in 0..255, a crop stretched to that size; rescaling"
        f" is in the network. It gives a byte per label, probability = (byte − {output.zero_point}) × {output.scale:g}."
    )
    fits = "can take it, with its labelmap.txt" if size == FRIGATE_PX else f"takes {FRIGATE_PX} px, so it does not fit"
    yield f"Frigate's custom classification {fits}."
    yield (
        "Not for people, prices, dates or labels that must be read, and not where a wrong count does harm without"
        " anybody looking."
    )


def _training(manifest: Manifest) -> Iterator[str]:
    recipe, card = _table(manifest.recipe, "training"), _table(manifest.recipe, "card")
    data, course = _table(card, "data"), _table(card, "training")
    if data.get("train") is None:
        yield "How many photographs it was trained on is not stated."
    else:
        yield f"Photographs: {plain(data['train'])} to train, {plain(data.get('validation', 'none'))} to validate."
    if data.get("validation") == manifest.metrics.count:
        yield (
            "The figures below rest on as many photographs as chose its best epoch; if they are the same ones, they"
            " flatter it a little."
        )
    if "sha256" in data:
        yield f"sha256 of these photographs: {code(data['sha256'])}."
    if "epochs" in course:
        yield f"Epochs: {plain(course['epochs'])}, of which {plain(course.get('best_epoch', '?'))} was the best."
    if recipe:
        yield _settings(recipe)
    yield (
        "Made with " + ", ".join(f"{plain(name)} {plain(version)}" for name, version in manifest.versions.items()) + "."
    )


def _conversion(manifest: Manifest) -> Iterator[str]:
    calibration, settings = manifest.calibration, _table(manifest.recipe, "conversion")
    yield f"{calibration.count} photographs set the ranges of int8; sha256 of their pixels: {code(calibration.sha256)}."
    if settings:
        yield _settings(settings)
    if kept := settings.get("in_float"):
        stay = "1 layer stays" if len(kept) == 1 else f"{len(kept)} layers stay"
        yield f"{stay} in float32, as int8 lost too much there; so {code(MODEL_FILE)} is for the processor only."
    if str(settings.get("made", "")).startswith(TUNED):
        yield from _tuned(manifest)
    yield f"Has a build for: {', '.join(manifest.delegates)}."


def _tuned(manifest: Manifest) -> Iterator[str]:
    """Which file holds the fine-tuned network, and which don't."""
    yield f"{code(MODEL_FILE)} was trained on for a while, with int8's rounding in it, before it was converted."
    for name in sorted({FLOAT_FILE, GPU_FILE} & manifest.files.keys()):
        yield f"{code(name)} is the network as trained, without that."


def _settings(settings: Mapping[str, Any]) -> str:
    return "With: " + ", ".join(f"{plain(name)} {code(value)}" for name, value in settings.items())


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
        which = f"the other {len(others)} labels" if worst else f"all {len(others)} labels"
        lines += ["", _summed_up(which, [share for _, share in others])]
    if found:
        each = metrics.count / len(found)
        moves = f"one moves such a share by {100 / each:.0f} points"
        lines += ["", f"There are {each:.0f} photographs for a label on average: {moves}."]
    if unseen:
        lines += [
            "",
            f"Never tested, as no photograph was held out: {', '.join(code(label) for label in unseen)}.",
        ]
    return lines


def _summed_up(which: str, shares: Sequence[float]) -> str:
    """A sentence about the labels that are not listed."""
    if min(shares) == 1:
        return f"Every photograph of {which} was recognized."
    middle = sorted(shares)[(len(shares) - 1) // 2]
    return f"Of {which} {_percent(min(shares))} to {_percent(max(shares))}; half of them {_percent(middle)} or less."


def _limits(manifest: Manifest) -> Iterator[str]:
    card = _table(manifest.recipe, "card")
    threshold = _table(card, "rejection").get("threshold")
    unknown = _table(_table(card, "metrics"), "unknown")
    yield "It sees facings, not units: what stands behind the first pack is not counted."
    rejects = f", unless the answer is less sure than {threshold:.3g} and is rejected" if _is_number(threshold) else ""
    yield f"A product that is not among the labels is taken for one that is{rejects}."
    if {"photographs", "auroc"} <= unknown.keys():
        yield (
            f"Tried on {plain(unknown['photographs'])} photographs of unknown products: a known one was surer than an"
            f" unknown one in {_percent(unknown['auroc'])} of all pairs."
        )
    yield (
        "The figures hold for photographs like those above. Another camera, light, shop or packaging can be worse, and"
        " a changed package is a new product: photograph it, and train again."
    )
    yield "The probabilities of int8 come in steps; two labels may share the first place."


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


def _is_number(value: Any) -> bool:
    return isinstance(value, float | int)


def _percent(share: Any) -> str:
    return f"{share:.1%}" if _is_number(share) else "–"


def _between(share: float, count: int) -> str:
    found = share_of(round(share * count), count)
    return f"{found.low:.1%} to {found.high:.1%}"


def _first_line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "")
