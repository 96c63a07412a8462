"""What a reload does: decided from two configurations alone."""

import pytest

from edge_agent.config import load
from edge_agent.reload import Plan, plan, refusals

SLOT = "[[shelves.slots]]\nid = 's'\ncorners = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]\n"


def camera(name, *, source="rtsp://192.0.2.1/a", more=""):
    """A camera with a shelf of the same name."""
    table = f'[[cameras]]\nid = "{name}"\nsource = "{source}"\n'
    return f'{table}{more}\n[[shelves]]\nid = "{name}"\ncamera = "{name}"\n{SLOT}'


@pytest.fixture
def settings(tmp_path):
    """A function that makes settings of tables, with a line or a table of their own at the top."""

    def make(*cameras, head="", tables=""):
        text = f'{head}\n[model]\nbundle = "b"\n{tables}\n{"".join(cameras)}'
        if "site" not in head:
            text = 'site = "lab"\n' + text
        if "device" not in head:
            text = 'device = "one"\n' + text
        path = tmp_path / "agent.toml"
        path.write_text(text)
        return load(path)

    return make


def test_what_is_the_same_goes_on_as_it_was(settings):
    """The same file again changes nothing, and says so."""
    same = plan(settings(camera("a"), camera("b")), settings(camera("a"), camera("b")), other_model=False)
    assert same == Plan(kept=("a", "b"))
    assert not same.changes
    assert same.words() == "nothing has changed; all cameras go on as they were"


def test_the_order_of_the_cameras_is_no_change(settings):
    """Tables may be moved about in the file."""
    moved = plan(settings(camera("a"), camera("b")), settings(camera("b"), camera("a")), other_model=False)
    assert moved == Plan(kept=("b", "a"))


def test_each_camera_is_changed_for_itself(settings):
    """One is opened anew, one is counted anew, one comes, one goes, and the others are left alone."""
    old = settings(camera("a"), camera("b"), camera("c"), camera("d"))
    other_shelf = camera("b").replace("0.9]]", "0.8]]")
    new = settings(camera("a"), other_shelf, camera("c", source="rtsp://192.0.2.9/a"), camera("e"))
    found = plan(old, new, other_model=False)
    assert found == Plan(kept=("a",), anew=("b",), reopened=("c",), added=("e",), removed=("d",))
    assert found.words() == ("b counts anew; c is opened anew; e is new; d is gone; a goes on as it was")


@pytest.mark.parametrize("more", ["fps = 2", "key_frames = true"])
def test_how_a_camera_is_read_opens_it_anew(settings, more):
    """Its process was told so when it was started."""
    assert plan(settings(camera("a")), settings(camera("a", more=more)), other_model=False).reopened == ("a",)


@pytest.mark.parametrize(
    "table",
    ["[counting]\nagree = 0.9", "[alerts]\nhold_s = 9", "[alerts]\nlow_fraction = 0.5", "[pictures]\nmoved_by = 0.1"],
)
def test_rules_for_all_cameras_count_all_anew(settings, table):
    """Votes that were taken by other rules are worth nothing; the cameras stay open."""
    found = plan(
        settings(camera("a"), camera("b")), settings(camera("a"), camera("b"), tables=table), other_model=False
    )
    assert found == Plan(anew=("a", "b"))
    assert found.words() == "a, b count anew"


def test_another_model_counts_all_anew(settings):
    """What one model has read is not compared with what another one reads."""
    assert plan(settings(camera("a")), settings(camera("a")), other_model=True) == Plan(anew=("a",))


def test_a_shelf_that_changes_its_camera_concerns_both(settings):
    """The one that loses it and the one that gets it are counted anew."""
    both = camera("a") + camera("b") + '[[shelves]]\nid = "x"\ncamera = "a"\n' + SLOT
    old, new = settings(both), settings(both.replace('"x"\ncamera = "a"', '"x"\ncamera = "b"'))
    assert plan(old, new, other_model=False) == Plan(anew=("a", "b"))


@pytest.mark.parametrize(
    ("head", "tables", "said"),
    [
        ('site = "shop"', "", "site: lab became shop"),
        ('device = "two"', "", "device: one became two"),
        ("heartbeat_s = 30", "", "heartbeat_s: 60 became 30"),
        ("", '[broker]\nhost = "192.0.2.3"', "broker, host: 127.0.0.1 became 192.0.2.3"),
        ("", "[broker]\ntls = true", "broker, tls: no became yes"),
        ("", '[broker]\nusername = "me"', "broker, username: nothing became me"),
        ("", "[outbox]\nmax_mb = 7", "outbox, max_mb: 64 became 7"),
        ("", '[outbox]\npath = "/srv/o.db"', "outbox, path: /var/lib/shelfwatch/outbox.db became /srv/o.db"),
    ],
)
def test_what_takes_a_restart_is_named_with_the_remedy(settings, head, tables, said):
    """Each such key is told with both values, and with the command that puts it in force."""
    old, new = settings(camera("a")), settings(camera("a"), head=head, tables=tables)
    assert refusals(old, new, other_model=False, place="cpu") == (
        f"{said}, which takes a restart (sudo systemctl restart shelf-agent)",
    )


def test_all_that_takes_a_restart_is_told_at_once(settings):
    """Nobody has to try twice."""
    new = settings(camera("a"), head='site = "x"', tables="[outbox]\nmax_mb = 7\nballast_mb = 0")
    assert len(refusals(settings(camera("a")), new, other_model=False, place="cpu")) == 3


def test_cameras_shelves_rules_and_model_take_no_restart(settings):
    """These are what a reload is for."""
    new = settings(camera("b"), tables="[counting]\nagree = 0.9\n[pictures]\nmoved_by = 0.1")
    assert refusals(settings(camera("a")), new, other_model=True, place="cpu") == ()


def test_an_edge_tpu_takes_a_restart_for_another_model(settings):
    """It serves one model at a time, so that the new one cannot be tried beside the old one."""
    same = settings(camera("a"))
    assert "Edge TPU" in refusals(same, same, other_model=True, place="edgetpu")[0]
    assert refusals(same, same, other_model=False, place="edgetpu") == ()
