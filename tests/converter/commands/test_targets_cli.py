"""`shelf-convert --target edgetpu` where a compiler is on the PATH, from the network to a bundle that verifies.

The real compiler is a program of Coral's that no test machine has. The stand-in compiles what it is given as that one
does when it maps all but the end: one custom operator, with the options of a file that Coral compiled, takes the place
of the others. So ends, names and shapes are this very network's, and the program for the chip is another's.
"""

import json
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from converter.targets import compiler
from converter.tflite.view import view
from edge_agent.bundle import EDGETPU_FILE, read
from tests.conftest import REPO
from tests.converter.targets.parts import PAIRS, pair

Run = Callable[..., Result]

COMPILE = """\
import copy, sys
from pathlib import Path
from converter.tflite import graph
_, _, folder, given = sys.argv[1:]
model = graph.parse(Path(given).read_bytes())
coral = graph.parse(Path({coral!r}).read_bytes())
main = model.subgraphs[0]
end = next(at for at, one in enumerate(main.operators) if graph.code(model, one) == "SOFTMAX")
(program,) = coral.subgraphs[0].operators
code = coral.operatorCodes[program.opcodeIndex]
program.inputs, program.outputs = main.inputs, main.operators[end].inputs[:1]
program.opcodeIndex = len(model.operatorCodes)
model.operatorCodes.append(code)
main.operators = [program, *main.operators[end:]]
Path(folder, Path(given).stem + "_edgetpu.tflite").write_bytes(graph.packed(model))
print("Edge TPU Compiler version 16.0.384591198\\n")
print("Operator                       Count      Status\\n")
print("SOFTMAX                        1          Operation is otherwise supported, but not mapped")
"""


@pytest.fixture
def compiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A function that puts a compiler with this body (shell) on the PATH."""

    def put(body: str) -> None:
        program = tmp_path / "bin" / compiler.PROGRAM
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    return put


def convert(workshop: Any, out: Path, shelf_convert: Run) -> Result:
    """Convert the tiny network for the Edge TPU."""
    more = ("--calibration-count", 100, "--no-ladder", "--allow-unproven", "--target", "edgetpu")
    return shelf_convert(workshop.model, "--calibrate", workshop.data, "--out", out, *more)


@pytest.mark.data
def test_a_compiled_file_goes_into_the_bundle(
    workshop: Any, compiling: Callable[[str], None], shared_data: Path, shelf_convert: Run, tmp_path: Path
) -> None:
    """What the compiler made is in a bundle that verifies, is claimed, and differs from the forecast as is said."""
    (tmp_path / "coral.tflite").write_bytes(pair(shared_data, PAIRS[-1])[1])
    (tmp_path / "compile.py").write_text(COMPILE.format(coral=str(tmp_path / "coral.tflite")))
    python = shlex.join(["env", f"PYTHONPATH={REPO}", sys.executable, str(tmp_path / "compile.py")])
    compiling(f'exec {python} "$@"')
    result = convert(workshop, tmp_path / "bundle", shelf_convert)
    assert result.exit_code == 0, result.output
    assert "warning: the compiler put SOFTMAX" in result.output
    assert "on the processor; Mapped to Edge TPU was expected." in result.output

    bundle = read(tmp_path / "bundle")
    assert bundle.manifest.delegates == ("cpu", "edgetpu")
    assert {EDGETPU_FILE, "edgetpu.json"} <= bundle.manifest.files.keys()
    made = view(bundle.variants[EDGETPU_FILE])
    original = view(bundle.model)
    assert made.compiled
    assert [end.name for end in (*made.inputs, *made.outputs)] == [
        end.name for end in (*original.inputs, *original.outputs)
    ]
    kept = json.loads((tmp_path / "bundle" / "edgetpu.json").read_text())
    assert kept["compiled"]["version"] == "Edge TPU Compiler version 16.0.384591198"
    assert "SOFTMAX" in [row["code"] for row in kept["compiled"]["differences"]]
    assert len(kept["compiled"]["differences"]) == len(made.operations) - 1
    verified = shelf_convert("verify", tmp_path / "bundle")
    assert verified.exit_code == 0, verified.output
    assert f"{len(bundle.manifest.files) + 1} files" in verified.output


def test_a_compiler_that_refuses_costs_its_file_only(
    workshop: Any, compiling: Callable[[str], None], shelf_convert: Run, tmp_path: Path
) -> None:
    """A refusal is a warning in the compiler's words, which the report keeps; the bundle is whole without the file."""
    compiling('echo "Internal compiler error. Aborting!"; exit 1')
    result = convert(workshop, tmp_path / "bundle", shelf_convert)
    assert result.exit_code == 0, result.output
    said = "edgetpu_compiler cannot compile model.tflite (status 1): Internal compiler error. Aborting."
    assert f"warning: the bundle holds no file for the Edge TPU, and what is said of it is a forecast: {said}" in (
        result.output
    )
    bundle = read(tmp_path / "bundle")
    assert bundle.manifest.delegates == ("cpu",)
    assert EDGETPU_FILE not in bundle.manifest.files
    assert not (tmp_path / "bundle" / EDGETPU_FILE).exists()
    kept = json.loads((tmp_path / "bundle" / "edgetpu.json").read_text())
    assert kept["compiler_error"].startswith(said)
    assert "compiled" not in kept
    assert said in (tmp_path / "bundle" / "report.html").read_text()
    verified = shelf_convert("verify", tmp_path / "bundle")
    assert verified.exit_code == 0, verified.output
