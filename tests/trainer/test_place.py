"""Whether results can be written is found out by trying."""

import pytest

from edge_agent.shelf import InputError
from trainer.place import check_file, check_folder


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
