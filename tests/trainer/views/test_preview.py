"""`shelf-train augment`: a picture of what training will see."""

import os
import struct
import subprocess
import sys

import cv2
import numpy as np
import pytest

from edge_agent.regions import whole
from tests.trainer.command import status_of
from trainer.views.augment import Jitter, scaled
from trainer.views.effects import STORE
from trainer.views.preview import CAPTION_PX, GAP_PX, MARGIN_PX, Strip, alone, sheet

SIDE = 128


def _cell(paper, row, column):
    """A picture of the upper part of the sheet, RGB."""
    top = MARGIN_PX + 3 * CAPTION_PX + row * (CAPTION_PX + SIDE + 2 * GAP_PX)
    left = MARGIN_PX + column * (SIDE + GAP_PX)
    return paper[top : top + SIDE, left : left + SIDE, ::-1]


def test_the_picture_shows_each_photograph_as_it_is_and_views_of_it(draw_classes, tmp_path, capfd):
    """The first of a row is exactly what the network sees on the device; the others are different from it and more."""
    folder = draw_classes(["cola", "oat"], 6)
    out = tmp_path / "new" / "preview.png"
    arguments = ("augment", folder, "--preview", out, "--photographs", 2, "--views", 3, "--size", SIDE)
    assert status_of(*arguments) == 0
    assert f"wrote {out}: 2 photographs, 3 views of each, 16 changes alone" in capfd.readouterr().out
    paper = cv2.imread(str(out))
    plains = [whole(cv2.imread(str(path)), size_px=SIDE) for path in folder.rglob("*.png")]
    for row in range(2):
        first, *views = (_cell(paper, row, column) for column in range(4))
        assert any(np.array_equal(first, plain) for plain in plains)
        assert len({picture.tobytes() for picture in (first, *views)}) == 4
    assert not np.array_equal(_cell(paper, 0, 0), _cell(paper, 1, 0))

    before = out.read_bytes()
    assert status_of(*arguments) == 0
    assert out.read_bytes() == before


def test_strength_nought_shows_the_photograph_itself(draw_classes, tmp_path):
    """What the network would see without augmentation can be seen as well."""
    out = tmp_path / "preview.png"
    options = ("--views", 2, "--photographs", 1, "--strength", 0, "--no-flip", "--size", SIDE)
    assert status_of("augment", draw_classes(["cola", "oat"], 4), "--preview", out, *options) == 0
    paper = cv2.imread(str(out))
    for column in (1, 2):
        assert np.array_equal(_cell(paper, 0, 0), _cell(paper, 0, column))


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--preview", "p.jpg"], 78, "must end in .png"),
        (["--preview", "/dev/null/p.png"], 66, "cannot be written"),
        (["--preview", "p.png", "--strength", "3"], 78, "--strength is 3; it must lie in 0..2"),
        (["--preview", "p.png", "--strength", "nan"], 78, "--strength is nan"),
        (["--preview", "p.png", "--views", "0"], 78, "--views is 0"),
        (["--preview", "p.png", "--crop", "1.5"], 78, "--crop is 1.5; it must lie in 0.1..1"),
        (["--preview", "p.png", "--effects", "-1"], 78, "--effects is -1"),
        (["--preview", "p.png", "--photographs", "99", "--size", "9"], 78, "--size is 9"),
    ],
)
def test_mistakes_are_named_before_any_work(draw_classes, tmp_path, capfd, monkeypatch, options, status, message):
    """Each wrong option is named with its value and what it may be, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    assert status_of("augment", draw_classes(["cola", "oat"], 3), *options) == status
    said = capfd.readouterr()
    assert message in said.err
    assert "reading" not in said.out
    assert not list(tmp_path.glob("*.png"))


def test_photographs_that_cannot_be_read_are_named(draw_classes, tmp_path, capfd):
    """With nothing to show there is no picture, and the reason is said."""
    folder = draw_classes(["cola", "oat"], 3)
    for path in folder.rglob("*.png"):
        path.write_bytes(b"no picture")
    assert status_of("augment", folder, "--preview", tmp_path / "p.png") == 65
    said = capfd.readouterr()
    assert "left out" in said.out
    assert "can be read" in said.err
    assert not (tmp_path / "p.png").exists()


def test_each_change_is_named_with_how_much_of_it_there_is():
    """A person can compare what is seen with the figures."""
    captions = [caption for caption, _ in alone(scaled(Jitter(shelf=STORE), 2))]
    assert "rotation: up to 20°" in captions
    assert "glare: 30% of the views" in captions
    assert "mirror: never" in [caption for caption, _ in alone(Jitter(flip=False))]


def test_the_preview_takes_the_figures_of_fit(draw_classes, tmp_path):
    """What is asked for by the names of fit is what is drawn: no effects and no crop leave less to see."""
    folder = draw_classes(["cola", "oat"], 4)
    common = ("--views", 2, "--photographs", 1, "--size", SIDE)
    assert status_of("augment", folder, "--preview", tmp_path / "all.png", *common) == 0
    assert status_of("augment", folder, "--preview", tmp_path / "fewer.png", "--effects", 0, "--crop", 1, *common) == 0
    every, fewer = (cv2.imread(str(tmp_path / name)) for name in ("all.png", "fewer.png"))
    assert np.array_equal(_cell(every, 0, 0), _cell(fewer, 0, 0))
    assert not np.array_equal(_cell(every, 0, 1), _cell(fewer, 0, 1))
    half = every.shape[0] // 2  # where most of the effects stand by themselves
    assert not np.array_equal(every[half:], fewer[half:])


def test_labels_of_any_script_and_dollars_are_drawn(tmp_path):
    """A label is text, never markup; what the font lacks is no reason to fail."""
    picture = np.zeros((32, 32, 3), np.uint8)
    sheet([Strip("牛奶 $1^2 <b>", (picture,))], [], tmp_path / "sheet.png", title="_a_ $x")
    assert cv2.imread(str(tmp_path / "sheet.png")).shape[1] >= 4 * 32


def test_the_preview_needs_no_tensorflow(draw_classes, tmp_path):
    """A look at the data comes at once."""
    code = (
        "import sys; from trainer.cli import app; app(sys.argv[1:], standalone_mode=False); "
        "assert 'tensorflow' not in sys.modules"
    )
    folder = draw_classes(["cola", "oat"], 3)
    subprocess.run(
        [sys.executable, "-c", code, "augment", folder, "--preview", tmp_path / "p.png", "--views", "1"], check=True
    )


def test_the_command_line_keeps_the_limit_on_decompression_bombs(tmp_path):
    """OpenCV reads the limit once, when it is loaded: no command may load it before the limit is set."""
    bomb = tmp_path / "bomb.bmp"
    head = struct.pack("<IiiHHIIiiII", 40, 9000, 9000, 1, 24, 0, 0, 0, 0, 0, 0)  # 81 megapixels, and none of them
    bomb.write_bytes(b"BM" + struct.pack("<III", 54, 0, 54) + head)
    code = "import trainer.cli, sys, pathlib; from trainer.photos.data import decode; decode(pathlib.Path(sys.argv[1]))"
    environment = {name: value for name, value in os.environ.items() if name != "OPENCV_IO_MAX_IMAGE_PIXELS"}
    done = subprocess.run(
        [sys.executable, "-c", code, bomb], env=environment, capture_output=True, text=True, check=False
    )
    assert "OpenCV refuses it" in done.stderr
