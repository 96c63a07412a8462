"""TensorFlow Lite Support, in an environment of its own: it finds what we wrote, and classifies with it."""

import json
import subprocess
import sys

import pytest

from converter.tflite import graph
from converter.tflite.metadata import Facts, labels_text, with_metadata
from edge_agent import bundle
from tests.conftest import REPO

pytestmark = pytest.mark.system
BUNDLE = REPO / "edge_agent" / "demo" / "bundle"
DEMO = bundle.read(BUNDLE)
BEFORE_3_12 = pytest.mark.skipif(
    sys.version_info >= (3, 12), reason="hardware: tflite-support has no wheels beyond Python 3.11"
)

READER = """
import json, sys
from tensorflow_lite_support.metadata.python.metadata import MetadataDisplayer, MetadataPopulator
shown = MetadataDisplayer.with_model_file(sys.argv[1])
populator = MetadataPopulator.with_model_file(sys.argv[2])
populator.load_metadata_buffer(bytearray(shown.get_metadata_buffer()))
populator.load_associated_file_buffers({"labels.txt": shown.get_associated_file_buffer("labels.txt")})
populator.populate()
theirs = MetadataDisplayer.with_model_file(sys.argv[2])
print(json.dumps({
    "ours": json.loads(shown.get_metadata_json()),
    "theirs": json.loads(theirs.get_metadata_json()),
    "files": shown.get_packed_associated_file_list(),
    "labels": shown.get_associated_file_buffer("labels.txt").decode(),
}))
"""


CLASSIFIER = """
import json, sys, types
import numpy as np
sys.modules["sounddevice"] = types.ModuleType("sounddevice")  # microphones, which it imports and pictures don't need
from tflite_support.task import vision
classifier = vision.ImageClassifier.create_from_file(sys.argv[1])
kept = [np.array(crop) for crop in np.load(sys.argv[2])["inputs"]]  # its pictures point into ours
found = [classifier.classify(vision.TensorImage.create_from_array(crop)).classifications[0] for crop in kept]
print(json.dumps([[answer.categories[0].category_name, answer.categories[0].score] for answer in found]))
"""


@pytest.fixture(scope="module")
def support(tmp_path_factory):
    """A function that runs a script where TensorFlow Lite Support is installed, and returns what it printed as JSON."""
    venv = tmp_path_factory.mktemp("support") / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    lock = REPO / "deploy" / "lock" / "tflite-support.txt"
    install = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "-r", lock]
    subprocess.run([venv / "bin" / "pip", *install], check=True)

    def run(script, *arguments):
        command = [venv / "bin" / "python", "-c", script, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture
def ours(tmp_path):
    """The demo's model with our metadata, as a file."""
    facts = Facts("demo-shelf", "Tells facings apart.", "1", "shelfwatch", "Apache-2.0", DEMO.manifest.labels)
    path = tmp_path / "ours.tflite"
    path.write_bytes(with_metadata(DEMO.model, facts))
    return path


@BEFORE_3_12
def test_its_reader_finds_what_we_wrote(support, ours, tmp_path):
    """Names, colours, normalization, range and labels are those that we wrote, and its own writer agrees with ours."""
    theirs = tmp_path / "theirs.tflite"
    bare = graph.parse(DEMO.model)
    bare.metadata = [entry for entry in bare.metadata if entry.name != b"TFLITE_METADATA"]
    theirs.write_bytes(graph.packed(bare))
    found = support(READER, ours, theirs)
    assert found["theirs"] == found["ours"]  # the oldest reader that it works out for itself is the one that we name
    assert found["files"] == ["labels.txt"]
    assert found["labels"] == labels_text(DEMO.manifest.labels)
    model = found["ours"]
    assert (model["name"], model["description"], model["license"]) == (
        "demo-shelf",
        "Tells facings apart.",
        "Apache-2.0",
    )
    (subgraph,) = model["subgraph_metadata"]
    (image,), (probability,) = subgraph["input_tensor_metadata"], subgraph["output_tensor_metadata"]
    assert image["content"]["content_properties"] == {
        "color_space": "RGB",
        "default_size": {"width": 96, "height": 96},
    }
    assert image["process_units"] == [
        {"options_type": "NormalizationOptions", "options": {"mean": [0.0], "std": [1.0]}},
    ]
    assert image["stats"] == probability["stats"] == {"max": [255.0], "min": [0.0]}
    assert probability["associated_files"][0]["name"] == "labels.txt"
    assert probability["associated_files"][0]["type"] == "TENSOR_AXIS_LABELS"


@BEFORE_3_12
def test_its_image_classifier_answers_with_our_labels(support, ours):
    """Its C++ classifier takes labels and input from our metadata: each golden crop gets the label that it must."""
    found = support(CLASSIFIER, ours, BUNDLE / "golden.npz")
    winners = DEMO.golden_outputs.argmax(axis=1)
    assert [label for label, _ in found] == [DEMO.manifest.labels[winner] for winner in winners]
    probabilities = DEMO.golden_outputs.max(axis=1) * DEMO.manifest.output.scale
    assert [score for _, score in found] == pytest.approx(probabilities, abs=2.01 * DEMO.manifest.output.scale)
