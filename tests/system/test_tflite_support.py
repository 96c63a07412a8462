"""TensorFlow Lite Support's own reader, in an environment of its own: it finds in our files what we wrote."""

import json
import subprocess
import sys

import pytest

from converter.tflite.metadata import Facts, labels_text, with_metadata
from edge_agent import bundle
from tests.conftest import REPO

pytestmark = pytest.mark.system

SCRIPT = """
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


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="hardware: tflite-support has no wheels beyond Python 3.11")
def test_tensorflow_lite_support_reads_what_we_wrote(tmp_path):
    """Names, colours, normalization, range and labels are those that we wrote, and its own writer agrees with ours."""
    read = bundle.read(REPO / "edge_agent" / "demo" / "bundle")
    facts = Facts("demo-shelf", "Tells facings apart.", "1", "shelfwatch", "Apache-2.0", read.manifest.labels)
    ours, theirs = tmp_path / "ours.tflite", tmp_path / "theirs.tflite"
    ours.write_bytes(with_metadata(read.model, facts))
    theirs.write_bytes(read.model)

    found = _read_by_support(tmp_path / "venv", ours, theirs)
    assert found["theirs"] == found["ours"]  # the oldest reader that it works out for itself is the one that we name
    assert found["files"] == ["labels.txt"]
    assert found["labels"] == labels_text(read.manifest.labels)
    model = found["ours"]
    assert (model["name"], model["description"], model["license"]) == ("demo-shelf", facts.description, "Apache-2.0")
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


def _read_by_support(venv, *models):
    """What its reader says of the first file, and of the second after its own writer has filled it."""
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    lock = REPO / "deploy" / "lock" / "tflite-support.txt"
    install = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "-r", lock]
    subprocess.run([venv / "bin" / "pip", *install], check=True)
    done = subprocess.run([venv / "bin" / "python", "-c", SCRIPT, *models], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
