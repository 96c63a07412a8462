"""The command line: what a user types, sees and gets as exit status. Every run is a process of its own."""

import json
import os
import signal
import subprocess
import sys

import cv2
import pytest
from typer.testing import CliRunner

from edge_agent import cli
from edge_agent.capture import clips
from edge_agent.demo.scene import Scene
from edge_agent.demo.store import write_config
from edge_agent.shelf import InputError
from tests.conftest import free_port, wait_for

pytestmark = pytest.mark.system  # the whole program each time, in a process of its own


def agent(*args, timeout_s=60, **more):
    """Run shelf-agent as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "edge_agent.cli", *map(str, args)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        **more,
    )


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Six seconds of the simulated store, with nobody in the way, as a clip."""
    path = tmp_path_factory.mktemp("film") / "store.mp4"
    scene = Scene(7)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 5, scene.frame_wh)
    for n in range(25):
        writer.write(scene.frame(n / 5))
    writer.release()
    return path


@pytest.fixture
def config(tmp_path, film):
    """A function that writes the demo's configuration with the clip as its camera."""

    def write(*, port: int = 1, source: object = film):
        path = write_config(tmp_path, port=port)
        path.write_text(path.read_text().replace('"simulated"', f'"{source}"'))
        return path

    return write


def test_replay_writes_counts_and_a_video(config, film, tmp_path):
    """A clip leads to one JSON line per change and to a video of the same length with everything drawn in."""
    lines, video = tmp_path / "counts.jsonl", tmp_path / "out.mp4"
    done = agent("replay", film, "-c", config(), "--out", lines, "--annotate", video)
    assert done.returncode == 0, done.stderr
    counts = [json.loads(line) for line in lines.read_text().splitlines()]
    counts = [record for record in counts if record["type"] == "counts"]
    assert {record["shelf"] for record in counts} == {"drinks", "breakfast", "pantry"}
    assert all(0.4 <= record["t_s"] <= 2 for record in counts)
    assert clips.clip_info(video).frames == clips.clip_info(film).frames
    assert clips.clip_info(video).frame_wh[1] > clips.clip_info(film).frame_wh[1]


def test_run_publishes_and_says_goodbye(config, mosquitto, subscribe):
    """Started as a service would and stopped with SIGTERM, the agent leaves its states and `offline` behind."""
    consumer = subscribe(mosquitto.port)
    path = config(port=mosquitto.port)
    command = [sys.executable, "-m", "edge_agent.cli", "run", "-c", path]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        wait_for(lambda: len(consumer.of("/state")) >= 3, timeout_s=30)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
        process.stderr.read()
    wait_for(lambda: consumer.of("shelf-1/status")[-1:] == ["offline"])
    state = consumer.of("/shelf/drinks/state")[0]
    assert state["schema"] == "shelfwatch.state/1"
    assert state["quality"] == "good"
    assert state["counts"]["cola-can"] == 2
    assert {item["sku"]: item["expected"] for item in state["items"]}["cola-can"] == 2
    assert state["model"]["quantization"] == "int8"
    assert consumer.of("/info")[0]["runtime"] == "litert"
    assert consumer.of("/camera/shelf-cam/status")[0]["status"] == "online"
    event = consumer.of("/shelf/drinks/event")[0]
    assert (event["type"], event["previous"], event["historical"]) == ("counts", None, False)
    assert event["seq"] >= 1


def test_a_shelf_that_is_removed_is_cleared_from_the_broker(config, film, mosquitto, subscribe):
    """What an earlier configuration retained and this one hasn't is taken back, so that no dashboard shows it."""
    path = config(port=mosquitto.port)
    assert agent("replay", film, "-c", path, "--publish").returncode == 0
    text = path.read_text()
    path.write_text(text[: text.index('[[shelves]]\nid = "pantry"')])
    assert agent("replay", film, "-c", path, "--publish").returncode == 0
    consumer = subscribe(mosquitto.port)
    consumer.settle()
    retained = {topic for topic, _, kept in consumer.messages if kept}
    assert "shelfwatch/demo/shelf-1/shelf/drinks/state" in retained
    assert "shelfwatch/demo/shelf-1/shelf/pantry/state" not in retained


def test_a_replay_that_nobody_took_ends_with_69_and_is_sent_by_the_next(config, film, make_mosquitto, subscribe):
    """With the broker away the events wait, the command says how many, and the next run delivers them."""
    done = agent("replay", film, "-c", config(port=free_port()), "--publish")
    assert done.returncode == 69
    assert "3 events wait in" in done.stderr
    assert "for the next run" in done.stderr
    broker = make_mosquitto()
    consumer = subscribe(broker.port)
    assert agent("replay", film, "-c", config(port=broker.port), "--publish").returncode == 0
    wait_for(lambda: [event["seq"] for event in consumer.of("/event")] == [1, 2, 3, 4, 5, 6])


def test_an_outbox_in_use_is_fine_for_check_and_closed_to_others(config, film, mosquitto, subscribe):
    """While the service runs, `check` says so and stays ok; a replay to the same outbox is told to stop it first."""
    consumer = subscribe(mosquitto.port)
    path = config(port=mosquitto.port, source=film)
    with subprocess.Popen([sys.executable, "-m", "edge_agent.cli", "run", "-c", path]) as process:
        wait_for(lambda: "online" in consumer.of("shelf-1/status"), timeout_s=30)
        process.send_signal(signal.SIGSTOP)  # the clip is short
        try:
            found = agent("check", "-c", path)
            refused = agent("replay", film, "-c", path, "--publish")
        finally:
            process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)
    assert found.returncode == 0, found.stdout
    assert "is in use by a running agent" in found.stdout
    assert refused.returncode == 74
    assert "systemctl stop shelf-agent" in refused.stderr


def test_a_wrong_password_ends_the_agent_with_78(config, make_mosquitto):
    """A broker that refuses us is for an operator to mend: exit status 78, the remedy, and the outbox stays."""
    broker = make_mosquitto(password="right")
    path = config(port=broker.port)
    done = agent("run", "-c", path)
    assert done.returncode == 78
    assert "password_file" in done.stderr
    assert "Traceback" not in done.stderr
    assert (path.parent / "outbox.db").exists()


def test_check_says_what_is_right(config, mosquitto):
    """With everything in place each thing is ok, and the status is 0."""
    done = agent("check", "-c", config(port=mosquitto.port))
    assert done.returncode == 0, done.stdout
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["ok"] * 5
    assert "3 shelves with 24 slots" in done.stdout
    assert "speaks MQTT 3.1.1" in done.stdout


def test_check_names_every_problem_with_its_remedy(config):
    """A missing camera and an absent broker are both told, each with what to do; the status is 69."""
    done = agent("check", "-c", config(port=free_port(), source="/dev/video77"))
    assert done.returncode == 69
    assert "there is no /dev/video77" in done.stdout
    assert "no MQTT broker at 127.0.0.1" in done.stdout
    assert "Check host and port under [broker]" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_check_reports_a_broken_configuration_with_78(config):
    """Mistakes in the file are listed, all of them, with status 78."""
    path = config()
    text = path.read_text().replace("columns = 8", 'columns = "eight"', 1)
    path.write_text(text.replace('"milk-skim"', '"milk-slim"'))
    done = agent("check", "-c", path)
    assert done.returncode == 78
    assert "columns" in done.stdout
    assert 'nearest is "milk-skim"' in done.stdout


@pytest.mark.parametrize("command", [["run"], ["replay", "none.mp4"], ["snapshot"], ["collect", "out"]])
def test_a_missing_configuration_or_clip_is_one_clear_error(command, tmp_path):
    """No command answers a missing file with a traceback; status 66 or 78 says which kind it is."""
    done = agent(*command, "-c", "none.toml", cwd=tmp_path)
    assert done.returncode in (66, 78)
    assert done.stderr.startswith("error: there is no")
    assert "Traceback" not in done.stderr


def test_a_clip_that_is_no_video_ends_with_66(config, tmp_path):
    """A text file in place of a clip is named as what it is not."""
    clip = tmp_path / "clip.mp4"
    clip.write_text("no video")
    done = agent("replay", clip, "-c", config())
    assert done.returncode == 66
    assert "is not a video" in done.stderr


def test_snapshot_draws_the_slots(config, film, tmp_path):
    """The picture has the camera's size and differs from the plain frame where the slots are."""
    done = agent("snapshot", "-c", config(), "--out", tmp_path / "shot.png")
    assert done.returncode == 0, done.stderr
    shot, plain = cv2.imread(str(tmp_path / "shot.png")), next(clips.replay("c", film)).image
    assert shot.shape == plain.shape
    assert 0.005 < (cv2.absdiff(shot, plain).max(axis=2) > 60).mean() < 0.2


def test_collect_sorts_crops_for_labelling(config, tmp_path):
    """Crops lie in a folder per label: by the model's guess, or all under the label that a person gives."""
    done = agent("collect", tmp_path / "a", "-c", config(), "--pictures", 1, "--every-s", 0)
    assert done.returncode == 0, done.stderr
    found = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert "cola-can" in found
    assert len(list((tmp_path / "a").rglob("*.png"))) == 24
    agent("collect", tmp_path / "b", "-c", config(), "--label", "empty", "--pictures", 1)
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["empty"]


@pytest.mark.parametrize("label", ["../outside", "cola/33", "..", ""])
def test_collect_refuses_a_label_that_is_no_name_of_a_folder(config, tmp_path, label):
    """Crops never lie outside the folder, nor under another label than was asked for."""
    done = CliRunner().invoke(cli.app, ["collect", str(tmp_path / "a"), "-c", str(config()), "--label", label])
    assert isinstance(done.exception, InputError)
    assert "cannot be the name of a folder" in str(done.exception)
    assert not list(tmp_path.rglob("*.png"))


def test_paths_are_shown_as_they_are(config, tmp_path):
    """Square brackets in a path are no markup."""
    picture = tmp_path / "shelf[/b].png"
    picture.parent.mkdir()
    done = agent("snapshot", "-c", config(), "--out", picture, env={**os.environ, "COLUMNS": "300"})
    assert done.returncode == 0, done.stderr
    assert "shelf[/b].png" in done.stdout


def test_a_demo_that_is_interrupted_ends_at_once():
    """Ctrl-C long before its time is up leaves no timer that keeps the process alive."""
    command = [sys.executable, "-m", "edge_agent.cli", "demo", "--seconds", "600", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=30)
    assert first.startswith("page ")
    assert process.returncode == 0
    assert "messages acknowledged" in said


def test_the_demo_ends_by_itself_with_a_summary():
    """`shelf-agent demo --seconds` shows the table and the addresses, and sums up with status 0."""
    done = agent("demo", "--seconds", 5, "--port", 0, env={**os.environ, "COLUMNS": "120"})
    assert done.returncode == 0, done.stderr
    assert "mosquitto_sub -h 127.0.0.1 -p" in done.stdout
    assert "cola-zero-can" in done.stdout
    assert "messages acknowledged" in done.stdout.splitlines()[-1]
    frames, changes = (int(part.split()[0]) for part in done.stdout.splitlines()[-1].split(", ")[:2])
    assert frames >= 15
    assert changes >= 3


def test_an_unexpected_failure_is_one_line(monkeypatch, capsys):
    """A bug of ours ends with status 70 and says how to see where; no traceback reaches an operator."""

    def bug():
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr(cli, "app", bug)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 70
    shown = capsys.readouterr().err
    assert "ZeroDivisionError: of ours" in shown.replace("\n", " ")
    assert "SHELFWATCH_TRACEBACK=1" in shown


def test_nothing_is_written_over_what_is_read(config, film, tmp_path):
    """A result that would replace the clip or the configuration is refused, and both stay as they are."""
    path, clip = config(), tmp_path / "clip.mp4"
    clip.write_bytes(film.read_bytes())
    before = path.read_bytes()
    for arguments in (["--annotate", clip], ["--out", clip], ["--out", path]):
        done = agent("replay", clip, "-c", path, *arguments)
        assert done.returncode == 66
        assert "would be written over" in done.stderr
    assert agent("snapshot", "-c", path, "--out", path).returncode == 66
    assert clip.read_bytes() == film.read_bytes()
    assert path.read_bytes() == before


def test_collect_refuses_a_label_that_is_nearly_a_special_one(config, tmp_path):
    """A misspelt `empty` would become a product, and gaps would never be seen."""
    done = agent("collect", tmp_path / "c", "-c", config(), "--label", "Empty", "--pictures", 1)
    assert done.returncode == 66
    assert 'nearly "empty"' in done.stderr
    assert not (tmp_path / "c").exists()


def test_collect_says_what_it_stored(config, tmp_path):
    """The summary counts the crops of each label, and says when the clip ended before all pictures were taken."""
    done = agent("collect", tmp_path / "c", "-c", config(), "--label", "empty", "--pictures", 50, "--every-s", 1)
    assert done.returncode == 0, done.stderr
    assert "of 50: it ended early" in done.stdout
    assert "empty " in done.stdout.replace("\n", " ")
