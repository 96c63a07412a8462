"""Ten minutes in the simulated store, over a real broker: the published counts change exactly when the truth does."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from edge_agent.config import load
from edge_agent.demo.scene import COLUMNS, Scene
from edge_agent.demo.store import CAMERA, FPS, SHELVES, write_config
from edge_agent.model import load_model
from edge_agent.outlet import Outlet
from edge_agent.replay import replay_frames
from edge_agent.running import watch_of
from edge_agent.shelf import EMPTY, Frame
from tests.conftest import wait_for

pytestmark = pytest.mark.system

MINUTES, SETTLED_WITHIN_S = 10, 2.0


def frames(scene: Scene, seconds: float) -> Iterator[Frame]:
    """The camera's frames, as fast as they can be drawn; the clock is the scene's."""
    began = datetime(2026, 1, 1, tzinfo=UTC)
    for seq in range(round(seconds * FPS)):
        t_s = seq / FPS
        yield Frame(CAMERA, seq, began + timedelta(seconds=t_s), t_s, scene.frame(t_s))


def counts_of(labels: tuple[str, ...], products: list[str]) -> dict[str, int]:
    """The true counts of a shelf: planned products, 0 where there is none, and whatever else stands there."""
    names = [*products, *(label for label in labels if label not in (*products, EMPTY))]
    return {name: labels.count(name) for name in names}


def true_counts(scene: Scene, row: int, t_s: float, products: list[str]) -> dict[str, int]:
    """The true counts of a shelf at a time."""
    return counts_of(scene.truth(t_s)[row * COLUMNS : (row + 1) * COLUMNS], products)


@pytest.mark.parametrize("seed", [7, 41])
def test_counts_change_exactly_when_the_truth_changes(tmp_path, mosquitto, subscribe, seed):
    """Over ten simulated minutes a subscriber sees each true change within 2 s of the arm being gone, and no other."""
    consumer = subscribe(mosquitto.port)
    settings = load(write_config(tmp_path, port=mosquitto.port, protocol="auto"))
    model, scene = load_model(settings), Scene(seed, duration_s=MINUTES * 60 - 5)
    with Outlet(settings, model.info) as outlet:
        replay_frames(
            watch_of(settings, CAMERA), frames(scene, MINUTES * 60), model.classifier, sinks=[outlet.delivery]
        )
        wait_for(lambda: outlet.spool.depth() == 0)
    wait_for(lambda: consumer.of("/status")[-1:] == ["offline"])

    began, late = datetime(2026, 1, 1, tzinfo=UTC), []
    for row, shelf in enumerate(settings.shelves_of(CAMERA)):
        products = list(shelf.expected)
        events = [event for event in consumer.of(f"/shelf/{SHELVES[row]}/event") if event["type"] == "counts"]
        times = [(datetime.fromisoformat(event["frame_ts"]) - began).total_seconds() for event in events]
        said = [event["counts"] for event in events]
        truths = [true_counts(scene, row, t_s, products) for t_s in times]
        assert said == truths, "a count that was not true when it was published"
        readings = [tuple(change["slot"] for change in event["changes"]) for event in events]
        assert all(readings), "an event that changes nothing"
        for visit in scene.visits:  # each visit's result is known soon after the arm is gone
            before, after = (true_counts(scene, row, t_s, products) for t_s in (visit.start_s, visit.end_s + 0.01))
            if before != after:
                heard_s = min(
                    t_s for t_s, counts in zip(times, said, strict=True) if counts == after and t_s > visit.start_s
                )
                late.append(heard_s - visit.end_s)
        final = true_counts(scene, row, MINUTES * 60.0, products)
        states = [state["counts"] for state in consumer.of(f"/shelf/{SHELVES[row]}/state")]
        assert states[-1] == final
        assert all(state in said for state in states)
    print(f"seed {seed}: {len(late)} changes, known {max(late):.2f} s after the arm was gone at the latest")  # noqa: T201
    assert len(late) > 20
    assert max(late) <= SETTLED_WITHIN_S
