"""A real shelf, filmed: a model trained on the first seconds counts the whole clip, over a real broker."""

import json
from pathlib import Path

import cv2
import pytest

from edge_agent.capture import clips
from edge_agent.regions import rectified
from edge_agent.shelf import EMPTY
from tests.conftest import wait_for
from tests.system.conftest import command

pytestmark = [pytest.mark.system, pytest.mark.data]

TRAIN_UNTIL_S = 11.0
SLOTS = ("left", "centre", "right")
WITHIN_S = 1.0


@pytest.fixture(scope="module")
def film(shared_data):
    """The clip and its truth."""
    folder = shared_data / "data" / "shelf-clip"
    return folder / "bottles.mp4", json.loads((folder / "truth.json").read_text())


@pytest.fixture(scope="module")
def bundle(film, shared_data, tmp_path_factory):
    """A bottle/empty model from crops of the stable intervals of the first 11 seconds, made by the real commands."""
    clip, truth = film
    folder = tmp_path_factory.mktemp("bottles")
    crops = write_crops(clip, truth, folder / "crops")
    assert crops > 100
    weights = shared_data / "weights" / "mobilenet_v2_imagenet.weights.h5"
    options = ("--network", "mobilenet-v2", "--size", 96, "--weights", weights, "--seed", 1)
    fitted = command("shelf-train", "fit", folder / "crops", "--out", folder / "model.keras", *options)
    assert fitted.returncode == 0, fitted.stderr
    few = ("--allow-unproven", "--slim", "--out", folder / "bundle")  # a clip of seconds proves nothing of int8
    made = command("shelf-convert", folder / "model.keras", "--calibrate", folder / "crops", *few)
    assert made.returncode == 0, made.stderr
    return folder / "bundle"


def write_crops(clip: Path, truth: dict, out: Path) -> int:
    """Store what stands in each slot, ten times a second of the stable intervals that begin and end early enough."""
    spans = [span for span in truth["stable"] if span["to_s"] <= TRAIN_UNTIL_S]
    written, next_s = 0, 0.0
    for frame in clips.replay("cam1", clip):
        span = next((span for span in spans if span["from_s"] <= frame.clock_s <= span["to_s"]), None)
        if span is None or frame.clock_s < next_s:
            continue
        next_s = frame.clock_s + 0.1
        for slot in SLOTS:
            folder = out / ("bottle" if span[slot] else EMPTY)
            folder.mkdir(parents=True, exist_ok=True)
            left, top, right, bottom = truth["slots_xyxy_normalized"][slot]
            quad = ((left, top), (right, top), (right, bottom), (left, bottom))
            cv2.imwrite(str(folder / f"{frame.seq:04d}-{slot}.png"), rectified(frame.image, quad))
            written += 1
    return written


def write_config(folder: Path, truth: dict, bundle: Path, port: int) -> Path:
    """A shelf of three slots, each meant for a bottle."""
    slots = "".join(
        f'[[shelves.slots]]\nid = "{slot}"\nproduct = "bottle"\n'
        f"corners = [[{left}, {top}], [{right}, {top}], [{right}, {bottom}], [{left}, {bottom}]]\n"
        for slot, (left, top, right, bottom) in truth["slots_xyxy_normalized"].items()
    )
    path = folder / "agent.toml"
    path.write_text(
        f'site = "lab"\ndevice = "one"\n[model]\nbundle = "{bundle}"\n[broker]\nport = {port}\n'
        f'[outbox]\npath = "outbox.db"\n[[cameras]]\nid = "cam1"\nsource = "clip.mp4"\n'
        f'[[shelves]]\nid = "water"\ncamera = "cam1"\n{slots}'
    )
    return path


def test_a_subscriber_sees_3_2_3_1_and_nothing_else(film, bundle, tmp_path, mosquitto, subscribe):
    """However the hands move, the counts are 3, 2, 3, 1, each within a second of the shelf being clear."""
    clip, truth = film
    consumer = subscribe(mosquitto.port)
    config = write_config(tmp_path, truth, bundle, mosquitto.port)
    lines, video = tmp_path / "counts.jsonl", tmp_path / "annotated.mp4"
    done = command("shelf-agent", "replay", clip, "-c", config, "--out", lines, "--annotate", video, "--publish")
    assert done.returncode == 0, done.stderr
    wait_for(lambda: consumer.of("/status")[-1:] == ["offline"])

    events = [event["counts"]["bottle"] for event in consumer.of("/event") if event["type"] == "counts"]
    assert events == [3, 2, 3, 1]
    states = [state["counts"]["bottle"] for state in consumer.of("/shelf/water/state")]
    assert [count for n, count in enumerate(states) if n == 0 or count != states[n - 1]][-1] == 1
    assert set(states) <= {3, 2, 1}

    at = [record["t_s"] for record in map(json.loads, lines.read_text().splitlines()) if record["type"] == "counts"]
    late = [seen - span["from_s"] for seen, span in zip(at, truth["stable"], strict=True)]
    print("seconds after the start of each stable interval:", [round(seconds, 2) for seconds in late])  # noqa: T201
    assert all(abs(seconds) <= WITHIN_S for seconds in late), late
    assert clips.clip_info(video).frames == clips.clip_info(clip).frames
