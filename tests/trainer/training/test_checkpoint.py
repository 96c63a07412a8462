"""What a training needs to go on is there whole or not at all, and is not mistaken for that of another."""

import json
import subprocess
import sys

import numpy as np
import pytest

from edge_agent.shelf import ConfigError, DataError
from trainer.report import Epoch
from trainer.training.checkpoint import STATE, Checkpoint, State, beside

EPOCH = Epoch(epoch=1, loss=1.5, accuracy=0.4, validation_loss=1.25, validation_accuracy=0.5, lr=0.001, seconds=2.0)
MADE_BY = {"lr": 0.001, "size_px": 32, "zoom": (0.5, 1.0), "photographs": "abc"}


def _state():
    arrays = {"model": (np.arange(3, dtype=np.float32), np.array(7, np.int64)), "best": tuple(np.eye(12))}
    return State((EPOCH,), 9, arrays)


def test_what_is_read_is_what_was_written(tmp_path):
    """Figures, plan and every array in its order, shape and type; and the history for people."""
    checkpoint = Checkpoint(beside(tmp_path / "new" / "cola.keras"), MADE_BY)
    assert checkpoint.read() is None
    checkpoint.write(_state())
    found = Checkpoint(tmp_path / "new" / "cola.keras.partial", MADE_BY).read()
    assert (found.history, found.planned) == ((EPOCH,), 9)
    assert list(found.arrays) == ["best", "model"]
    for group, values in _state().arrays.items():
        for mine, given in zip(found.arrays[group], values, strict=True):
            assert mine.dtype == given.dtype
            assert np.array_equal(mine, given)
    assert (checkpoint.folder / "history.csv").read_text().splitlines()[1] == "1,1.5,0.4,1.25,0.5,0.001,2"
    assert sorted(path.name for path in checkpoint.folder.iterdir()) == ["history.csv", STATE]
    checkpoint.remove()
    checkpoint.remove()
    assert not checkpoint.folder.exists()


def test_only_what_is_its_own_is_deleted(tmp_path):
    """A folder may be shared with somebody's notes."""
    (tmp_path / "notes.txt").write_text("mine")
    checkpoint = Checkpoint(tmp_path, MADE_BY)
    checkpoint.write(_state())
    checkpoint.remove()
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_another_recipe_is_refused_with_every_difference(tmp_path):
    """Two trainings are not mixed, and the message says what to give, or how to begin anew."""
    Checkpoint(tmp_path / "p", MADE_BY).write(_state())
    with pytest.raises(ConfigError, match=r"p holds an unfinished training.*--fresh") as caught:
        Checkpoint(tmp_path / "p", MADE_BY | {"lr": 0.1, "photographs": "abd"}).read()
    assert caught.value.problems == ("lr was 0.001, and is now 0.1", "photographs was abc, and is now abd")


@pytest.mark.parametrize("content", [b"", b"no archive", "cut short"])
def test_a_broken_file_is_named_with_the_way_out(tmp_path, content):
    """Somebody copied it badly; --fresh is the remedy, not a traceback."""
    checkpoint = Checkpoint(tmp_path, MADE_BY)
    checkpoint.write(_state())
    path = tmp_path / STATE
    path.write_bytes(path.read_bytes()[:-100] if content == "cut short" else content)
    with pytest.raises(DataError, match=r"state\.npz cannot be read .* --fresh"):
        checkpoint.read()


def test_a_file_of_another_version_is_refused(tmp_path):
    """What an update wrote is not guessed at."""
    described = json.dumps({"schema": "shelfwatch.partial/9"}).encode()
    np.savez(tmp_path / STATE, described=np.frombuffer(described, np.uint8))
    with pytest.raises(DataError, match=r"shelfwatch\.partial/9"):
        Checkpoint(tmp_path, MADE_BY).read()


def test_a_full_disk_leaves_the_epoch_before(tmp_path):
    """The operating system refuses to let a file grow: the message says what is kept, and the old file is whole."""
    checkpoint = Checkpoint(tmp_path, MADE_BY)
    checkpoint.write(_state())
    code = f"""
import resource
from pathlib import Path
import numpy as np
from edge_agent.shelf import HaltedError
from trainer.training.checkpoint import Checkpoint, State
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    Checkpoint(Path({str(tmp_path)!r}), {{}}).write(State((), 9, {{"model": (np.zeros(10_000),)}}))
except HaltedError as error:
    print(error.exit_status, error)
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.startswith(f"75 {tmp_path} cannot be written: there is no room left."), answer.stderr
    assert f"The epochs before are kept in {tmp_path}; run the same command again to go on." in answer.stdout
    assert checkpoint.read().history == (EPOCH,)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["history.csv", STATE]
