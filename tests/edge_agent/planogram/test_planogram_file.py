"""The configuration file as a program changes it: whole or not at all, with mode and owner, and mended."""

import os
import stat

import pytest

from edge_agent.planogram.file import UnwritableError, look, mend, obstacle, store

OLD, NEW = b"a = 1\n" * 300, b"b = 22\n" * 400


@pytest.fixture
def file(tmp_path):
    """A configuration of somebody's, which its group may write."""
    path = tmp_path / "etc" / "agent.toml"
    path.parent.mkdir()
    path.write_bytes(OLD)
    path.chmod(0o660)
    return path


@pytest.fixture
def device(file, tmp_path, monkeypatch):
    """The same on a device: its folder is not ours, and systemd gave us one that is."""
    state = tmp_path / "state"
    state.mkdir()
    monkeypatch.setenv("STATE_DIRECTORY", f"{state}:/elsewhere")
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != file.parent and real(path, mode))
    return state


def test_a_new_file_takes_the_place_of_the_old_one_which_is_kept(file):
    """Mode and owner stay, and the last good one lies beside it."""
    if os.geteuid() == 0:
        os.chown(file, 1234, 4321)
    before = file.stat()
    store(file, NEW, before=look(file))
    after = file.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert file.read_bytes() == NEW
    assert (file.parent / "agent.toml.bak").read_bytes() == OLD
    assert stat.S_IMODE((file.parent / "agent.toml.bak").stat().st_mode) == 0o660
    assert sorted(each.name for each in file.parent.iterdir()) == ["agent.toml", "agent.toml.bak"]


def test_in_a_folder_of_roots_the_file_itself_is_written(file, device):
    """It stays the same file, nothing is made beside it, and the last good one lies in our own folder."""
    inode = file.stat().st_ino
    for content in (NEW, OLD, b"short\n"):
        store(file, content, before=look(file))
        assert file.read_bytes() == content
    assert file.stat().st_ino == inode
    assert [each.name for each in file.parent.iterdir()] == ["agent.toml"]
    assert [each.name for each in device.iterdir()] == ["agent.toml.bak"]


@pytest.mark.parametrize(("old", "new"), [(OLD, NEW), (NEW, OLD)])
@pytest.mark.parametrize("written", [512, 1024])
def test_what_a_loss_of_power_left_half_written_is_finished(file, device, old, new, written):
    """At the next start the file is what was to be saved."""
    (device / "agent.toml.bak").write_bytes(old)
    (device / "agent.toml.saving").write_bytes(new)
    file.write_bytes(new[:written] + old[written:])
    mend(file)
    assert file.read_bytes() == new
    assert not (device / "agent.toml.saving").exists()
    mend(file)


@pytest.mark.parametrize("found", [OLD, NEW, b"by = 'hand'\n" * 200])
def test_a_file_that_is_whole_or_somebody_elses_is_left_alone(file, device, found):
    """The old one, the new one, and one that was edited since."""
    (device / "agent.toml.bak").write_bytes(OLD)
    (device / "agent.toml.saving").write_bytes(NEW)
    file.write_bytes(found)
    mend(file)
    assert file.read_bytes() == found


def test_what_stands_in_the_way_is_told_with_the_remedy(file, tmp_path, monkeypatch):
    """No file, a link, a file that is gone, one that is read-only, a folder that is."""
    assert obstacle(file) is None
    assert "without a configuration file" in obstacle(None)
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    assert "is a link to" in obstacle(link)
    assert "Put it back" in obstacle(tmp_path / "gone.toml")
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != file and real(path, mode))
    assert "may not be written by the agent" in obstacle(file)
    monkeypatch.setattr(os, "access", lambda path, mode: path != file.parent and real(path, mode))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    assert "nothing may be written into the folder" in obstacle(file)
    with pytest.raises(UnwritableError, match="nothing may be written"):
        store(file, NEW, before=look(file))
    assert file.read_bytes() == OLD


def test_a_disk_that_is_full_leaves_the_file_as_it_was(file, device, monkeypatch):
    """Whatever was written of it by then is taken back."""
    real, calls = os.fsync, []

    def full(fd):
        calls.append(fd)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        real(fd)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UnwritableError, match="No space left on device"):
        store(file, NEW, before=look(file))
    assert file.read_bytes() == OLD
    assert (device / "agent.toml.bak").read_bytes() == OLD
