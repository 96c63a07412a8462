"""Charts of a conversion: bars, marks and lines lie where the figures say, within the chart."""

import re
from dataclasses import replace

import pytest

from converter.judging.gate import Bounds
from converter.judging.page_charts import BARS, drop_gauge, layer_bars, speed_charts, tick_step
from converter.judging.page_figures import Speed
from converter.quantizing.layers import ROUNDING
from tests.converter.judging.conversions import LAYERS, Course, evidence
from trainer.judging.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH


@pytest.fixture
def verdict(photographs, tmp_path):
    """The verdict of a course."""
    picture = next(photographs(tmp_path / "shapes", each=1, seed=4).glob("*/*.png"))
    return lambda **course: evidence([picture], Course(**course)).verdict


def test_the_widest_bar_is_the_worst_layer_and_the_mark_is_to_its_scale():
    """Widths are shares of one scale, on which the rounding mark lies too."""
    drawn = layer_bars(LAYERS, kept=[LAYERS[1].tensor])
    widths = [bar.width for bar in drawn.bars]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] < 100
    assert widths[0] / drawn.mark == pytest.approx(LAYERS[0].rmse_steps / ROUNDING, rel=0.01)
    assert [bar.style for bar in drawn.bars] == ["first", "second", "first"]
    assert drawn.bars[0].value == "1.20"
    assert "scores 1.20" in drawn.text


def test_where_every_layer_loses_less_than_rounding_the_mark_is_still_in_the_chart():
    """It is what the bars are compared with."""
    assert layer_bars([replace(LAYERS[0], rmse_steps=0.01)]).mark < 100


def test_a_deep_network_shows_its_worst_layers_only():
    """A hundred bars say less than twenty."""
    assert len(layer_bars(LAYERS[:1] * 100).bars) == BARS


@pytest.mark.parametrize(
    "course", [{}, {"lost": 0, "won": 9}, {"lost": 60}, {"count": 20, "right": 18, "lost": 0, "won": 0, "astray": 0}]
)
def test_everything_on_the_gauge_lies_on_it_in_order(verdict, course):
    """A gain lies left of zero, a loss right of it, the bound right of the drop; nothing falls off."""
    found = verdict(**course)
    drawn = drop_gauge(found, Bounds())
    marks = [drawn.found, drawn.reach, drawn.allowed, drawn.allowed_reach, *drawn.ticks]
    assert all(0 <= mark.at <= 100 for mark in marks)
    zero = next(tick.at for tick in drawn.ticks if tick.text == "0")
    assert (drawn.found.at > zero) == (found.drop_points > 0)
    assert drawn.found.at < drawn.reach.at
    assert zero < drawn.allowed.at < drawn.allowed_reach.at
    assert f"{found.drop_points:.2f} points" in drawn.text


def test_times_are_drawn_for_each_number_of_threads_on_one_scale():
    """A chart for one thread and one for two can be compared, and every point lies inside."""
    speeds = [Speed(threads, batch, 0.2 / threads, 0.6) for threads in (1, 2) for batch in (1, 2, 4, 8)]
    charts = speed_charts(speeds)
    assert [chart.title for chart in charts] == ["On 1 thread", "On 2 threads"]
    assert charts[0].y_ticks == charts[1].y_ticks
    assert [tick.text for tick in charts[0].x_ticks] == ["1", "2", "4", "8"]
    for chart in charts:
        assert [line.name for line in chart.lines] == ["int8", "float"]
        for line in chart.lines:
            points = [tuple(map(float, point.split(","))) for point in line.points.split()]
            assert len(points) == 4
            assert all(LEFT <= x <= WIDTH - RIGHT and TOP <= y <= HEIGHT - BOTTOM for x, y in points)
    assert "int8 takes 0.1 ms" in charts[1].note


def test_one_batch_is_a_chart_too():
    """A single point has no width to divide by."""
    (chart,) = speed_charts([Speed(1, 8, 0.2, 0.6)])
    assert re.fullmatch(r"[\d.]+,[\d.]+", chart.lines[0].points)
    assert len(chart.dots) == 1


def test_nothing_timed_is_no_chart():
    """No scale, no axes."""
    assert speed_charts([]) == ()


@pytest.mark.parametrize("span", [1e-4, 0.03, 0.78, 1.0, 4.2, 5.0, 1234.0])
def test_a_scale_has_few_round_ticks(span):
    """At most five steps reach the end, and each is 1, 2 or 5 times a power of ten."""
    step = tick_step(span)
    assert 1.9 < span / step <= 5.0001
    assert f"{step:e}"[0] in "125"
