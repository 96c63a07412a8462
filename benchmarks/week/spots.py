"""Moments of the week as pixels through the agent's whole step, beside what the library of looks said of them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from benchmarks.week.measuring import reader, studio
from benchmarks.week.pixels import FRAME_WH
from benchmarks.week.shop import CAMERAS, FPS
from benchmarks.week.watching import BEGAN, Spot
from edge_agent.config import Settings
from edge_agent.pipeline import CameraPlan, begin, open_view, step
from edge_agent.shelf import Frame, Observation


def compared(spots: Iterable[Spot], known: Settings) -> Counter[str]:
    """How often both say the same of a slot: `same`, `one unread` (only one of them reads it) or `another label`."""
    found: Counter[str] = Counter()
    for spot in spots:
        for drawn, kept in zip(drawn_look(spot, known), spot.seen, strict=True):
            found[_verdict(drawn, kept)] += 1
    return found


def _verdict(drawn: Observation, kept: Observation) -> str:
    if (drawn.unread is None) != (kept.unread is None):
        return "one unread"
    return "same" if drawn.unread is not None or drawn.label == kept.label else "another label"


def drawn_look(spot: Spot, known: Settings) -> Sequence[Observation]:
    """The agent's observations of the last of a spot's moments, with those before it for motion."""
    camera, network = CAMERAS[spot.camera], reader().network
    plan = CameraPlan(camera.id, known.shelves_of(camera.id), known.rules, known.policy.patience)
    view, state = open_view(plan, frame_wh=FRAME_WH, size_px=network.size_px), begin(plan)
    seen: Sequence[Observation] = ()
    for seq, moment in enumerate(spot.moments):
        image = studio(spot.camera).picture(replace(moment, noise=moment.noise + seq))
        frame = Frame(camera.id, seq, BEGAN, spot.t_s + (seq - len(spot.moments)) / FPS, np.ascontiguousarray(image))
        state, outcome = step(view, state, frame, network)
        seen = outcome.observations
    return seen
