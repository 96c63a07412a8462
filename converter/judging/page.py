"""What a conversion found out → one HTML page that needs nothing else: a verdict in plain words, then every figure.

The first screen is for those who run the shop, the rest for engineers. Photographs are inside as small JPEGs, charts
as SVG; there is no script, and the page asks no server for anything.
"""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from converter.judging import page_charts, page_targets, words
from converter.judging.comparison import Disagreement
from converter.judging.evidence import Evidence
from converter.judging.gate import RECALL_COUNT
from converter.judging.page_figures import (
    best,
    class_changes,
    confusions,
    disagreements,
    figures,
    in_float,
    shares,
    speeds,
)
from converter.quantizing.layers import ROUNDING
from edge_agent.shelf import SPECIAL_LABELS
from trainer.judging import charts, parts
from trainer.judging.evaluate import confusion_matrix
from trainer.judging.plots import draw_confusion
from trainer.photos.data import read

__all__ = ["confusion_png", "figures", "render"]

TEMPLATE = "page.html.jinja"
PHOTOGRAPHS_SHOWN = 24
PAIRS_SHOWN = 12
NAMES = {"keras": "as trained (Keras)", "float32": "float file (LiteRT)", "int8": "int8 file (LiteRT)"}
PLACES = {
    "short": "In short",
    "proof": "Is it proven?",
    "apart": "Where the two disagree",
    "classes": "Product by product",
    "matrix": "What is taken for what",
    "layers": "Layer by layer",
    "speed": "How fast",
    "targets": "Where it runs",
    "made": "How it was made",
}
"""The sections and their titles; those without anything to show are left out."""


def render(evidence: Evidence) -> str:
    """Write the page.

    Raises:
        InputError: A photograph that the networks disagree on cannot be opened.
        DataError: It is corrupt.
    """
    fields = _fields(evidence)
    places = [(place, title) for place, title in PLACES.items() if fields.get(place, True)]
    return parts.write(Path(__file__).with_name(TEMPLATE), {**fields, "places": places, "titles": PLACES})


def confusion_png(evidence: Evidence) -> bytes:
    """What int8 takes for what, as a picture: rows are the truth, columns the answers. A PNG."""
    with tempfile.TemporaryDirectory(prefix="shelf-convert-") as folder:
        path = Path(folder, "confusion.png")
        draw_confusion(_confusion(evidence), evidence.manifest.labels, path)
        return path.read_bytes()


def _fields(evidence: Evidence) -> dict[str, Any]:
    """What the template asks for."""
    return {
        "plot": charts,
        "manifest": evidence.manifest,
        "products": len(set(evidence.manifest.labels) - SPECIAL_LABELS),
        "bounds": evidence.bounds,
        "verdict": evidence.verdict,
        "answer": words.answer(evidence),
        "story": words.story(evidence),
        "headline": words.headline(evidence),
        "steps": words.next_steps(evidence),
        "warnings": [words.sentence(line) for line in _warnings(evidence)],
        "shares": [(name, found) for key, found in shares(evidence).items() if (name := NAMES.get(key))],
        "agreement": shares(evidence)["agreement"],
        "gauge": page_charts.drop_gauge(evidence.verdict, evidence.bounds),
        "attempts": evidence.attempts,
        "photographs": [_photograph(evidence, one) for one in disagreements(evidence)[:PHOTOGRAPHS_SHOWN]],
        "disagreeing": len(disagreements(evidence)),
        "changes": class_changes(evidence),
        "recall_count": RECALL_COUNT,
        "pairs": [pair for pair in confusions(evidence) if pair.int8][:PAIRS_SHOWN],
        "confusion": parts.matrix(_confusion(evidence), evidence.manifest.labels),
        **_engineering(evidence),
        "calibrated_with": evidence.calibrated_with,
        "made_of": list(_sheets(evidence)),
        "manifest_json": _json(evidence),
    }


def _engineering(evidence: Evidence) -> dict[str, Any]:
    """Layers, speed, targets and sizes."""
    kept, timed = in_float(evidence), speeds(evidence.latency)
    return {
        "layers": evidence.layers,
        "kept": kept,
        "rounding": ROUNDING,
        "bars": page_charts.layer_bars(evidence.layers, kept=kept) if evidence.layers else None,
        "speed": evidence.latency,
        "speeds": timed,
        "speed_charts": page_charts.speed_charts(timed),
        "targets": page_targets.sheets(evidence.targets),
        "sizes": [(name, words.size(size_bytes)) for name, size_bytes in evidence.sizes_bytes.items()],
    }


def _warnings(evidence: Evidence) -> Iterator[str]:
    """What the verdict says, and what was said while the conversion ran; each once, and no attempt's failure again."""
    verdict = evidence.verdict
    told = [failure for attempt in evidence.attempts for failure in attempt.verdict.failures]
    said = (line for line in evidence.warnings if not any(failure in line for failure in told))
    yield from dict.fromkeys((*verdict.failures, *verdict.warnings, *said))


def _photograph(evidence: Evidence, one: Disagreement) -> dict[str, Any]:
    """A photograph that is answered differently, with both answers."""
    pixels = read(evidence.answers.photos[one.index], evidence.manifest.input.size_px)
    return {**asdict(one), "image": parts.image(pixels)}


def _confusion(evidence: Evidence) -> Any:
    """Int8's counts, (classes, classes): row = truth, column = answer."""
    _, by_int8 = best(evidence.answers)
    return confusion_matrix(by_int8, evidence.answers.truth, classes=len(evidence.manifest.labels))


def _sheets(evidence: Evidence) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Tables of names and values from the manifest."""
    manifest = evidence.manifest
    network = {
        "bundle": manifest.id,
        "labels": len(manifest.labels),
        "side of a crop, px": manifest.input.size_px,
        "colour order": manifest.input.colour,
        "input byte": f"(byte − {manifest.input.zero_point}) × {manifest.input.scale:.6g}",
        "output byte": f"(byte − {manifest.output.zero_point}) × {manifest.output.scale:.6g}",
        "checked for": ", ".join(manifest.delegates),
    }
    yield "The network", parts.rows(network)
    yield "Calibration", parts.rows(manifest.calibration.model_dump(mode="json"))
    if isinstance(conversion := manifest.recipe.get("conversion"), dict):
        yield "Conversion", parts.rows(conversion)
    yield "Made with", parts.rows(manifest.versions)


def _json(evidence: Evidence) -> str:
    """The manifest to read; the card of the model is a part of it, the hashes of files are not."""
    shown = evidence.manifest.model_dump(mode="json", by_alias=True, exclude={"files"})
    return json.dumps(shown, indent=2, ensure_ascii=False)
