"""Charts put values where they belong, and say in words what they show."""

import numpy as np
import pytest

from trainer.judging.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    MOST_POINTS,
    RIGHT,
    TOP,
    WIDTH,
    accuracy_curve,
    coverage_chart,
    loss_curve,
    reliability_chart,
)
from trainer.judging.evaluate import Bin
from trainer.judging.rejection import Coverage, Rejection
from trainer.report import Epoch


def _history(count, loss=2.0):
    return [
        Epoch(n, loss / n, n / (count + 1), loss / n + 0.1, 0.5 * n / count, 0.001, 1.0) for n in range(1, count + 1)
    ]


def _places(line):
    return [tuple(float(value) for value in point.split(",")) for point in line.points.split()]


def test_corners_of_a_chart_are_the_ends_of_its_axes():
    """Nothing sure and nothing right is at the lower left, all of both at the upper right."""
    chart = reliability_chart([Bin(0.0, 0.0, 1), Bin(1.0, 1.0, 4)], calibration_error=0.0)
    low, high = chart.dots
    assert (low.x, low.y) == (LEFT, HEIGHT - BOTTOM)
    assert (high.x, high.y) == (WIDTH - RIGHT, TOP)
    assert high.radius > low.radius
    assert _places(chart.lines[0]) == [(low.x, low.y), (high.x, high.y)]
    assert "4 answered with about 100% confidence, 100% of them right" in chart.text


def test_curves_span_the_training_and_mark_the_epoch_that_was_kept():
    """Both lines go from the first epoch to the last; the dot lies on the validation line."""
    for draw, words in ((accuracy_curve, "validation has 30.0%"), (loss_curve, "validation has 0.767")):
        chart = draw(_history(5), best_epoch=3)
        training, validation = chart.lines
        assert [_places(line)[0][0] for line in (training, validation)] == [LEFT, LEFT]
        assert [_places(line)[-1][0] for line in (training, validation)] == [WIDTH - RIGHT] * 2
        assert (chart.dots[0].x, chart.dots[0].y) == _places(validation)[2]
        assert words in chart.text
        assert [tick.text for tick in chart.x_ticks] == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize(
    ("loss", "ticks"),
    [(1.9, ["0", "0.5", "1", "1.5", "2"]), (0.19, ["0", "0.05", "0.1", "0.15", "0.2", "0.25"]), (0, 2)],
)
def test_losses_have_round_ticks(loss, ticks):
    """Whatever the loss, from a fresh network to one that knows everything."""
    found = [tick.text for tick in loss_curve(_history(3, loss), best_epoch=1).y_ticks]
    assert found == ticks or len(found) >= 2 == ticks


def test_a_line_of_many_points_is_thinned_but_keeps_its_ends():
    """Ten thousand photographs make no page of ten megabytes."""
    share = np.linspace(1e-4, 1, 10_000)
    chart = coverage_chart(Coverage(share, 1 - share / 4, 1 - share), rejection=None)
    places = _places(chart.lines[0])
    assert len(places) <= MOST_POINTS + 2
    assert places[-1][0] == WIDTH - RIGHT
    assert chart.text == "75.0% of all answers are right."


def test_the_threshold_lies_on_the_coverage_curve():
    """At a threshold of .7 two of three are answered, both right."""
    curve = Coverage(np.array([1 / 3, 2 / 3, 1]), np.array([1, 1, 2 / 3]), np.array([0.9, 0.7, 0.5]))
    chart = coverage_chart(curve, rejection=Rejection(0.7, 0.05))
    assert (chart.dots[0].x, chart.dots[0].y) == _places(chart.lines[0])[1]
    assert "66.7% are answered and 100.0% of these are right" in chart.text
    assert not coverage_chart(curve, rejection=Rejection(0.95, 0.05)).dots
