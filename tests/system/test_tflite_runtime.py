"""tflite-runtime, where that is what a device has: an environment of its own, without LiteRT and without TensorFlow."""

import os
import subprocess
import sys

import pytest

from tests.conftest import REPO

pytestmark = pytest.mark.system

SCRIPT = """
import importlib.util, sys
from pathlib import Path
from edge_agent import bundle
from edge_agent.inference import TfliteClassifier
assert importlib.util.find_spec("ai_edge_litert") is None and importlib.util.find_spec("tensorflow") is None
read = bundle.read(Path(sys.argv[1]))
classifier = TfliteClassifier(read)
scores = classifier.classify(read.golden_inputs)
assert (scores.argmax(axis=1) == read.golden_outputs.argmax(axis=1)).all()
print(classifier.runtime, scores.shape)
"""


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="hardware: tflite-runtime has no wheels beyond Python 3.11")
def test_the_bundled_model_answers_in_tflite_runtime(tmp_path):
    """The agent takes tflite-runtime by itself where LiteRT is missing, and the golden answers hold there too."""
    venv, lock = tmp_path / "venv", REPO / "deploy" / "lock" / "tflite.txt"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    install = [
        venv / "bin" / "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--require-hashes",
        "-r",
        lock,
    ]
    subprocess.run(install, check=True)
    bundle = REPO / "edge_agent" / "demo" / "bundle"
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    done = subprocess.run(
        [venv / "bin" / "python", "-c", SCRIPT, bundle], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("tflite-runtime (")
