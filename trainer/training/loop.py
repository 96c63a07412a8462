"""Epochs over batches until nothing gets better; the best one is what remains. Imports TensorFlow: import it lazily."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from edge_agent.shelf import DataError
from trainer.report import Epoch, Watch, best_of, clock
from trainer.training.budget import planned_epochs
from trainer.training.checkpoint import Checkpoint, State
from trainer.training.loss import loss_of
from trainer.training.recipe import Recipe
from trainer.training.step import Trainee, rate, trainee
from trainer.training.strategy import Team, assemble

Ending = Literal["done", "patience", "time", "interrupted", "diverged"]
"""All epochs, nothing better for long, as many as fit into the time budget, Ctrl-C, or a loss that is no number."""


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """What there is to train on.

    `draw` gives a batch: inputs, and targets (n, classes) float32 that sum to 1 per row. `judge` gives the validation's
    loss (nats) and accuracy (0..1) as the model is now. `steps` batches make an epoch. `group_of` holds the group of
    each label, where labels have groups, and `class_weights` how much each class counts, where not all do the same.
    """

    draw: Callable[[], tuple[NDArray[Any], NDArray[np.float32]]]
    judge: Callable[[], tuple[float, float]]
    steps: int
    group_of: tuple[int, ...] | None = None
    class_weights: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Conditions:
    """Under which a training runs; by default on one device, as long as it takes, and nothing is kept meanwhile.

    Attributes:
        team: The devices.
        checkpoint: Where each epoch is kept.
        earlier: What an earlier run left there; `draw` then begins with the epoch after it.
        deadline_s: When the network should be written, by `report.clock`.
        after_epoch: Is called with the figures of each epoch; what it raises ends the training.
    """

    team: Team = field(default_factory=lambda: assemble("none"))
    checkpoint: Checkpoint | None = None
    earlier: State | None = None
    deadline_s: float | None = None
    after_epoch: Callable[[Epoch], None] | None = None

    @property
    def done(self) -> int:
        """Epochs that are over when it begins."""
        return len(self.earlier.history) if self.earlier else 0


@dataclass(frozen=True, slots=True)
class Course:
    """How a training went: its epochs, the number of the best, and why it ended."""

    history: tuple[Epoch, ...]
    best_epoch: int
    ended: Ending

    @property
    def interrupted(self) -> bool:
        """Whether a person ended it."""
        return self.ended == "interrupted"


@dataclass(frozen=True, slots=True, eq=False)
class _Training:
    """All that stays the same from one epoch to the next."""

    model: keras.Model
    trainee: Trainee
    work: Work
    recipe: Recipe
    watch: Watch
    under: Conditions


@dataclass(frozen=True, slots=True, eq=False)
class _Progress:
    """What does not: the epochs so far, how many there will be, and the weights of the best one."""

    history: tuple[Epoch, ...]
    planned: int
    best_weights: list[NDArray[Any]]


class _DivergedError(Exception):
    """The loss is no number."""


def train(model: keras.Model, work: Work, recipe: Recipe, watch: Watch, under: Conditions | None = None) -> Course:
    """Train a model in place, and leave it with the weights of its best epoch, averaged where the recipe says so.

    The best epoch has the highest validation accuracy, and of equals the lowest validation loss. Ctrl-C, and a loss
    that is no number, end the training as patience does, once there is an epoch to keep.

    Raises:
        KeyboardInterrupt: Ctrl-C came before the first epoch was over.
        DataError: The loss was no number before the first epoch was over.
    """
    under = under or Conditions()
    loss = loss_of(recipe, work.group_of, class_weights=work.class_weights)
    this = _Training(model, trainee(model, recipe, loss, under.team), work, recipe, watch, under)
    so_far = _begin(this)
    watch.begin("training", (so_far.planned - len(so_far.history)) * work.steps)
    try:
        while (ended := _ended(so_far, recipe)) is None:
            so_far = _epoch(this, so_far)
            if under.after_epoch is not None:
                under.after_epoch(so_far.history[-1])
    except KeyboardInterrupt:
        if not so_far.history:
            raise
        ended = "interrupted"
    except _DivergedError as error:
        if not so_far.history:
            raise DataError(f"{error}. Lower --lr, now {recipe.lr:g}.") from None
        watch.say(f"{error}; the best epoch before is kept")
        ended = "diverged"
    model.set_weights(so_far.best_weights)
    return Course(so_far.history, best_of(so_far.history).epoch, ended)


def _begin(this: _Training) -> _Progress:
    """At the beginning, or where an earlier run came to."""
    earlier = this.under.earlier
    if earlier is None:
        return _Progress((), this.recipe.epochs, [])
    for name, variables in this.trainee.variables().items():
        for variable, value in zip(variables, earlier.arrays[name], strict=True):
            variable.assign(value)
    this.watch.say(f"going on after epoch {len(earlier.history)} of {earlier.planned}: {_figures(earlier.history[-1])}")
    return _Progress(earlier.history, earlier.planned, list(earlier.arrays["best"]))


def _ended(so_far: _Progress, recipe: Recipe) -> Ending | None:
    """Why there is no other epoch, or None."""
    done = len(so_far.history)
    if done and done - best_of(so_far.history).epoch >= recipe.patience:
        return "patience"
    if done >= so_far.planned:
        return "done" if so_far.planned == recipe.epochs else "time"
    return None


def _epoch(this: _Training, so_far: _Progress) -> _Progress:
    """Train for one epoch, judge, and keep what there is."""
    began = clock()
    number = len(so_far.history) + 1
    loss, accuracy, compiling_s = _pass(this, so_far)
    judging = clock()
    with this.trainee.averaged():
        judged = this.under.team.agree(this.work.judge())
        weights = this.model.get_weights()
    _refuse_nonsense(judged[0], number)
    judging_s = clock() - judging
    reached = rate(number * this.work.steps, so_far.planned * this.work.steps, this.recipe.lr)
    epoch = Epoch(number, loss, accuracy, judged[0], judged[1], reached, clock() - began)
    if not so_far.history or epoch.validation_accuracy > best_of(so_far.history).validation_accuracy:
        this.watch.say(f"epoch {number}/{so_far.planned}: {_figures(epoch)}, {epoch.seconds:.1f} s")
    history = (*so_far.history, epoch)
    best_weights = weights if best_of(history) is epoch else so_far.best_weights
    usual_s = [epoch.seconds - compiling_s] if number == 1 else [each.seconds for each in history]
    # what follows the last epoch, calibration and the final figures, looks at the same photographs twice more
    planned = _planned(this, usual_s, closing_s=2 * judging_s)
    after = _Progress(history, planned, best_weights)
    _keep(this, after)
    return after


def _pass(this: _Training, so_far: _Progress) -> tuple[float, float, float]:
    """Train on every batch of an epoch: mean loss, accuracy on the views, and how long the first step took longer.

    Raises:
        _DivergedError: A loss is no number.
    """
    done, steps = len(so_far.history), this.work.steps
    note = f"epoch {done + 1}/{so_far.planned}" + (f", {_figures(so_far.history[-1])}" if done else "")
    figures: list[tuple[float, float]] = []
    ends_s = [clock()]
    for step in range(done * steps, (done + 1) * steps):
        this.trainee.at_rate(rate(step, so_far.planned * steps, this.recipe.lr))
        figures.append(this.trainee.step(*this.work.draw()))
        _refuse_nonsense(figures[-1][0], done + 1)
        this.watch.advance(note)
        ends_s.append(clock())
    loss, accuracy = np.mean(figures, axis=0)  # batches are all of one size
    steps_s = np.diff(ends_s)
    return float(loss), float(accuracy), max(0.0, float(steps_s[0] - np.median(steps_s)))


def _refuse_nonsense(loss: float, number: int) -> None:
    if not np.isfinite(loss):
        raise _DivergedError(f"the loss is {loss} in epoch {number}: the training diverged")


def _planned(this: _Training, durations_s: Sequence[float], *, closing_s: float) -> int:
    """How many epochs there will be, now that it is known how long one takes."""
    deadline_s, asked = this.under.deadline_s, this.recipe.epochs
    left_s = None if deadline_s is None else deadline_s - clock() - closing_s
    fitting = planned_epochs(asked, durations_s, left_s=left_s)
    planned = int(this.under.team.agree([fitting])[0])
    if len(durations_s) == 1 and planned < asked:
        this.watch.say(f"{planned} of {asked} epochs fit into the time budget; the learning rate falls accordingly")
    return planned


def _keep(this: _Training, so_far: _Progress) -> None:
    """Write an epoch down, so that it need not be trained again."""
    if this.under.checkpoint is None:
        return
    # every worker reads its variables, since some are averaged over all of them while they are read
    arrays = {
        name: tuple(np.asarray(variable.numpy()) for variable in variables)
        for name, variables in this.trainee.variables().items()
    }
    if this.under.team.chief:
        kept = State(so_far.history, so_far.planned, {**arrays, "best": tuple(so_far.best_weights)})
        this.under.checkpoint.write(kept)


def _figures(epoch: Epoch) -> str:
    return f"loss {epoch.loss:.3f}, validation accuracy {epoch.validation_accuracy:.1%}"
