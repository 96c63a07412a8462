"""The process that asks for golden answers, and the ways in which it dies."""

import signal
from pathlib import Path

import pytest

from converter.judging import golden
from edge_agent.shelf import DataError
from tests.conftest import REPO

DEMO = REPO / "edge_agent" / "demo" / "bundle"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (int(signal.SIGKILL), "was killed, as happens when memory runs out.*Free memory, and verify it again"),
        (int(signal.SIGSEGV), r"crashed the runtime \(SIGSEGV\). Convert it anew"),
        (signal.SIGRTMIN + 3, rf"crashed the runtime \(signal {signal.SIGRTMIN + 3}\)"),
    ],
)
def test_what_ended_the_process_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    """Memory that ran out is not blamed on the model, a crash is, and a signal without a name is a number."""
    (tmp_path / "sitecustomize.py").write_text(f"import os\nos.kill(os.getpid(), {number})\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(DataError, match=words):
        golden.check(DEMO)
