"""Standard TFLite metadata: what is written is read back, and the network is still the same."""

import hashlib
import importlib
import zipfile
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest

from converter.network import import_quietly
from converter.tflite import graph
from converter.tflite.metadata import Facts, labels_text, misread, read_metadata, with_metadata
from edge_agent import bundle as bundles
from edge_agent.shelf import DataError
from tests.conftest import REPO

DEMO = bundles.read(REPO / "edge_agent" / "demo" / "bundle")
FACTS = Facts(
    name="demo-shelf",
    description="Tells facings apart.",
    version="c0ffee12",
    author="shelfwatch 0.1.0",
    licence="Apache-2.0",
    labels=DEMO.manifest.labels,
)


def answers(model: bytes, crops: np.ndarray) -> np.ndarray:
    """What LiteRT answers to a batch."""
    interpreter = importlib.import_module("ai_edge_litert.interpreter").Interpreter(model_content=model)
    given, answer = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    interpreter.resize_tensor_input(given, crops.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given, crops)
    interpreter.invoke()
    return interpreter.get_tensor(answer)


@pytest.fixture(scope="module")
def float_model() -> bytes:
    """A float network of two classes for pictures of 8 px."""
    keras, tf = import_quietly("keras"), import_quietly("tensorflow")
    layers = keras.layers
    inside = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), layers.Conv2D(2, 8), layers.Flatten(), layers.Softmax()]
    )
    given = keras.Input(batch_shape=(1, 8, 8, 3))
    return tf.lite.TFLiteConverter.from_keras_model(keras.Model(given, inside(given))).convert()


def test_what_is_written_is_read_back():
    """Name, texts, labels and normalization come back as they went in; pixels go in as they are."""
    read = read_metadata(with_metadata(DEMO.model, FACTS))
    assert read is not None
    assert (read.name, read.description, read.version) == (FACTS.name, FACTS.description, FACTS.version)
    assert (read.author, read.licence, read.labels) == (FACTS.author, FACTS.licence, FACTS.labels)
    assert (read.mean, read.std, read.files, read.parser_version) == ((0.0,), (1.0,), ("labels.txt",), "1.0.0")


def test_the_network_answers_the_same_bytes_in_batches_too():
    """LiteRT loads the file with its ZIP, resizes it, and answers exactly what it answered before."""
    written, crops = with_metadata(DEMO.model, FACTS), DEMO.golden_inputs
    np.testing.assert_array_equal(answers(written, crops), answers(DEMO.model, crops))
    np.testing.assert_array_equal(answers(written, crops[:1]), answers(DEMO.model, crops[:1]))


def test_the_same_inputs_give_the_same_file_and_other_facts_another():
    """Neither the clock nor a second run shows in the file."""
    first, second = (hashlib.sha256(with_metadata(DEMO.model, FACTS)).hexdigest() for _ in range(2))
    assert first == second
    assert hashlib.sha256(with_metadata(DEMO.model, replace(FACTS, name="other"))).hexdigest() != first


def test_metadata_replaces_older_metadata():
    """A file that has metadata gets the new in its place, with one ZIP and no leftovers."""
    once = with_metadata(DEMO.model, FACTS)
    older = with_metadata(DEMO.model, replace(FACTS, name="older", labels=FACTS.labels[::-1]))
    assert with_metadata(older, FACTS) == once


def test_the_labels_lie_in_a_zip_that_is_not_compressed():
    """Readers on phones take the file as it lies there; nothing in it tells when or where it was made."""
    with zipfile.ZipFile(BytesIO(with_metadata(DEMO.model, FACTS))) as archive:
        (entry,) = archive.infolist()
        assert archive.testzip() is None
        assert archive.read(entry).decode() == labels_text(FACTS.labels)
    assert (entry.filename, entry.compress_type) == ("labels.txt", zipfile.ZIP_STORED)
    assert entry.date_time == (1980, 1, 1, 0, 0, 0)


def test_a_float_file_gets_metadata_too(float_model):
    """The float variants carry the same facts; their input is 0..255 as well, so mean 0 and deviation 1."""
    written = with_metadata(float_model, replace(FACTS, labels=("a", "b")))
    read = read_metadata(written)
    assert read is not None
    assert (read.labels, read.mean, read.std) == (("a", "b"), (0.0,), (1.0,))
    crop = np.random.default_rng(1).integers(0, 256, (1, 8, 8, 3)).astype(np.float32)
    np.testing.assert_array_equal(answers(written, crop), answers(float_model, crop))


def test_a_file_without_metadata_has_none():
    """A plain file is no error."""
    bare = graph.parse(DEMO.model)
    bare.metadata = [entry for entry in bare.metadata if entry.name != b"TFLITE_METADATA"]
    assert read_metadata(graph.packed(bare)) is None
    assert read_metadata(DEMO.model) is not None


@pytest.mark.data
def test_metadata_of_another_writer_is_read(shared_data):
    """Google's own classifier names its labels file and its normalization."""
    read = read_metadata((shared_data / "data/coral/mobilenet_v1_0.75_192_quant_edgetpu.tflite").read_bytes())
    assert read is not None
    assert (read.name, read.mean, read.std) == ("ImageClassifier", (127.5,), (127.5,))
    assert read.labels is not None
    assert (len(read.labels), read.labels[:2]) == (1001, ("background", "tench, Tinca tinca"))


def test_other_labels_than_outputs_are_refused():
    """Labels of another model never get into a file."""
    with pytest.raises(DataError, match=r"has 20 outputs, and there are 19 labels"):
        with_metadata(DEMO.model, replace(FACTS, labels=FACTS.labels[1:]))


@pytest.mark.data
def test_a_file_that_is_no_classifier_is_refused(shared_data):
    """A network with other ends than a picture and its classes is named as it is."""
    content = (shared_data / "data/coral/deeplabv3_mnv2_dm05_pascal_quant.tflite").read_bytes()
    with pytest.raises(DataError, match=r"metadata is written for one picture in and its classes out"):
        with_metadata(content, FACTS)


def test_an_int8_end_is_refused():
    """The facts say 0..255: bytes of another meaning at the ends are refused."""
    model = graph.parse(DEMO.model)
    model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]].type = 9  # INT8
    with pytest.raises(DataError, match=r"takes INT8 and gives UINT8"):
        with_metadata(graph.packed(model), FACTS)


@pytest.mark.parametrize("label", ["two\nlines", "carriage\rreturn", " ", ""])
def test_a_label_that_is_no_line_is_refused(label):
    """A label that would shift all that follow it is refused, with its name."""
    with pytest.raises(DataError, match=r"cannot be a line of labels\.txt"):
        labels_text(["fine", label])


def test_labels_are_plain_lines():
    """Each line is a label and nothing else, in the order of the outputs; odd breaks of Unicode stay within."""
    assert labels_text(["7up", "Käse", "a\u2028b"]) == "7up\nKäse\na\u2028b\n"
    odd = ("a\u2028b", *FACTS.labels[1:])
    read = read_metadata(with_metadata(DEMO.model, replace(FACTS, labels=odd)))
    assert read is not None
    assert read.labels == odd


def test_labels_that_others_take_for_a_number_are_named():
    """By pycoral `330 cola` and `7:up` are read as ids; `7up` and `cola 330` as they are."""
    labels = ("7up", "330 cola", "cola 330", "7:up", "330", "empty")
    assert misread(labels) == ("330 cola", "7:up", "330")


def test_damaged_metadata_is_one_clear_error(float_model):
    """Whichever byte of the metadata is changed: it is still read, or a DataError says that it is damaged."""
    written = with_metadata(float_model, replace(FACTS, labels=("a", "b")))
    start = written.index(b"M001") - 4
    refusals = []
    for place in range(start, written.index(b"labels.txt", start)):
        torn = bytearray(written)
        torn[place] ^= 0xFF
        try:
            read_metadata(bytes(torn))
        except DataError as error:
            refusals.append(str(error))
    assert len(refusals) > 10
    assert {refusal.partition(":")[0] for refusal in refusals} <= {
        "the metadata is damaged",
        "not a flatbuffer of b'M001'",
    }


def test_a_zip_that_is_cut_off_is_no_crash(float_model):
    """A file that lost its end has its facts still, and no labels."""
    read = read_metadata(with_metadata(float_model, replace(FACTS, labels=("a", "b")))[:-8])
    assert read is not None
    assert (read.name, read.labels, read.files) == (FACTS.name, None, ())
