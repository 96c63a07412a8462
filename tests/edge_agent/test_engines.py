"""Engines: every build of a network says the same, and which one suits a processor is known."""

import os
import sys

import numpy as np
import pytest

from edge_agent import bundle, engines
from edge_agent.bundle import EDGETPU_FILE, FLOAT_FILE, GPU_FILE, MODEL_FILE
from edge_agent.engines import Compiled, Network
from edge_agent.inference import TfliteClassifier
from edge_agent.shelf import BundleError, DelegateError
from tests.edge_agent.tiny_networks import (
    SIZE_PX,
    byte_network,
    edgetpu_network,
    float_network,
    pictures,
    probabilities,
    write_bundle,
)


@pytest.fixture(scope="module")
def colours(tmp_path_factory):
    """A bundle of a network in uint8, in float32, and for a GPU."""
    folder = tmp_path_factory.mktemp("colours")
    return bundle.read(write_bundle(folder / "bundle", model_float=float_network(), model_gpu=float_network()))


@pytest.mark.parametrize("variant", [MODEL_FILE, FLOAT_FILE, GPU_FILE])
@pytest.mark.parametrize("count", [0, 1, 7, 15])
def test_every_build_says_the_same_in_any_batch(colours, variant, count):
    """uint8 crops lead to the same probabilities whichever file runs, within the steps of a byte."""
    classifier = TfliteClassifier(colours, variant=variant)
    crops = pictures(count)
    scores = classifier.classify(crops)
    assert (scores.dtype, scores.shape) == (np.float32, (count, 3))
    np.testing.assert_allclose(scores, probabilities(crops), atol=1e-5 if variant != MODEL_FILE else 0.5 / 256 + 1e-6)


def test_a_float_build_sees_crops_as_they_are(colours):
    """Bytes are handed over as 0..255, not as 0..1, and crops that lie scattered in memory are no others."""
    crops = pictures(30)[::2]
    scores = TfliteClassifier(colours, variant=FLOAT_FILE).classify(crops)
    np.testing.assert_allclose(scores, probabilities(np.ascontiguousarray(crops)), atol=1e-5)


@pytest.mark.parametrize(
    ("runtime", "machine", "expected"),
    [
        ("litert", "x86_64", MODEL_FILE),
        ("litert", "aarch64", MODEL_FILE),
        ("tflite-runtime", "x86_64", FLOAT_FILE),
        ("tflite-runtime", "i686", FLOAT_FILE),
        ("tflite-runtime", "armv7l", MODEL_FILE),
        ("tflite-runtime", "aarch64", MODEL_FILE),
    ],
)
def test_float_runs_where_a_runtime_has_no_kernels_for_int8(colours, runtime, machine, expected):
    """tflite-runtime on x86 takes float by itself; everything else, and a bundle without float, takes int8."""
    assert engines.suits_cpu(colours, runtime, machine) == expected
    plain = bundle.Bundle(
        colours.manifest, colours.model, colours.model_sha256, colours.golden_inputs, colours.golden_outputs
    )
    assert engines.suits_cpu(plain, runtime, machine) == MODEL_FILE


def test_all_cores_that_the_process_may_use_are_used(colours):
    """Without a word about threads there are as many as cores, be it that other cores are not for us."""
    allowed = os.sched_getaffinity(0)
    assert TfliteClassifier(colours).plan.threads == len(allowed)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert TfliteClassifier(colours).plan.threads == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert TfliteClassifier(colours, threads=3).plan.threads == 3


@pytest.mark.parametrize("more", [{"runtime": "litert"}, {"threads": 1}, {"variant": FLOAT_FILE}])
def test_a_plan_is_never_mixed_with_what_it_says_itself(colours, more):
    """A runtime, threads or build given beside a plan are refused, not passed over."""
    plan = engines.plan_for_cpu(colours, threads=2)
    assert TfliteClassifier(colours, plan=plan).plan == plan
    with pytest.raises(ValueError, match="give it, or those, not both"):
        TfliteClassifier(colours, plan=plan, **more)


def test_a_build_that_is_not_there_is_named(colours):
    """The message lists what there is."""
    with pytest.raises(BundleError, match=r'"colours" has no model_edgetpu\.tflite, only model\.tflite, model_float'):
        TfliteClassifier(colours, variant=EDGETPU_FILE)


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("model_float", byte_network(), "input uint8, output uint8, both must be float32"),
        ("model", float_network(), "input float32, output float32, both must be uint8"),
        ("model_float", b"TFL3" * 99, "does not load in litert"),
        ("model_edgetpu", edgetpu_network(), "unresolved custom op: edgetpu-custom-op"),
    ],
)
def test_a_file_under_the_wrong_name_does_not_load(tmp_path, file, content, words):
    """A build must take and give what its name says, and a compiled one does not run on a CPU."""
    read = bundle.read(write_bundle(tmp_path, **{file: content}))
    with pytest.raises(BundleError, match=words):
        TfliteClassifier(read, variant=f"{file}.tflite")


def test_a_network_of_other_classes_does_not_load(colours):
    """A file whose answers are not as many as the labels is refused when it is loaded."""
    wanted = Network("three", byte_network(), SIZE_PX, classes=4)
    with pytest.raises(BundleError, match=r"it answers \[8, 3\] to 8 crops, not \[8, 4\]"):
        engines.load(wanted, engines.plan_for_cpu(colours))


def test_a_compiled_model_says_the_same_one_by_one():
    """The way to a GPU, LiteRT's CompiledModel, gives the same answers; here on the CPU, which it can use too."""
    engine = Compiled(Network("colours", float_network(), SIZE_PX, 3), "CPU")
    crops = pictures(5)
    np.testing.assert_allclose(engine.answer(crops), probabilities(crops), atol=1e-5)
    assert engine.answer(crops[:0]).shape == (0, 3)


def test_a_compiled_model_takes_float_only():
    """A GPU's build with other ends than float32 is refused before it is fed."""
    with pytest.raises(ValueError, match=r"uint8 \[1, 16, 16, 3\] where float32 \[1, 16, 16, 3\] is expected"):
        Compiled(Network("colours", byte_network(), SIZE_PX, 3), "CPU")


def test_a_gpu_without_litert_2_is_told_apart(monkeypatch, colours):
    """Where LiteRT is one without a CompiledModel, the message says what a GPU needs."""
    monkeypatch.setitem(sys.modules, "ai_edge_litert.compiled_model", None)
    plan = engines.Plan(GPU_FILE, "litert", 1, "gpu")
    with pytest.raises(DelegateError, match="a GPU needs LiteRT 2, which is not installed"):
        engines.load(engines.network(colours, GPU_FILE), plan)
