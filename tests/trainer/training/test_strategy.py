"""Many devices train as one: the same losses, one writer, and clear words where the machines are not named well."""

import json
import os
import subprocess
import sys

import pytest

from edge_agent.shelf import ConfigError
from tests.conftest import free_port, wait_for
from trainer.photos import data
from trainer.report import Unwatched
from trainer.training import fit
from trainer.training.checkpoint import STATE, beside
from trainer.training.recipe import settle
from trainer.training.strategy import assemble

OPTIONS = {"size_px": 32, "width": 0.25, "epochs": 3, "batch": 9, "seed": 1, "dropout": 0.0, "ema": 0.9}
CHILD = """
import json, sys
from pathlib import Path
import tensorflow as tf
from trainer.photos import data
from trainer.training import fit
from trainer.training.recipe import settle
from trainer.report import Unwatched
from trainer.training.run import Run
folder, options, strategy, partial = sys.argv[1:]
if strategy == "mirrored":  # two of what this machine has one of
    halves = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], halves)
run = Run(strategy=strategy, partial=Path(partial))
splits = data.load(Path(folder), seed=1)
trained = fit.fit(splits, settle("small-cnn", **json.loads(options)), watch=Unwatched(), run=run)
weights = [float(abs(value).sum()) for value in trained.model.get_weights()]
figures = [[epoch.loss, epoch.validation_loss] for epoch in trained.course.history]
print(json.dumps({"chief": trained.chief, "figures": figures, "weights": weights}))
"""


@pytest.fixture
def folder(draw_classes):
    """Photographs of two classes."""
    return draw_classes(["cola", "oat"], 12)


@pytest.fixture
def alone(folder):
    """Losses of each epoch, and sums of the weights, of a training on one device."""
    trained = fit.fit(data.load(folder, seed=1), settle("small-cnn", **OPTIONS), watch=Unwatched())
    weights = [float(abs(value).sum()) for value in trained.model.get_weights()]
    return [[epoch.loss, epoch.validation_loss] for epoch in trained.course.history], weights


def _start(folder, strategy, partial, environment):
    command = [sys.executable, "-c", CHILD, str(folder), json.dumps(OPTIONS), strategy, str(partial)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment
    )


def _answers(processes):
    """What each process printed last, when all are over."""
    try:
        said = [process.communicate(timeout=150) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert all(process.returncode == 0 for process in processes), said
    return [json.loads(out.splitlines()[-1]) for out, _ in said]


def test_two_workers_on_loopback_get_the_loss_of_one(folder, alone, tmp_path):
    """The same global batches in slices of five and four: the same losses and weights, and one of them is to write."""
    workers = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    cluster = [{"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}} for index in range(2)]
    processes = [
        _start(folder, "multi-worker", tmp_path / "p", {"TF_CONFIG": json.dumps(described)}) for described in cluster
    ]
    answers = _answers(processes)
    assert [answer["chief"] for answer in answers] == [True, False]
    figures, weights = alone
    for answer in answers:
        for mine, given in zip(answer["figures"], figures, strict=True):
            assert mine == pytest.approx(given, rel=1e-3)
        assert answer["weights"] == pytest.approx(weights, rel=1e-3)
    assert (tmp_path / "p" / "state.npz").is_file(), "the chief keeps the epochs"


def test_two_devices_of_one_machine_get_the_loss_of_one(folder, alone, tmp_path):
    """Mirrored variables, one process."""
    (answer,) = _answers([_start(folder, "mirrored", tmp_path / "p", {})])
    figures, weights = alone
    for mine, given in zip(answer["figures"], figures, strict=True):
        assert mine == pytest.approx(given, rel=1e-3)
    assert answer["weights"] == pytest.approx(weights, rel=1e-3)


def test_a_worker_that_dies_ends_the_others_with_the_way_on(folder, tmp_path):
    """The chief does not wait for ever: its epochs are kept, and its status says that the command may be run again."""
    workers = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    out = tmp_path / "m.keras"
    command = ["fit", folder, "--network", "small-cnn", "--size", 32, "--width", 0.25, "--epochs", 5000]
    command += ["--patience", 5000, "--strategy", "multi-worker", "--out", out]
    processes = []
    for index in range(2):
        described = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        program = [sys.executable, "-m", "trainer.cli", *map(str, command)]
        environment = os.environ | {"TF_CONFIG": json.dumps(described)}
        processes.append(subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment))
    chief, other = processes
    try:
        wait_for((beside(out) / STATE).is_file, timeout_s=120)
        other.kill()
        _, said = chief.communicate(timeout=120)
    finally:
        for process in processes:
            process.kill()
        other.communicate()
    assert chief.returncode == 75, said
    assert b"another worker is gone. Start all of them again. The epochs before are kept in" in said
    assert (beside(out) / STATE).is_file()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"set TF_CONFIG to \{"),
        ("{", r"TF_CONFIG is \{ .*; it must look like"),
        ('{"cluster": {}}', "it must look like"),
        (
            '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 2}}',
            r'TF_CONFIG says "worker" 2, of 2 workers; say "worker", and 0\.\.1',
        ),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "chief", "index": 0}}', 'says "chief" 0'),
    ],
)
def test_machines_that_are_not_named_well_are_told_at_once(monkeypatch, text, message):
    """Nobody waits for a machine that is not there because of a comma."""
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if text is not None:
        monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ConfigError, match=message):
        assemble("multi-worker")
