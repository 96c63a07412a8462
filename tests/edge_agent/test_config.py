"""The configuration: every problem at once, the nearest name, and what to do."""

import pytest

from edge_agent import config
from edge_agent.shelf import ConfigError

GOOD = """
site = "store-1"
device = "dev-1"
[model]
bundle = "bundle"
[[cameras]]
id = "cam1"
source = "clip.mp4"
[[shelves]]
id = "a1"
camera = "cam1"
low_at = { cola = 1 }
[[shelves.slots]]
id = "s1"
product = "cola"
corners = [[0.1, 0.1], [0.3, 0.1], [0.3, 0.4], [0.1, 0.4]]
[[shelves]]
id = "a2"
camera = "cam1"
[shelves.grid]
corners = [[0.1, 0.5], [0.9, 0.5], [0.9, 0.9], [0.1, 0.9]]
columns = 3
products = ["cola", "milk", "milk"]
"""
LABELS = ("cola", "empty", "milk", "occluded")


def problems(tmp_path, text):
    """The problems of a configuration, in words."""
    path = tmp_path / "agent.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        config.load(path, labels=LABELS)
    assert caught.value.exit_status == 78
    return caught.value.problems


def test_a_good_file_becomes_shelves_with_slots(tmp_path):
    """Slots drawn by hand and slots of a grid are alike, and paths are relative to the file."""
    path = tmp_path / "agent.toml"
    path.write_text(GOOD)
    settings = config.load(path, labels=LABELS)
    one, two = settings.shelves_of("cam1")
    assert [slot.product for slot in one.slots + two.slots] == ["cola", "cola", "milk", "milk"]
    assert [slot.id for slot in two.slots] == ["r1c1", "r1c2", "r1c3"]
    assert two.slots[0].quad[0] == pytest.approx((0.1, 0.5))
    assert settings.model.bundle == tmp_path / "bundle"
    assert settings.cameras[0].source == str(tmp_path / "clip.mp4")
    assert one.low_at == (("cola", 1),)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('site = "store-1"', 'site = "store-1"\nhartbeat_s = 3', 'unknown key "hartbeat_s"; nearest is "heart'),
        (
            'product = "cola"',
            'produkt = "cola"',
            'shelves "a1", slots "s1": unknown key "produkt"; nearest is "product"',
        ),
        ("columns = 3", 'columns = "three"', 'shelves "a2", grid, columns: input should be a valid integer'),
        ("[0.3, 0.4]", "[1.3, 0.4]", 'slots "s1", corners: a corner lies outside the frame'),
        ("[[0.1, 0.1], [0.3, 0.1]", "[[0.3, 0.1], [0.1, 0.1]", "corners: the corners cross"),
        ('product = "cola"', 'product = "colla"', '"colla", which the model doesn\'t know; nearest is "cola"'),
        ('"cola", "milk"', '"cola", "mlik"', 'shelf "a2": the grid names product "mlik"'),
        ("{ cola = 1 }", "{ tea = 1 }", 'low_at names product "tea"'),
        ('id = "a2"', 'id = "a1"', 'two shelves have the id "a1"'),
        ('camera = "cam1"\nlow', 'camera = "cam2"\nlow', 'there is no camera "cam2"; nearest is "cam1"'),
        ('"milk", "milk"]', '"milk"]', "products names 2 products for 1 × 3 slots; name 3"),
        ('source = "clip.mp4"', 'source = "ftp://x/y"', 'scheme "ftp" is not one of rtsp'),
        ('site = "store-1"', 'site = "Store 1"', "an id is made of a-z, 0-9, _ and -"),
        ('site = "store-1"', "", '"site" is missing'),
        ('product = "cola"', 'product = "empty"', 'names product "empty"'),
        ('source = "clip.mp4"', 'source = "rtsp://[fe80::1/x"', "an IPv6 address in [ ]"),
        ('source = "clip.mp4"', 'source = "rtsp:///x"', "it names no host"),
        ('source = "clip.mp4"', 'source = "rtsp://cam:99999/x"', "its port as a number up to 65535"),
        ("[shelves.grid]", '[[shelves.slots]]\nid = "r1c2"\ncorners = C\n[shelves.grid]', 'slot "r1c2" has the id'),
        (
            "{ cola = 1 }",
            "{ milk = 1 }",
            'low_at names product "milk", which no slot of the shelf is for; known are "c',
        ),
        ("[[cameras]]", '[broker]\npassword_file = "x"\n[[cameras]]', "there is a password_file, but no username; add"),
        ("[[cameras]]", "[counting]\nunknown_after_s = inf\n[[cameras]]", "unknown_after_s: input should be a finite"),
        ("[[cameras]]", "[alerts]\nhold_s = 86401\n[[cameras]]", "hold_s: input should be less than or equal to 86400"),
        ("{ cola = 1 }", "{ cola = 1 }\nrestocked_at = { cola = 9 }", "of it: it would never be back. Set it to "),
        ("{ cola = 1 }", "{ cola = 1 }\nrestocked_at = { cola = 1 }", "low_at (1) calls it low. Set it to 2 or more"),
        ("{ cola = 1 }", "{ cola = 1 }\nrestocked_at = { tea = 1 }", 'restocked_at names product "tea"'),
        (
            "[[cameras]]",
            '[hours]\ntimezone = "Europe/Atlantis"\n[[cameras]]',
            'there is no time zone "Europe/Atlantis"',
        ),
        ("[[cameras]]", '[hours]\ntimezone = "UTC"\nsunday = "8-20"\n[[cameras]]', "write it as 08:00-20:00"),
        ('site = "store-1"', 'site = "store-1"\nheartbeat_s = nan', "heartbeat_s: input should be a finite number"),
        (
            'bundle = "bundle"',
            'bundle = "bundle"\ndelegate = "tpu"',
            "delegate: input should be 'auto', 'cpu', 'edgetpu'",
        ),
        (
            'bundle = "bundle"',
            'bundle = "bundle"\ndelegate = "gpu"\ndelegate_library = "x.so"',
            'delegate_library is the Edge TPU\'s, but delegate is "gpu"; remove',
        ),
        ('bundle = "bundle"', 'bundle = "bundle"\nthreads = 0', "threads: input should be greater than or equal to 1"),
        ("[[0.1, 0.5], [0.9", "[[nan, 0.5], [0.9", "grid, corners: input should be a finite number"),
    ],
)
def test_each_mistake_is_named_with_its_place_and_remedy(tmp_path, old, new, words):
    """One mistake is one problem, whose text names the place, the value and what is near."""
    assert old in GOOD
    new = new.replace("corners = C", "corners = [[0.1, 0.5], [0.3, 0.5], [0.3, 0.9], [0.1, 0.9]]")
    found = problems(tmp_path, GOOD.replace(old, new, 1))
    assert len(found) == 1, found
    assert words in found[0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('source = "clip.mp4"', 'source = "ftp://admin:secret@cam/x"'),
        ('source = "clip.mp4"', 'source = "RTSP://admin:secret@[fe80::1/x?pwd=secret"'),
        ('[[cameras]]\nid = "cam1"\nsource = "clip.mp4"', 'cameras = ["rtsp://a:secret@cam/x"]'),
        ('[[cameras]]\nid = "cam1"\nsource = "clip.mp4"', 'cameras = { source = "rtsp://a:secret@cam/x" }'),
    ],
)
def test_a_problem_never_shows_a_password(tmp_path, old, new):
    """The value seen is part of a problem's text, but what an address holds of a password isn't."""
    assert old in GOOD
    if new.startswith("cameras"):  # a key of the top must stand before the tables
        new, text = "", f"{new}\n{GOOD}"
    else:
        text = GOOD
    shown = " ".join(problems(tmp_path, text.replace(old, new, 1)))
    assert "secret" not in shown
    assert "cam" in shown


@pytest.mark.parametrize(
    ("written", "read"),
    [("libedgetpu.so.1", "libedgetpu.so.1"), ("lib/mine.so", "{folder}/lib/mine.so"), ("/opt/mine.so", "/opt/mine.so")],
)
def test_a_library_is_a_name_for_the_loader_or_a_path(tmp_path, written, read):
    """A mere name is looked for where the system's libraries are, a relative path beside the file."""
    path = tmp_path / "agent.toml"
    path.write_text(GOOD.replace('bundle = "bundle"', f'bundle = "bundle"\ndelegate_library = "{written}"'))
    assert config.load(path, labels=LABELS).model.delegate_library == read.format(folder=tmp_path)


def test_a_scheme_may_be_written_in_capitals(tmp_path):
    """The address that cameras are opened with has it in small letters, as FFmpeg wants it."""
    path = tmp_path / "agent.toml"
    path.write_text(GOOD.replace("clip.mp4", "RTSP://Cam/X"))
    assert config.load(path, labels=LABELS).cameras[0].source == "rtsp://Cam/X"


def test_all_mistakes_come_in_one_report(tmp_path):
    """Mistakes of every kind in one file are all told at once."""
    text = GOOD.replace('device = "dev-1"', 'device = "dev-1"\nhartbeat_s = 3')
    text = text.replace("columns = 3", 'columns = "three"').replace('product = "cola"', 'product = "colla"')
    text = text.replace("[0.3, 0.4]", "[1.3, 0.4]").replace('id = "a2"', 'id = "a1"')
    assert len(problems(tmp_path, text)) == 5


def test_a_missing_file_and_a_file_that_is_no_toml(tmp_path):
    """Both are configuration errors that name the path."""
    with pytest.raises(ConfigError, match=r"there is no configuration at .*none\.toml"):
        config.load(tmp_path / "none.toml")
    path = tmp_path / "agent.toml"
    path.write_text("site = [")
    with pytest.raises(ConfigError, match=r"agent\.toml is not a configuration that can be read"):
        config.load(path)


def test_a_slot_of_a_grid_may_have_no_product(tmp_path):
    """An empty name in the products of a grid leaves that slot to whatever stands there."""
    path = tmp_path / "agent.toml"
    path.write_text(GOOD.replace('"cola", "milk", "milk"', '"cola", "", "milk"'))
    _, grid = config.load(path, labels=LABELS).shelves_of("cam1")
    assert [slot.product for slot in grid.slots] == ["cola", None, "milk"]


def test_a_camera_may_have_no_shelf_yet(tmp_path):
    """A fresh device has a camera and a model; its shelves are drawn on the page."""
    path = tmp_path / "agent.toml"
    path.write_text(GOOD[: GOOD.index("[[shelves]]")])
    settings = config.load(path, labels=LABELS)
    assert settings.shelves == []
    assert settings.shelves_of("cam1") == ()
