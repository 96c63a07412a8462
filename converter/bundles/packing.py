"""What goes into a bundle beside the model: what other tools and people read, the licence, the signature."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from converter.bundles import keys
from converter.bundles.model_card import model_card
from converter.bundles.writing import hashes, models
from converter.judging import page, page_figures
from converter.judging.evidence import Evidence
from converter.load import Trained
from converter.tflite.metadata import LABELMAP_FILE, LABELS_FILE, Facts, labels_text
from edge_agent.bundle import Bundle
from edge_agent.shelf import DataError, InputError

LICENCE_FILE, CARD_FILE, CONFUSION_FILE = "LICENSE", "MODEL_CARD.md", "confusion.png"
REPORT_FILE, FIGURES_FILE, EDGETPU_REPORT = "report.html", "report.json", "edgetpu.json"


@dataclass(frozen=True, slots=True)
class Wrapping:
    """The licence's text, None where none was given, and what makes the signature of a manifest's bytes."""

    licence: str | None
    sign: Callable[[bytes], bytes] | None


def wrapping(*, licence: Path | None, key: Path | None, warn: Callable[[str], None]) -> Wrapping:
    """Read licence and key before the slow work.

    Raises:
        InputError: One of them is not there, or cannot be read.
        DataError: The licence is no text, or the key is not one that signs.
    """
    sign = None
    if key is not None:
        private = keys.read_private_key(key)
        if warning := keys.exposed(key):
            warn(warning)

        def sign(manifest: bytes) -> bytes:
            return keys.sign(manifest, private)

    return Wrapping(None if licence is None else _text(licence), sign)


def facts(trained: Trained, *, name: str | None, licence: str | None) -> Facts:
    """What a TFLite file says of itself, in the standard metadata; the same for the same network."""
    first_line = (licence or "").strip().partition("\n")[0]
    return Facts(
        name=name or trained.path.stem,
        description=f"Tells {len(trained.labels)} kinds of crops apart, {trained.size_px} px RGB.",
        version=trained.sha256[:8],
        author=f"shelf-convert {version('shelfwatch')}",
        licence=first_line or "not stated",
        labels=trained.labels,
    )


def files(bundle: Bundle, evidence: Evidence, wrapped: Wrapping, *, slim: bool) -> dict[str, bytes]:
    """The contents of all files of a bundle by name, but for the manifest and its signature.

    Args:
        bundle: Verified, with all builds.
        evidence: What was found out.
        wrapped: Licence and signature.
        slim: Only what the agent needs, labels, model card and licence: no float build, no report.
    """
    labels = labels_text(bundle.manifest.labels).encode()
    found = {**models(bundle), LABELS_FILE: labels, LABELMAP_FILE: labels}
    if wrapped.licence is not None:
        found[LICENCE_FILE] = wrapped.licence.encode()
    if not slim:
        found[REPORT_FILE] = page.render(evidence).encode()
        found[FIGURES_FILE] = _json(page_figures.figures(evidence))
        found[CONFUSION_FILE] = page.confusion_png(evidence)
        if "edgetpu" in evidence.targets:
            found[EDGETPU_REPORT] = _json(evidence.targets["edgetpu"])
    listed = bundle.manifest.model_copy(update={"files": hashes(found)})
    return {**found, CARD_FILE: model_card(listed, wrapped.licence).encode()}


def _json(content: Any) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{path}: the licence cannot be read ({error.strerror}). Give --licence a text file."
        ) from error
    except ValueError as error:
        raise DataError(f"{path}: not a text in UTF-8 ({error}). Give --licence a text file.") from error
