"""A search for the learning rate, batch size and strength of augmentation that suit some photographs.

Optuna proposes (tree-structured Parzen estimators; Bergstra et al. 2011) and ends what stays below the median of the
others. The study is a SQLite file, so a search that was killed goes on where it was: each proposal follows from the
seed and from the trials that are over. Imports Optuna: import this module lazily.
"""

import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import DatabaseError

from edge_agent.shelf import ConfigError, DataError, HaltedError
from trainer.report import Epoch, Watch, best_of, clock
from trainer.training.checkpoint import differences, plain
from trainer.training.recipe import RANGES, Recipe
from trainer.training.trials import Choice, Outcome, Tried

STUDY = "study.db"
STRENGTHS = (0.0, 2.0)
"""Least and greatest strength of augmentation; 1 is that of an ordinary training."""
LR_SPAN = 10.0
"""The learning rate is sought from the recipe's own divided by this, to the same multiplied by it."""
BATCH_STEPS = (-2, -1, 0, 1, 2)
"""Batches that are tried: the recipe's own, halved and doubled up to two times."""
ALONE = 3
"""Trials that run to their end before any is compared with them."""


@dataclass(frozen=True, slots=True)
class Space:
    """What there is to choose from: learning rates from least to greatest, on a logarithmic scale, and batches."""

    lr: tuple[float, float]
    batches: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to search.

    Attributes:
        trials: In all, those of earlier runs included.
        start: The first choice: what would be trained without a search.
        spared: Epochs that each trial has before it is compared with others.
        made_by: What must be the same for a search to go on, by name.
        seed: The proposals follow from it.
        until_s: No trial begins, and none goes on, after this time of `report.clock`; None for no limit.
    """

    trials: int
    start: Choice
    spared: int
    made_by: dict[str, Any]
    seed: int
    until_s: float | None = None


Attempt = Callable[[Choice, Callable[[Epoch], None]], bool]
"""Trains with a choice, and calls back after each epoch; False when a person ended it."""


class _TimeUpError(Exception):
    """The search must end, in the middle of a trial."""


def space_around(recipe: Recipe, *, examples: int) -> Space:
    """What is worth trying for a recipe: learning rates around its own, and batches that `examples` fill."""
    least, greatest = RANGES["lr"]
    batches = {max(1, round(recipe.batch * 2.0**step)) for step in BATCH_STEPS}
    fitting = sorted(batch for batch in batches if batch <= max(examples, min(batches)))
    return Space((max(least, recipe.lr / LR_SPAN), min(greatest, recipe.lr * LR_SPAN)), tuple(fitting))


def search(folder: Path, space: Space, plan: Plan, attempt: Attempt, watch: Watch) -> tuple[Tried, ...]:
    """Try choices until there are enough, time is up, or a person ends it; all trials that are over, in their order.

    Raises:
        ConfigError: The folder holds a search for something else.
    """
    with _study(folder, plan) as study:
        start = replace(plan.start, batch=min(space.batches, key=lambda batch: abs(batch - plan.start.batch)))
        if earlier := len(settled(study)):
            watch.say(f"going on after {earlier} trials, which {folder} holds")
        while (done := len(settled(study))) < plan.trials and _time_for_another(study, plan):
            study.sampler = optuna.samplers.TPESampler(seed=_seed(plan.seed, done), n_startup_trials=_startup(plan))
            if not done:
                study.enqueue_trial(asdict(start))
            if not _try(study, space, plan, attempt):
                break
            watch.say(_line(settled(study)[-1]))
        return settled(study)


def settled(study: optuna.Study) -> tuple[Tried, ...]:
    """The trials that are over; one that was cut off in the middle is none."""
    over = [trial for trial in study.trials if trial.user_attrs.get("outcome")]
    return tuple(_trial(trial, number) for number, trial in enumerate(over, start=1))


@contextmanager
def _study(folder: Path, plan: Plan) -> Iterator[optuna.Study]:
    """The study in a folder, new or as it was left, and closed afterwards."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # what there is to say, we say ourselves
    folder.mkdir(parents=True, exist_ok=True)
    try:
        storage = optuna.storages.RDBStorage(f"sqlite:///{(folder / STUDY).resolve()}")
    except DatabaseError as error:
        raise DataError(f"{folder / STUDY} cannot be read ({error.orig}). Delete it, or name another --out.") from error
    try:
        study = optuna.create_study(
            study_name="shelf-train tune",
            storage=storage,
            load_if_exists=True,
            direction="maximize",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=ALONE, n_warmup_steps=plan.spared),
        )
        _refuse_another(folder, study, plan)
        for trial in study.get_trials(states=(TrialState.RUNNING,)):  # a search was killed in the middle of it
            study.tell(trial.number, state=TrialState.FAIL)
        yield study
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _refuse_another(folder: Path, study: optuna.Study, plan: Plan) -> None:
    """A study knows what it is for; trials of something else would mislead it."""
    was = study.user_attrs.get("made_by")
    if was is None:
        study.set_user_attr("made_by", plain(plan.made_by))
    elif problems := differences(was, plan.made_by):
        raise ConfigError(f"{folder} holds a search that was asked for differently. Name another --out:", problems)


def _try(study: optuna.Study, space: Space, plan: Plan, attempt: Attempt) -> bool:
    """One trial; False when a person ended it, which leaves it unsettled."""
    trial = study.ask()
    choice = _choose(trial, space)
    epochs: list[Epoch] = []
    began = clock()

    def after_epoch(epoch: Epoch) -> None:
        epochs.append(epoch)
        trial.report(epoch.validation_accuracy, epoch.epoch)
        if plan.until_s is not None and clock() >= plan.until_s:
            raise _TimeUpError
        if trial.should_prune():
            raise optuna.TrialPruned("below the median of the others")

    outcome: Outcome = "complete"
    remark, ended = "", False
    try:
        ended = not attempt(choice, after_epoch)
    except _TimeUpError:
        ended = True
    except optuna.TrialPruned as pruned:
        outcome, remark = "pruned", str(pruned)
    except (DataError, HaltedError) as error:  # it diverged, or a large batch is too much for the memory
        outcome, remark = "failed", str(error).splitlines()[0]
    if ended:
        study.tell(trial, state=TrialState.FAIL)
        return False
    best = best_of(epochs) if epochs else None
    tried = Tried(
        number=0,  # it is counted when it is read
        **asdict(choice),
        accuracy=best.validation_accuracy if best else None,
        loss=best.validation_loss if best else None,
        epochs=len(epochs),
        seconds=round(clock() - began, 1),
        outcome=outcome,
        remark=remark,
    )
    _settle(study, trial, tried)
    return True


def _settle(study: optuna.Study, trial: optuna.Trial, tried: Tried) -> None:
    """Write down what came of a trial."""
    for name, value in asdict(tried).items():
        trial.set_user_attr(name, value)
    if tried.outcome == "complete":
        study.tell(trial, tried.accuracy)
        return
    if tried.accuracy is None:
        trial.report(0.0, 1)
    study.tell(trial, state=TrialState.PRUNED)  # Optuna learns from what was pruned, but not from what it calls failed


def _choose(trial: optuna.Trial, space: Space) -> Choice:
    """Let Optuna choose, and round so that a command line can say it."""
    return Choice(
        lr=float(f"{trial.suggest_float('lr', *space.lr, log=True):.3g}"),
        batch=int(trial.suggest_categorical("batch", space.batches)),
        augment=round(trial.suggest_float("augment", *STRENGTHS), 2),
    )


def _time_for_another(study: optuna.Study, plan: Plan) -> bool:
    """Whether a trial as long as they usually are would end in time."""
    if plan.until_s is None:
        return True
    lasted = [trial.seconds for trial in settled(study) if trial.outcome == "complete"]
    return clock() + (statistics.median(lasted) if lasted else 0.0) < plan.until_s


def _trial(trial: FrozenTrial, number: int) -> Tried:
    return Tried(**{f.name: trial.user_attrs[f.name] for f in fields(Tried)} | {"number": number})


def _startup(plan: Plan) -> int:
    """Trials that are drawn at random before there is something to learn from."""
    return max(ALONE, min(10, plan.trials // 3))


def _seed(seed: int, done: int) -> int:
    """One for each proposal, so that a search that was cut off proposes what it would have."""
    return (seed * 1_000_003 + done) % 2**32


def _line(trial: Tried) -> str:
    reached = "nothing" if trial.accuracy is None else f"{trial.accuracy:.1%}"
    remark = f" ({trial.outcome}: {trial.remark})" if trial.remark else ""
    return (
        f"trial {trial.number}: lr {trial.lr:g}, batch {trial.batch}, augment {trial.augment:g} → {reached} "
        f"after {trial.epochs} epochs{remark}"
    )
