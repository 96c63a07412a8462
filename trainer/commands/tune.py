"""`shelf-train tune`: photographs → the learning rate, batch size and augmentation to train them with."""

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from typer import Option

from edge_agent.shelf import ConfigError, DataError
from trainer.commands.common import Data, quiet_start, say
from trainer.commands.fit import fit
from trainer.photos import data, doubts
from trainer.place import check_folder
from trainer.report import Epoch, Terminal, Watch, clock
from trainer.training.checkpoint import Checkpoint, beside
from trainer.training.mishaps import explained
from trainer.training.recipe import Recipe, lengthened, settle
from trainer.training.run import Run
from trainer.training.trials import Choice, Tried, best, draw_trials, ranked, write_trials

if TYPE_CHECKING:
    from trainer.training.tune import Attempt

TRIALS_SHOWN = 30
"""Rows of the table; the CSV has all."""
PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
SOUGHT = ("lr", "batch", "augment")
RECIPE = frozenset(field.name for field in fields(Recipe)) - {"network"}
"""Parameters of `fit` that are called as in the recipe."""
OTHERS = RECIPE | {"photographs", "validation", "recipe", "network", "size"}
"""All parameters of `fit` that a search knows: the photographs and the recipe."""


def tune(
    context: typer.Context,
    photographs: Data,
    out: Annotated[Path, Option(help="Folder for trials.csv, search.png and best.json, and for the search itself.")],
    trials: Annotated[int, Option(min=1, help="Networks to train in all, those of earlier runs included.")] = 20,
    time_budget: Annotated[
        float | None, Option(min=0.01, metavar="MIN", help="Begin no trial that would end after so many minutes.")
    ] = None,
) -> None:
    """Search for the learning rate, batch size and strength of augmentation that suit your photographs.

    Every other option is one of shelf-train fit: what it gives for --lr and --batch is where the search begins. Run the
    same command again to go on after a kill.
    """
    until_s = None if time_budget is None else clock() + 60 * time_budget
    check_folder(out)
    asked = _asked(photographs, context.args)
    splits = data.load(photographs, validation=asked.validation, seed=asked.recipe.seed)
    for doubtful in doubts.of_training(splits, photographs):
        say(Console(stderr=True), f"warning: {doubtful}")
    recipe = asked.recipe if asked.epochs_given else lengthened(asked.recipe, photographs=len(splits.train))
    _search(splits, replace(asked, recipe=recipe), out, trials, until_s)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the options of `fit` say: the recipe to begin with, and those options as words, but for what is sought."""

    photographs: Path
    validation: Path | None
    recipe: Recipe
    epochs_given: bool
    words: tuple[str, ...]

    def line(self, choice: Choice, model: Path) -> str:
        """The command that trains with a choice."""
        chosen = [f"--{name}={getattr(choice, name):g}" for name in SOUGHT]
        length = [] if self.epochs_given else [f"--epochs={self.recipe.epochs}", f"--patience={self.recipe.patience}"]
        line = ["shelf-train", "fit", str(self.photographs), *self.words, *length, *chosen, f"--out={model}"]
        return shlex.join(line)


def _asked(photographs: Path, words: Sequence[str]) -> _Asked:
    """Read options of `fit` as `fit` reads them.

    Raises:
        ConfigError: One of them says how to run a training, not what comes of it.
    """
    reader = typer.Typer()
    reader.command("fit")(fit)
    command: Any = typer.main.get_command(reader)
    read = command.make_context("shelf-train tune", [str(photographs), *words, "--out=model.keras"])
    given = [option for option in command.params if read.get_parameter_source(option.name).name == "COMMANDLINE"]
    if strange := [option.opts[0] for option in given if option.name not in OTHERS | {"out"}]:
        raise ConfigError("the search cannot start:", [f"{name} is not for a search; leave it out" for name in strange])
    recipe = settle(
        read.params["network"],
        preset=read.params["recipe"],
        size_px=read.params["size"],
        **{name: read.params[name] for name in RECIPE if name in read.params},
    )
    kept = [option for option in given if option.name not in {*SOUGHT, "photographs", "out"}]
    names = {option.name for option in given}
    return _Asked(
        photographs,
        read.params["validation"],
        recipe,
        "epochs" in names,
        tuple(_word(option, read.params[option.name]) for option in kept),
    )


def _word(option: Any, value: Any) -> str:
    """An option as it is given on a command line."""
    if isinstance(value, bool):
        return str(option.opts[0] if value else option.secondary_opts[0])
    return f"{option.opts[0]}={value}"


def _search(splits: data.Splits, asked: _Asked, out: Path, trials: int, until_s: float | None) -> None:
    """Search, write, and say what came of it."""
    with quiet_start():
        import tensorflow as tf  # noqa: PLC0415 - it takes seconds to load

        from trainer.training import tune  # noqa: PLC0415
    tf.get_logger().setLevel("ERROR")  # it warns of functions that are compiled again, as those of each trial must be

    recipe = asked.recipe
    plan = tune.Plan(
        trials=trials,
        start=Choice(recipe.lr, recipe.batch, recipe.augment),
        spared=max(2, recipe.epochs // 4),
        made_by={**asdict(recipe), "photographs": data.fingerprint((*splits.train, *splits.validation), splits.labels)},
        seed=recipe.seed,
        until_s=until_s,
    )
    space = tune.space_around(recipe, examples=len(splits.train) * (recipe.views if recipe.frozen else 1))
    console = Console()
    count = len(splits.train)
    say(console, f"{trials} trials of {recipe.network} at {recipe.size_px} px, {count} photographs to train")
    with Terminal(console) as watch:
        found = tune.search(out, space, plan, _trainer(splits, recipe, out, watch), watch)
    if len(found) < trials:
        say(console, f"ended after {len(found)} of {trials} trials; run the same command again to go on")
    write_trials(found, out / "trials.csv")
    draw_trials(found, out / "search.png")
    _show(found, console)
    _conclude(found, asked, out, console)


def _trainer(splits: data.Splits, recipe: Recipe, out: Path, watch: Watch) -> "Attempt":
    """A function that trains with a choice."""
    import keras  # noqa: PLC0415 - it loads TensorFlow

    from trainer.training import fit as training  # noqa: PLC0415

    def attempt(choice: Choice, after_epoch: Callable[[Epoch], None]) -> bool:
        keras.backend.clear_session()  # or each network stays in memory
        trial = replace(recipe, **asdict(choice))
        try:
            with explained(trial, out, Checkpoint(beside(out), {})):
                course = training.fit(splits, trial, run=Run(after_epoch=after_epoch), watch=_Bar(watch)).course
        except KeyboardInterrupt:
            return False
        if course.ended == "diverged":
            raise DataError("the loss is no number any more: the learning rate is too high")
        return not course.interrupted

    return attempt


def _conclude(found: Sequence[Tried], asked: _Asked, out: Path, console: Console) -> None:
    """Write the best choice down, and say how to train with it."""
    if (top := best(found)) is None:
        raise DataError(f"no trial came to its end, so there is no best one. {found[-1].remark if found else ''}")
    line = asked.line(top.choice, out / "model.keras")
    written = {
        "accuracy": top.accuracy,
        "trial": top.number,
        "recipe": asdict(replace(asked.recipe, **asdict(top.choice))),
        "command": line,
    }
    (out / "best.json").write_text(json.dumps(written, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    say(console, f"wrote {', '.join(str(out / name) for name in ('trials.csv', 'search.png', 'best.json'))}")
    say(console, f"the best is trial {top.number}. Train it with:\n{line}")


class _Bar:
    """A `Watch` of which only the bar is shown: what is said of each training is said of the search in one line."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.advance = watch.advance

    def begin(self, stage: str, total: int) -> None:
        """Replace the bar, where it is the training."""
        if stage == "training":
            self._watch.begin(stage, total)

    def say(self, line: str) -> None:
        """Keep quiet."""


def _show(trials: Sequence[Tried], console: Console) -> None:
    """Print a table of the trials, the best first."""
    table = Table(
        "trial", "learning rate", "batch", "augment", "accuracy", "epochs", "s", "", title="Trials, best first"
    )
    for column in table.columns[:-1]:
        column.justify = "right"
    for trial in ranked(trials)[:TRIALS_SHOWN]:
        reached = "–" if trial.accuracy is None else f"{trial.accuracy:.1%}"
        row = (trial.number, f"{trial.lr:g}", trial.batch, f"{trial.augment:g}", reached, trial.epochs)
        outcome = "" if trial.outcome == "complete" else trial.outcome
        table.add_row(*(str(value) for value in row), f"{trial.seconds:.0f}", outcome)
    if (more := len(trials) - TRIALS_SHOWN) > 0:
        table.caption = f"and {more} more in trials.csv"
    console.print(table)
