"""Files are whole, or not there."""

import errno
import os
import stat

import pytest

from edge_agent.files import write_whole


def test_a_file_takes_the_place_of_an_older_one_in_a_folder_of_its_own(tmp_path):
    """The folder is made for this user alone, and nothing else stays in it."""
    path = tmp_path / "views" / "cam1.npz"
    write_whole(path, b"old")
    write_whole(path, b"new")
    assert [(file.name, file.read_bytes()) for file in path.parent.iterdir()] == [("cam1.npz", b"new")]
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_where_the_disk_fails_the_older_file_stays(tmp_path, monkeypatch):
    """A new one that didn't reach the disk replaces nothing."""
    path = tmp_path / "cam1.jpg"
    write_whole(path, b"old")

    def full(_file):
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
