"""Figures → the numbers of a chart in SVG: where lines, dots and ticks lie. The page draws them in its own colours."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainer.judging.evaluate import Bin
from trainer.judging.rejection import Coverage, Rejection
from trainer.report import Epoch

WIDTH, HEIGHT = 480, 300
LEFT, RIGHT, TOP, BOTTOM = 60, 24, 12, 44
"""Room for the numbers and names of the axes, in the units of the drawing."""
MOST_POINTS = 300
"""Of a line; more cannot be seen."""
TENTHS = tuple((share / 100, f"{share}%") for share in range(0, 101, 10))
PERCENT = TENTHS[::2]
STEPS = (*(base * 10**power for power in range(-2, 3) for base in (1, 2, 5)), float("inf"))
"""Between the ticks of a loss, in nats."""
MOST_TICKS = 6

Span = tuple[float, float]
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Line:
    """A line by its name; `points` as SVG writes them, `style` a class of the page's style sheet."""

    name: str
    style: str
    points: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A filled circle with what it means."""

    x: float
    y: float
    radius: float
    title: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A number beside an axis: its place along the axis, and the text."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart; all places are in a drawing of `WIDTH` × `HEIGHT`, y down.

    `note` stands below it, and `text` says all of it in words to those who cannot see it.
    """

    title: str
    note: str
    text: str
    x_name: str
    y_name: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    dots: tuple[Dot, ...] = ()


@dataclass(frozen=True, slots=True)
class Axes:
    """How values become places: the first and the last value along each side."""

    x: Span
    y: Span

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a point lies in the drawing."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return round(LEFT + across * (WIDTH - LEFT - RIGHT), 1), round(
            HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM), 1
        )

    def line(self, name: str, style: str, points: Points) -> Line:
        """A line through points, thinned to what can be seen."""
        every = -(-len(points) // MOST_POINTS)
        kept = [*points[:-1:every], points[-1]]
        places = (self.place(x, y) for x, y in kept)
        return Line(name, style, " ".join(f"{x:g},{y:g}" for x, y in places))

    def x_ticks(self, texts: Sequence[tuple[float, str]]) -> tuple[Tick, ...]:
        """Numbers under the horizontal axis."""
        return tuple(Tick(self.place(value, self.y[0])[0], text) for value, text in texts)

    def y_ticks(self, texts: Sequence[tuple[float, str]]) -> tuple[Tick, ...]:
        """Numbers beside the vertical axis."""
        return tuple(Tick(self.place(self.x[0], value)[1], text) for value, text in texts)


def accuracy_curve(history: Sequence[Epoch], *, best_epoch: int) -> Chart:
    """Accuracy over the epochs of a training, two at least."""
    frame = Axes(_epochs(history), (0.0, 1.0))
    best = next((epoch for epoch in history if epoch.epoch == best_epoch), history[-1])
    return _curve(history, frame, "accuracy", best=best, y_texts=PERCENT)


def loss_curve(history: Sequence[Epoch], *, best_epoch: int) -> Chart:
    """Cross entropy over the epochs of a training, two at least."""
    most = max(max(epoch.loss, epoch.validation_loss) for epoch in history)
    frame = Axes(_epochs(history), (0.0, most * 1.05 or 1.0))
    best = next((epoch for epoch in history if epoch.epoch == best_epoch), history[-1])
    step = next(step for step in STEPS if step * MOST_TICKS >= most)
    texts = [(value, f"{value:g}") for value in (round(step * at, 3) for at in range(MOST_TICKS + 1)) if value <= most]
    return _curve(history, frame, "loss", best=best, y_texts=texts)


def _curve(
    history: Sequence[Epoch], frame: Axes, name: str, *, best: Epoch, y_texts: Sequence[tuple[float, str]]
) -> Chart:
    training = [(epoch.epoch, getattr(epoch, name)) for epoch in history]
    validation = [(epoch.epoch, getattr(epoch, f"validation_{name}")) for epoch in history]
    reached = getattr(best, f"validation_{name}")
    shown = f"{reached:.1%}" if name == "accuracy" else f"{reached:.3f}"
    text = (
        f"{name.capitalize()} over {len(history)} epochs; in epoch {best.epoch}, the one kept, validation has {shown}."
    )
    epochs = sorted({round(value) for value in np.linspace(*frame.x, 6).tolist()})
    return Chart(
        title=name.capitalize(),
        note=text,
        text=text,
        x_name="epoch",
        y_name="share that is right" if name == "accuracy" else "cross entropy, nats",
        x_ticks=frame.x_ticks([(epoch, str(epoch)) for epoch in epochs]),
        y_ticks=frame.y_ticks(y_texts),
        lines=(frame.line("training", "second", training), frame.line("validation", "first", validation)),
        dots=(Dot(*frame.place(best.epoch, reached), 5, f"epoch {best.epoch}: {shown}"),),
    )


def _epochs(history: Sequence[Epoch]) -> Span:
    return float(history[0].epoch), float(history[-1].epoch)


def reliability_chart(bins: Sequence[Bin], *, calibration_error: float) -> Chart:
    """Accuracy by confidence; the area of a dot is the number of answers."""
    frame = Axes((0.0, 1.0), (0.0, 1.0))
    most = max(found.count for found in bins)
    dots = tuple(
        Dot(
            *frame.place(found.confidence, found.accuracy),
            round(4 + 8 * float(np.sqrt(found.count / most)), 1),
            f"{found.count} answered with about {found.confidence:.0%} confidence, {found.accuracy:.0%} of them right",
        )
        for found in bins
    )
    note = f"Calibration error {calibration_error:.1%}."
    return Chart(
        title="Is it as sure as it is right?",
        note=f"{note} The larger a dot, the more answers; below the line it is too sure.",
        text=f"{note} " + "; ".join(dot.title for dot in dots) + ".",
        x_name="confidence of the answers",
        y_name="share that is right",
        x_ticks=frame.x_ticks(PERCENT),
        y_ticks=frame.y_ticks(PERCENT),
        lines=(frame.line("as sure as right", "aside", [(0, 0), (1, 1)]),),
        dots=dots,
    )


def coverage_chart(curve: Coverage, *, rejection: Rejection | None) -> Chart:
    """Accuracy of the surest answers by their share of all."""
    least = min(0.8, float(np.floor(curve.accuracy.min() * 10) / 10))
    frame = Axes((0.0, 1.0), (least, 1.0))
    points = list(zip(curve.coverage.tolist(), curve.accuracy.tolist(), strict=True))
    dots: tuple[Dot, ...] = ()
    text = f"{points[-1][1]:.1%} of all answers are right."
    if rejection is not None and (point := curve.at(rejection)):
        share, right = point
        dots = (Dot(*frame.place(share, right), 6, f"at the threshold {share:.1%} are answered, {right:.1%} right"),)
        text += f" With the threshold, {share:.1%} are answered and {right:.1%} of these are right."
    return Chart(
        title="What if only the surest answers count?",
        note=text,
        text=text,
        x_name="share of the photographs that is answered",
        y_name="share that is right",
        x_ticks=frame.x_ticks(PERCENT),
        y_ticks=frame.y_ticks([(share, text) for share, text in TENTHS if share >= least]),
        lines=(frame.line("the surest answers", "first", points),),
        dots=dots,
    )
