"""Whether results can be written is found out by trying."""

from pathlib import Path

import pytest

from edge_agent.shelf import InputError
from trainer.place import check_file, check_folder, refuse_folder


def test_trying_leaves_nothing_behind(tmp_path):
    """Missing folders are tried, not made, and what lies there stays as it is."""
    (tmp_path / "old.keras").write_text("mine")
    check_file(tmp_path / "new" / "deeper" / "m.keras")
    check_file(tmp_path / "old.keras")
    check_folder(tmp_path)
    check_folder(tmp_path / "new" / "report")
    assert [path.name for path in tmp_path.iterdir()] == ["old.keras"]


def test_every_kind_of_refusal_is_an_input_error(tmp_path):
    """Places that no permission tells of are refused with the reason: no disk, a file above, a long name, a ring."""
    (tmp_path / "file").touch()
    (tmp_path / "ring").symlink_to("ring")
    for place in ("/proc/x/m.keras", tmp_path / "file" / "m.keras", tmp_path / ("m" * 300), tmp_path / "ring" / "m"):
        with pytest.raises(InputError, match=r"cannot be written .*Name a place"):
            check_file(tmp_path / place)
    with pytest.raises(InputError, match="cannot be written"):
        check_folder(tmp_path / "file")


def test_the_message_names_the_option_that_was_given(tmp_path):
    """Of several places on one command line, the one that cannot be used is told; a folder is no file."""
    with pytest.raises(InputError, match=r"^--saliency is /proc/x, which cannot be written"):
        check_folder(Path("/proc/x"), option="--saliency")
    with pytest.raises(InputError, match=r"^--vectors is .*, which is a folder\. Name a file in it\."):
        refuse_folder(tmp_path, option="--vectors")
    refuse_folder(tmp_path / "new.npz")
