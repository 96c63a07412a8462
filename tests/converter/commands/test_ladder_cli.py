"""The ladder: a network that suffers in int8 is mended by itself, and what the bundle says of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer.testing import Result

from edge_agent.bundle import read

Run = Callable[..., Result]


def test_the_worst_layers_in_float_mend_a_network(
    uneven: Callable[[float], Path], workshop: Any, shelf_convert: Run, tmp_path: Path
) -> None:
    """Each rung is told, the one that passes is in manifest, report and card, and the bundle verifies."""
    out = tmp_path / "bundle"
    strict = ("--max-drop", 0, "--min-agreement", 0.99, "--allow-unproven")
    result = shelf_convert(uneven(100), "--calibrate", workshop.data, "--calibration-count", 120, *strict, "--out", out)
    said = " ".join(result.output.split())
    assert result.exit_code == 0, result.output
    assert "warning: 120 photographs to calibrate with: " in said
    assert "warning: 153 photographs to calibrate with: " in said
    assert "worst layers in float" in said.partition("made with")[2]
    bundle = read(out)
    conversion = bundle.manifest.recipe["conversion"]
    assert conversion["in_float"]
    assert "worst layers in float" in conversion["made"]
    assert bundle.manifest.metrics.agreement >= 0.95
    attempts = json.loads((out / "report.json").read_text())["attempts"]
    assert [attempt["passed"] for attempt in attempts] == [False, False, True]
    assert "float" in (out / "MODEL_CARD.md").read_text()
    verified = shelf_convert("verify", out)
    assert verified.exit_code == 0, verified.output
