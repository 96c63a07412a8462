"""The folder of crops: bounded, never without what a person labelled, and whole after every crash."""

import logging
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest

from edge_agent.review.crop import About, Guess, about_of, with_about
from edge_agent.review.store import DISCARDED, WAITING, Store
from edge_agent.shelf import DataError, InputError

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
PNG = cv2.imencode(".png", np.arange(40 * 30 * 3, dtype=np.uint8).reshape(40, 30, 3))[1].tobytes()


def about(n=0, *, slot="r1c1", day=0):
    """What is known of the n-th crop."""
    at = NOW + timedelta(seconds=n, days=day)
    return About("cam1", "a1", slot, "cola", at, "tie", (Guess("cola", 0.5), Guess("milk", 0.4)), "9f2c")


def filled(root, count, *, max_bytes=2**20, per_day=1000, day=0):
    """A store with so many crops."""
    store = Store(root, max_bytes=max_bytes, per_day=per_day)
    store.scan()
    for n in range(count):
        store.add(about(n, day=day), with_about(PNG, about(n, day=day)))
    return store


def names(store, folder):
    """The crops in a folder, the newest first."""
    return [crop.name for crop in store.crops() if crop.folder == folder]


def test_a_crop_says_itself_what_is_known_of_it():
    """It stands in the PNG, which every reader of pictures still reads."""
    png = with_about(PNG, about())
    assert about_of(png[:1000]) == about()
    seen, made = (cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_COLOR) for one in (png, PNG))
    assert (seen == made).all()
    assert about_of(PNG) is None


def test_labels_are_folders_and_an_empty_class_is_removed(tmp_path):
    """A label moves the file into its class; taking it back leaves no class without a picture."""
    store = filled(tmp_path / "review", 3)
    first, second, _ = names(store, WAITING)
    assert store.label([first, second], " oat milk ") == [first, second]
    assert sorted(path.name for path in (tmp_path / "review" / "oat milk").iterdir()) == sorted([first, second])
    assert store.label([first], "oat milk") == []
    undone = store.undo()
    assert {name for name, _ in undone.before} == {first, second}
    assert not (tmp_path / "review" / "oat milk").exists()
    assert store.undo() is None


def test_a_discarded_crop_can_be_taken_back(tmp_path):
    """It is out of sight, not gone, until its room is needed."""
    store = filled(tmp_path / "review", 1)
    [name] = names(store, WAITING)
    store.discard([name])
    assert names(store, DISCARDED) == [name]
    store.undo()
    assert names(store, WAITING) == [name]


@pytest.mark.parametrize("label", ["", "..", "a/b", ".hidden", "train", "Test", "ocluded", "x" * 130, "two\nlines"])
def test_what_cannot_be_a_class_is_refused(tmp_path, label):
    """No label leaves the folder, hides, is nearly a special one, or names a part of a data set."""
    store = filled(tmp_path / "review", 1)
    with pytest.raises(DataError):
        store.label(names(store, WAITING), label)
    assert len(names(store, WAITING)) == 1


def test_a_crop_that_is_moved_during_a_scan_is_never_lost(tmp_path):
    """A person labels and takes back while the folder is read anew: each crop stays known, and its picture is there."""
    store = filled(tmp_path / "review", 20)
    everything, done = set(names(store, WAITING)), threading.Event()

    def scan():
        while not done.is_set():
            store.scan()

    with ThreadPoolExecutor(1) as pool:
        scanning = pool.submit(scan)
        try:
            for name in sorted(everything) * 10:
                store.label([name], "cola")
                assert about_of(store.png(name)) is not None
                store.undo()
                assert {crop.name for crop in store.crops()} == everything
        finally:
            done.set()
        scanning.result()
    assert set(names(store, WAITING)) == everything


def test_a_name_that_is_no_crop_is_refused(tmp_path):
    """A request names crops, not paths."""
    store = filled(tmp_path / "review", 1)
    (tmp_path / "secret.png").write_bytes(PNG)
    with pytest.raises(InputError):
        store.png("../secret.png")
    with pytest.raises(InputError):
        store.label([*names(store, WAITING), "../secret.png"], "cola")
    assert len(names(store, WAITING)) == 1


def test_the_oldest_without_a_label_go_first_and_labelled_ones_never(tmp_path, caplog):
    """Discarded ones make room first, then those that have waited longest; what is labelled stays, and that is said."""
    size = len(with_about(PNG, about()))
    store = filled(tmp_path / "review", 10, max_bytes=10 * size + 200)
    newest, *_, oldest = names(store, WAITING)
    store.discard([newest])
    store.label([oldest], "cola")
    store.add(about(100), with_about(PNG, about(100)))
    assert names(store, DISCARDED) == []
    store.add(about(101), with_about(PNG, about(101)))
    assert names(store, "cola") == [oldest]
    assert store.figures(NOW).waiting == 9
    store.label(names(store, WAITING), "milk")
    with caplog.at_level(logging.WARNING):
        assert not store.add(about(102), with_about(PNG, about(102)))
        assert not store.add(about(103), with_about(PNG, about(103)))
    figures = store.figures(NOW)
    assert figures.full
    assert figures.labels == {"cola": 1, "milk": 9}
    assert not store.wants(NOW)
    assert caplog.text.count("no more are kept") == 1


def test_a_day_has_its_share_even_after_a_restart(tmp_path):
    """No more than `per_day` are kept in a day, whatever is done with them; the next day has its own."""
    store = filled(tmp_path / "review", 8, per_day=5)
    assert store.figures(NOW).today == 5
    again = filled(tmp_path / "review", 0, per_day=5)
    assert not again.wants(NOW)
    assert again.wants(NOW + timedelta(days=1))


def test_a_clock_that_jumps_deletes_nothing(tmp_path):
    """Where all that waits is too old at once it is the clock that is wrong; one old crop goes."""
    store = filled(tmp_path / "review", 6)
    store.tidy(NOW + timedelta(days=4000), days=30)
    assert len(names(store, WAITING)) == 6
    store.add(about(0, day=-40), with_about(PNG, about(0, day=-40)))
    store.tidy(NOW, days=30)
    assert len(names(store, WAITING)) == 6


def test_what_a_person_moves_by_hand_is_taken_as_it_lies(tmp_path):
    """The files are what is true: sorted in a file manager, and odd files beside them, all is well."""
    store = filled(tmp_path / "review", 2)
    name = names(store, WAITING)[0]
    (tmp_path / "review" / "tea").mkdir()
    (tmp_path / "review" / WAITING / name).rename(tmp_path / "review" / "tea" / name)
    (tmp_path / "review" / "tea" / "notes.txt").write_text("x")
    (tmp_path / "review" / "tea" / "odd.png").write_bytes(b"no picture")
    (tmp_path / "review" / WAITING / "cut.part").write_bytes(b"half")
    store.scan()
    assert store.figures(NOW).labels == {"tea": 2}
    assert not (tmp_path / "review" / WAITING / "cut.part").exists()


def _add_until_killed(root, ready):
    store = Store(root, max_bytes=2**24, per_day=10**6)
    store.scan()
    n = len(store.crops())
    begun = n
    while True:
        store.add(about(n), with_about(PNG, about(n)))
        n += 1
        if n == begun + 20:
            ready.set()


def test_kill_9_while_writing_leaves_whole_pictures(tmp_path):
    """Cut off in the middle of writing: every PNG that is there is whole."""
    root, context = tmp_path / "review", multiprocessing.get_context("spawn")
    ready = context.Event()
    child = context.Process(target=_add_until_killed, args=(root, ready))
    child.start()
    assert ready.wait(30)
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    files = list((root / WAITING).glob("*.png"))
    assert len(files) >= 20
    assert all(cv2.imread(str(file)) is not None and about_of(file.read_bytes()) is not None for file in files)
    assert len(filled(root, 0).crops()) == len(files)
