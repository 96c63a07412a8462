"""Delegates, with a mock that is to LiteRT what libedgetpu is: tried in a process of its own, then loaded or refused.

The mock is compiled from `mock_delegate/mock_delegate.c`. A GPU is hidden from LiteRT, so that all machines are alike.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from edge_agent import bundle, delegates, engines, trial
from edge_agent.bundle import EDGETPU_FILE, GPU_FILE, MODEL_FILE
from edge_agent.delegates import Wish
from edge_agent.shelf import DelegateError
from edge_agent.trial import try_out
from tests.edge_agent.tiny_networks import (
    build_mock,
    edgetpu_network,
    float_network,
    pictures,
    probabilities,
    write_bundle,
)

TIMEOUT_S = 2.5
CAUSES = {
    "NO_DEVICE": r"no Edge TPU answers \(.*no device found\)\. Plug it in",
    "REFUSES": r"is compiled for the Edge TPU, and .*libmock_refuses\.so does not take it",
    "CLAIMS_NOTHING": r"does not take it \(.*unresolved custom op: edgetpu-custom-op.*Name libedgetpu's file",
    "DIES_LOADING": r"died of SIGABRT: the driver \(.*\) is not for this runtime \(another ABI\)\. Install one that is",
    "DIES_RUNNING": r"died of SIGABRT: the driver",
    "HANGS": r"did not answer within 2\.5 s when it was tried\. Unplug it",
    "LIES": r"does not answer on the Edge TPU as it did.*names another class for 6 of 6\. Don't count with it",
    "NO_DELEGATE": r"is a library, but no delegate \(.*undefined symbol.*Name libedgetpu's file as delegate_library",
    "MISSING": r"is missing, or cannot be loaded \(.*cannot open shared object file.*Install libedgetpu",
}


@pytest.fixture(scope="module")
def mock(tmp_path_factory):
    """A function that gives the library with a behaviour, compiled once; MISSING is none."""
    folder, built = tmp_path_factory.mktemp("mocks"), {}

    def library(behaviour: str) -> str:
        if behaviour == "MISSING":
            return str(folder / "libedgetpu.so.1")
        if behaviour not in built:
            built[behaviour] = str(build_mock(folder, behaviour))
        return built[behaviour]

    return library


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A bundle with a build for the Edge TPU."""
    return bundle.read(write_bundle(tmp_path_factory.mktemp("compiled"), model_edgetpu=edgetpu_network()))


@pytest.fixture(scope="module")
def for_gpu(tmp_path_factory):
    """A bundle with a build for a GPU."""
    return bundle.read(write_bundle(tmp_path_factory.mktemp("gpu"), model_gpu=float_network()))


@pytest.fixture
def no_gpu(monkeypatch):
    """Hide every Vulkan driver."""
    for name in ("VK_DRIVER_FILES", "VK_ICD_FILENAMES"):
        monkeypatch.setenv(name, "/nonexistent")


@pytest.mark.parametrize("delegate", ["auto", "edgetpu"])
def test_an_edge_tpu_that_is_there_answers(compiled, mock, delegate):
    """The compiled build runs in the delegate, any number of crops one by one, and nothing needs to be said."""
    loaded = delegates.load(compiled, Wish(delegate, mock("ANSWERS")))
    assert (loaded.classifier.plan.delegate, loaded.classifier.plan.variant) == ("edgetpu", EDGETPU_FILE)
    assert loaded.note is None
    crops = pictures(5)
    np.testing.assert_allclose(loaded.classifier.classify(crops), probabilities(crops), atol=1 / 256)


@pytest.mark.parametrize("behaviour", CAUSES)
def test_an_edge_tpu_that_is_asked_for_never_falls_back(compiled, mock, behaviour):
    """Each way to fail ends with status 3, and a message with its cause and what to do; this process lives on."""
    with pytest.raises(DelegateError, match=f'{CAUSES[behaviour]}.*Or set delegate = "auto"') as caught:
        delegates.load(compiled, Wish("edgetpu", mock(behaviour), timeout_s=TIMEOUT_S if behaviour == "HANGS" else 30))
    assert caught.value.exit_status == 3


@pytest.mark.parametrize("behaviour", ["NO_DEVICE", "DIES_RUNNING", "LIES", "MISSING"])
def test_auto_falls_back_to_the_cpu_and_says_why(compiled, mock, behaviour):
    """It counts with the build for the CPU, and the note holds the cause."""
    loaded = delegates.load(compiled, Wish("auto", mock(behaviour)))
    assert (loaded.classifier.plan.delegate, loaded.classifier.plan.variant) == ("cpu", MODEL_FILE)
    assert re.search(f"The Edge TPU is not used: .*{CAUSES[behaviour]}", loaded.note or "")
    crops = pictures(5)
    np.testing.assert_allclose(loaded.classifier.classify(crops), probabilities(crops), atol=1 / 256)


def test_an_edge_tpu_that_goes_between_trial_and_loading_is_one_that_is_not_there(compiled, mock, monkeypatch):
    """What held a moment ago in the other process may fail in this one: the same error, and the same way back."""
    monkeypatch.setenv("MOCK_DELEGATE_AWAY", str(os.getpid()))
    with pytest.raises(DelegateError, match="no device found"):
        delegates.load(compiled, Wish("edgetpu", mock("AWAY")))
    loaded = delegates.load(compiled, Wish("auto", mock("AWAY")))
    assert loaded.classifier.plan.delegate == "cpu"
    assert "no device found" in (loaded.note or "")


def test_an_edge_tpu_that_stops_answering_ends_with_status_3(compiled, mock):
    """Pulled out while it counts, it gives an error with a remedy rather than wrong counts."""
    classifier = delegates.load(compiled, Wish("edgetpu", mock("ANSWERS"))).classifier
    white = np.full((1, *pictures().shape[1:]), 255, np.uint8)
    with pytest.raises(DelegateError, match=r"the Edge TPU has stopped answering \(.*device is gone.*Check its cable"):
        classifier.classify(white)


@pytest.mark.parametrize(("delegate", "file"), [("edgetpu", EDGETPU_FILE), ("gpu", GPU_FILE)])
def test_a_bundle_without_the_build_that_is_asked_for(tmp_path, delegate, file):
    """The message names the file and the option of the converter that makes it."""
    read = bundle.read(write_bundle(tmp_path))
    with pytest.raises(DelegateError, match=f'"colours" has no {file}.*Convert it with --target {delegate}'):
        delegates.load(read, Wish(delegate))


@pytest.mark.parametrize("delegate", ["auto", "cpu"])
def test_nothing_is_tried_or_said_without_need(tmp_path, monkeypatch, delegate):
    """A bundle for CPUs, or a wish for the CPU, starts no process and leaves no note."""
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    more = {} if delegate == "auto" else {"model_edgetpu": edgetpu_network(), "model_gpu": float_network()}
    loaded = delegates.load(bundle.read(write_bundle(tmp_path, **more)), Wish(delegate))
    assert (loaded.classifier.plan.delegate, loaded.note) == ("cpu", None)


@pytest.mark.usefixtures("no_gpu")
def test_a_gpu_that_is_not_there_is_an_error_where_it_is_asked_for(for_gpu):
    """What LiteRT says of it stands in the message: there is no falling back inside CompiledModel either."""
    with pytest.raises(
        DelegateError, match=r"LiteRT finds no GPU that runs model_gpu\.tflite.*LiteRT says: .+\."
    ) as caught:
        delegates.load(for_gpu, Wish("gpu"))
    assert "litert_compiled_model.h" not in str(caught.value)


@pytest.mark.usefixtures("no_gpu")
def test_a_gpu_is_not_tried_where_it_cannot_pay(for_gpu, monkeypatch):
    """Below a millisecond per crop `auto` stays on the CPU; above it, it goes on to try the GPU."""
    loaded = delegates.load(for_gpu, Wish())
    assert loaded.classifier.plan.delegate == "cpu"
    assert re.search(r"The GPU is not used: the CPU takes \S+ ms per crop, and below 1 ms", loaded.note or "")
    monkeypatch.setattr(delegates, "GPU_PAYS_ABOVE_MS", 0.0)
    loaded = delegates.load(for_gpu, Wish())
    assert "The GPU is not used: LiteRT finds no GPU" in (loaded.note or "")


def test_a_gpu_never_runs_in_another_runtime_than_the_one_that_is_named(for_gpu, monkeypatch):
    """With tflite-runtime a GPU is an error where it is asked for, and not tried by `auto`, which says why."""
    monkeypatch.setitem(engines._MODULES, "tflite-runtime", engines._MODULES["litert"])  # the same interpreter, renamed
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    words = r"a GPU needs LiteRT 2, and the runtime here is tflite-runtime\. .*pip install ai-edge-litert"
    with pytest.raises(DelegateError, match=words):
        delegates.load(for_gpu, Wish("gpu", runtime="tflite-runtime"))
    loaded = delegates.load(for_gpu, Wish(runtime="tflite-runtime"))
    assert (loaded.classifier.plan.delegate, loaded.classifier.runtime) == ("cpu", "tflite-runtime")
    assert re.search(f"The GPU is not used: {words}", loaded.note or "")


def test_an_accelerator_that_is_no_faster_is_not_used(compiled, mock):
    """The trial's time decides: a delegate that holds, but is slower than its rival, is turned down."""
    wish = Wish("auto", mock("ANSWERS"))
    cpu = engines.plan_for_cpu(compiled)
    plan = delegates._plan(compiled, cpu, wish, "edgetpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delegates, "_ms_to_beat", lambda *_: 1e-9)
        with pytest.raises(DelegateError, match=r"it takes \S+ ms per crop, the CPU 1e-09 ms"):
            delegates._accelerated(compiled, plan, wish, rival=cpu)
        patch.setattr(delegates, "_ms_to_beat", lambda *_: 1e9)
        assert delegates._accelerated(compiled, plan, wish, rival=cpu).plan == plan


def test_a_trial_gives_answers_and_time(compiled):
    """The other process answers as this one would, whatever its libraries print."""
    tried = try_out(
        engines.network(compiled, MODEL_FILE), engines.plan_for_cpu(compiled), compiled.golden_inputs, timeout_s=30
    )
    assert tried.answers.dtype == np.uint8
    np.testing.assert_allclose(tried.answers, compiled.golden_outputs, atol=1)
    assert 0 < tried.ms_per_crop < 100


def test_a_trial_needs_no_place_to_stand(compiled, tmp_path, monkeypatch):
    """It runs from any folder, and imports nothing that lies there."""
    (tmp_path / "numpy.py").write_text("raise SystemExit('a trap')")
    (tmp_path / "edge_agent").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    plan = engines.plan_for_cpu(compiled)
    try_out(engines.network(compiled, MODEL_FILE), plan, compiled.golden_inputs)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (
            "echo no firmware >&2; exit 9",
            r"without an answer, with status 9 and the last word \"no firmware\"\. Install",
        ),
        ("exit 0", r"without an answer, with status 0 and the last word \"\"\."),
        ("kill -9 $$", "was killed, as happens when memory runs out"),
        (None, r"no process to try the CPU in can be started \(.*No such file"),
    ],
)
def test_a_trial_that_ends_otherwise_is_no_crash_of_ours(compiled, tmp_path, monkeypatch, script, words):
    """A driver that calls exit, a process that is killed or none at all: each has its own words."""
    python = tmp_path / "python"
    if script is not None:
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(DelegateError, match=words):
        try_out(engines.network(compiled, MODEL_FILE), engines.plan_for_cpu(compiled), compiled.golden_inputs)


def test_a_hanging_trial_is_gone_afterwards(compiled, mock):
    """No process is left behind that holds the device."""
    plan = delegates._plan(compiled, engines.plan_for_cpu(compiled), Wish(library=mock("HANGS")), "edgetpu")
    began_s = time.monotonic()
    with pytest.raises(DelegateError, match="did not answer"):
        try_out(engines.network(compiled, EDGETPU_FILE), plan, compiled.golden_inputs, timeout_s=TIMEOUT_S)
    assert time.monotonic() - began_s < TIMEOUT_S + 5
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text(encoding="ascii").split()
    assert not [child for child in children if b"edge_agent.trial" in _command(child)]


def test_a_trial_that_cannot_be_ended_is_not_waited_for(compiled, mock, monkeypatch):
    """A process that waits inside a driver outlives its killing: that is said in time, with its number."""
    stuck = []

    def unheard(process):
        stuck.append(process)

    monkeypatch.setattr(subprocess.Popen, "kill", unheard)
    monkeypatch.setattr(trial, "ENDING_S", 0.3)
    plan = delegates._plan(compiled, engines.plan_for_cpu(compiled), Wish(library=mock("HANGS")), "edgetpu")
    began_s = time.monotonic()
    try:
        with pytest.raises(DelegateError, match=r"process \d+, which tried it, cannot be ended.*Restart") as caught:
            try_out(engines.network(compiled, EDGETPU_FILE), plan, compiled.golden_inputs, timeout_s=TIMEOUT_S)
        assert time.monotonic() - began_s < TIMEOUT_S + 3
        assert f"process {stuck[0].pid}," in str(caught.value)
        assert b"edge_agent.trial" in _command(str(stuck[0].pid))
    finally:
        for process in stuck:
            process.send_signal(signal.SIGKILL)
            process.wait()


def _command(process: str) -> bytes:
    """The command line of a process, empty where it has ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""
