"""Figures of a conversion → where bars, lines and marks lie. The page draws them in its own colours."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from converter.judging.gate import Bounds, Verdict
from converter.judging.page_figures import Speed
from converter.quantizing.layers import ROUNDING, LayerError
from trainer.judging.charts import Axes, Chart, Dot

BARS = 20
"""Layers in the chart, of the worst; the table has them all."""
MOST_TICKS = 5


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar by its name; `width` is a share of the chart's in percent, `value` what stands behind it."""

    name: str
    note: str
    width: float
    value: str
    style: str


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars below each other, and a line across them at `mark`, in percent of the width. `text` says it all in words."""

    bars: tuple[Bar, ...]
    mark: float
    mark_name: str
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on a scale, in percent of its width, and its text."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Gauge:
    """What int8 loses on a scale: measured, as far as chance may hide, and what is allowed of both; in percent."""

    found: Mark
    reach: Mark
    allowed: Mark
    allowed_reach: Mark
    ticks: tuple[Mark, ...]
    text: str


def layer_bars(errors: Sequence[LayerError], *, kept: Sequence[str] = ()) -> Bars:
    """The layers that lose most, the worst first, beside what rounding alone loses.

    Args:
        errors: One at least, the worst first.
        kept: Those that stay in float, by `LayerError.tensor`.
    """
    shown = errors[:BARS]
    widest = max(ROUNDING, *(error.rmse_steps for error in shown)) * 1.05
    bars = tuple(
        Bar(
            error.layer,
            error.operator + (", stays in float" if error.tensor in kept else ""),
            round(100 * error.rmse_steps / widest, 2),
            f"{error.rmse_steps:.2f}",
            "second" if error.tensor in kept else "first",
        )
        for error in shown
    )
    worst = ", ".join(f"{bar.name} {bar.value}" for bar in bars[:3])
    text = f"Error of {len(bars)} layers in steps; the worst are {worst}. Rounding alone gives {ROUNDING:.3f}."
    return Bars(bars, round(100 * ROUNDING / widest, 2), f"rounding alone: {ROUNDING:.3f}", text)


def drop_gauge(verdict: Verdict, bounds: Bounds) -> Gauge:
    """The drop beside its bound, and what is allowed of both, in points."""
    drop, reach = verdict.drop_points, verdict.metrics.drop_bound_points
    reach = drop if reach is None else reach
    low = min(0.0, drop) - 0.5
    high = max(bounds.proof_points, drop, reach) + 0.5
    step = tick_step(high - low)

    def mark(points: float, text: str) -> Mark:
        return Mark(round(100 * (points - low) / (high - low), 2), text)

    ticks = [round(step * at, 6) for at in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return Gauge(
        found=mark(drop, f"{drop:.2f}"),
        reach=mark(reach, f"{reach:.2f}"),
        allowed=mark(bounds.drop_points, f"{bounds.drop_points:g}"),
        allowed_reach=mark(bounds.proof_points, f"{bounds.proof_points:g}"),
        ticks=tuple(mark(points, f"{points:g}") for points in ticks),
        text=(
            f"The drop is {drop:.2f} points, {bounds.drop_points:g} are allowed; its bound is {reach:.2f},"
            f" {bounds.proof_points:g} are allowed."
        ),
    )


def speed_charts(speeds: Sequence[Speed]) -> tuple[Chart, ...]:
    """Milliseconds per crop over the size of the batch, int8 beside float; a chart for each number of threads."""
    most = max((max(speed.int8_ms, speed.float32_ms) for speed in speeds), default=0.0)
    return tuple(
        _speed_chart([speed for speed in speeds if speed.threads == threads], most)
        for threads in sorted({speed.threads for speed in speeds})
    )


def tick_step(span: float) -> float:
    """1, 2 or 5 times a power of ten, so that `MOST_TICKS` of them reach as far as `span`, which is above 0.

    >>> tick_step(4.2), tick_step(0.03)
    (1.0, 0.01)
    """
    power = 10.0 ** math.floor(math.log10(span / MOST_TICKS))
    return float(next(base * power for base in (1, 2, 5, 10) if base * power * MOST_TICKS >= span * (1 - 1e-9)))


def _speed_chart(speeds: Sequence[Speed], most: float) -> Chart:
    """One number of threads; `most` is the top of the scale, the same in all charts."""
    threads = "1 thread" if speeds[0].threads == 1 else f"{speeds[0].threads} threads"
    places = [math.log2(speed.batch) for speed in speeds]
    axes = Axes((min(places) - 0.2, max(places) + 0.2), (0.0, most * 1.05))
    step = tick_step(most)
    ticks = [round(step * at, 9) for at in range(MOST_TICKS + 1) if step * at <= most * 1.05]
    small = [(place, speed.int8_ms) for place, speed in zip(places, speeds, strict=True)]
    large = [(place, speed.float32_ms) for place, speed in zip(places, speeds, strict=True)]
    last = speeds[-1]
    text = f"With {last.batch} in a batch, int8 takes {last.int8_ms:.3g} ms a crop and float {last.float32_ms:.3g} ms."
    return Chart(
        title=f"On {threads}",
        note=text,
        text=f"Time per crop on {threads}. {text}",
        x_name="crops in a batch",
        y_name="ms per crop",
        x_ticks=axes.x_ticks([(place, str(speed.batch)) for place, speed in zip(places, speeds, strict=True)]),
        y_ticks=axes.y_ticks([(value, f"{value:g}") for value in ticks]),
        lines=(axes.line("int8", "first", small), axes.line("float", "second", large)),
        dots=tuple(Dot(*axes.place(*point), 4, f"int8: {point[1]:.3g} ms") for point in small),
    )
