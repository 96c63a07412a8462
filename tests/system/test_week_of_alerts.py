"""The busiest hour of the simulated week before one camera: what `benchmarks/bench_alerts.py` shows of all of it."""

import pytest

from benchmarks.week.judging import KINDS, judged, told_at_once, told_by_agent
from benchmarks.week.library import measured
from benchmarks.week.measuring import Effort
from benchmarks.week.shop import settings
from benchmarks.week.watching import NO_PATIENCE, Part, watch_with
from edge_agent.alerts.policy import Policy

pytestmark = pytest.mark.system

HOUR_S = 3600.0
EFFORT = Effort(contents=1, repeats=1, arms=1, places=(11,), standers=1, glare=False)
"""A small library of looks, in a few seconds; the sun is not on this camera."""


def test_an_hour_of_stock_outs_is_told_in_time_and_nothing_else(tmp_path):
    """Every stock-out of five minutes is told within two of the first clear look; at most one alert is false."""
    known, library = settings(tmp_path), measured(EFFORT, workers=1)
    part = Part(16 * HOUR_S, 17 * HOUR_S)
    watched = watch_with(library, known, 1, EFFORT, days=1, seed=6, part=part)
    told = told_by_agent([watched], known.rules, known.policy, until_s=part.end_s + 200)
    verdict = judged(told, watched.edges, [watched])
    false = [one for one in told if one.type in KINDS and not one.true]
    hasty = told_at_once([watched], known.rules, Policy(patience=NO_PATIENCE))
    print(f"{len(verdict.delays_s)} stock-outs, told after {verdict.delays_s}; false {len(false)}, hasty {len(hasty)}")  # noqa: T201
    assert watched.looks > HOUR_S
    assert len(verdict.delays_s) >= 4
    assert max(verdict.delays_s) <= 120
    assert len(false) <= 1
    assert len(hasty) > len(told)
