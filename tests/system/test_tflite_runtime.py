"""tflite-runtime, where that is what a device has: an environment of its own, without LiteRT and without TensorFlow."""

import os
import platform
import subprocess
import sys

import pytest

from edge_agent.demo.store import BUNDLE
from tests.conftest import REPO
from tests.edge_agent.tiny_networks import build_mock, edgetpu_network, float_network, write_bundle

pytestmark = pytest.mark.system

SCRIPT = """
import importlib.util, platform, sys
from pathlib import Path
from edge_agent import bundle, delegates
from edge_agent.inference import TfliteClassifier
assert importlib.util.find_spec("ai_edge_litert") is None and importlib.util.find_spec("tensorflow") is None
demo, colours = (bundle.read(Path(path)) for path in sys.argv[1:3])
for read in (demo, colours):
    classifier = TfliteClassifier(read)
    scores = classifier.classify(read.golden_inputs)
    assert (scores.argmax(axis=1) == read.golden_outputs.argmax(axis=1)).all()
    print(classifier.runtime, platform.machine(), classifier.plan.variant)
loaded = delegates.load(colours, delegates.Wish("edgetpu", sys.argv[3])).classifier
assert abs(loaded.classify(colours.golden_inputs) - colours.golden_outputs / 256).max() < 1e-6
print(loaded.runtime, loaded.plan.delegate)
try:
    delegates.load(colours, delegates.Wish("gpu"))
except delegates.DelegateError as error:
    print(error)
"""


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="hardware: tflite-runtime has no wheels beyond Python 3.11")
def test_bundles_answer_in_tflite_runtime(tmp_path):
    """tflite-runtime is taken where LiteRT is missing: golden answers hold, on x86 with float, and delegates work."""
    venv, lock = tmp_path / "venv", REPO / "deploy" / "lock" / "tflite.txt"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    pip = [venv / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", lock]
    subprocess.run(pip, check=True)
    builds = {"model_float": float_network(), "model_edgetpu": edgetpu_network(), "model_gpu": float_network()}
    colours = write_bundle(tmp_path / "colours", **builds)
    command = [venv / "bin" / "python", "-c", SCRIPT, BUNDLE, colours, build_mock(tmp_path, "ANSWERS")]
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    on_demo, on_colours, on_mock, on_gpu = done.stdout.splitlines()
    fastest = "model_float.tflite" if platform.machine() == "x86_64" else "model.tflite"
    assert on_demo == f"tflite-runtime {platform.machine()} model.tflite"
    assert on_colours == f"tflite-runtime {platform.machine()} {fastest}"
    assert on_mock == "tflite-runtime edgetpu"
    assert on_gpu.startswith("a GPU needs LiteRT 2, and the runtime here is tflite-runtime")
