"""`shelf-train fit`: photographs → a network, its card and its curves."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from typer import Option

from edge_agent.shelf import ConfigError, DataError
from trainer.commands.common import Data, Seed, quiet_start, say
from trainer.judging.evaluate import together
from trainer.judging.rejection import KNOWN_LOST
from trainer.nets import networks
from trainer.photos import data, doubts
from trainer.photos.folds import deal
from trainer.photos.leave_out import leave_out
from trainer.place import check_file, check_folder, refuse_folder
from trainer.report import Terminal
from trainer.training.checkpoint import Checkpoint, beside
from trainer.training.mishaps import explained
from trainer.training.recipe import ClassWeights, Preset, Recipe, lengthened, settle
from trainer.training.run import Run, StrategyName

NETWORKS = f"{', '.join((*networks.SCRATCH, *networks.SHELF))}, or any of keras.applications by its name."


def fit(  # noqa: PLR0913, PLR0917 - one parameter per option
    photographs: Data,
    out: Annotated[Path, Option(help="The model to write, a .keras file; its card, history and curves go beside it.")],
    validation: Annotated[Path | None, Option(help="Held-out photographs: a list, or a folder per class.")] = None,
    recipe: Annotated[Preset, Option(help="quick trains in minutes, best fine-tunes for the best figures.")] = "quick",
    network: Annotated[str, Option(help=NETWORKS)] = "mobilenet-v2",
    size: Annotated[int | None, Option(help="Side of the input in pixels; 150 or 224 by default.")] = None,
    width: Annotated[float | None, Option(help="Multiplies the filters of each layer; MobileNet's alpha.")] = None,
    weights: Annotated[
        str | None, Option(help="imagenet, none, or a Keras .weights.h5 file; imagenet by default, if there is one.")
    ] = None,
    unfreeze: Annotated[
        float | None,
        Option(help="Share of the backbone's layers to train, 0..1; with weights, quick trains none."),
    ] = None,
    flip: Annotated[bool, Option("--flip/--no-flip", help="Mirror at random; not for products with text.")] = True,  # noqa: FBT002 - an option
    epochs: Annotated[int | None, Option(help="At most so many; more for few photographs, unless given.")] = None,
    batch: Annotated[int | None, Option(help="Photographs per step.")] = None,
    lr: Annotated[float | None, Option(help="Peak learning rate.")] = None,
    patience: Annotated[int | None, Option(help="Stop after so many epochs without a better one.")] = None,
    views: Annotated[int | None, Option(help="Looks at each photograph through a frozen backbone.")] = None,
    label_smoothing: Annotated[float | None, Option(help="Taken from the true class; costs confidence.")] = None,
    dropout: Annotated[float | None, Option(help="Share of the features that training hides from the head.")] = None,
    augment: Annotated[float | None, Option(help="Strength of the augmentation: 0 none, 1 as usual, 2 twice.")] = None,
    crop: Annotated[float | None, Option(help="Least share of a photograph's side that a view shows.")] = None,
    effects: Annotated[float | None, Option(help="Glare, price tags, arms: 0 never, 1 as in a store.")] = None,
    mixup: Annotated[float | None, Option(help="Probability that a batch is blended in pairs.")] = None,
    cutmix: Annotated[float | None, Option(help="Probability that its photographs are patched with others.")] = None,
    ema: Annotated[float | None, Option(help="Decay per step of the moving average that is kept; 0 is off.")] = None,
    coarse: Annotated[float | None, Option(help="Weight of the loss over groups, where labels have groups.")] = None,
    class_weights: Annotated[
        ClassWeights, Option(help="balanced: a class of few photographs counts as any other.")
    ] = "none",
    embedding: Annotated[int | None, Option(help="Dimensions in which products are compared; 0 for none.")] = None,
    folds: Annotated[
        int | None, Option(help="Cross-validate on the training photographs: so many networks, figures, no model.")
    ] = None,
    left_out: Annotated[
        int | None,
        Option("--leave-out", help="Keep so many classes from the training, and see whether they are told as unknown."),
    ] = None,
    mixed_precision: Annotated[bool, Option("--mixed-precision", help="Compute in float16; on GPUs only.")] = False,  # noqa: FBT002 - an option
    strategy: Annotated[
        StrategyName, Option(help="mirrored: all GPUs; multi-worker: the machines of TF_CONFIG, see above.")
    ] = "none",
    time_budget: Annotated[
        float | None, Option(min=0.01, metavar="MIN", help="End after so many minutes at most.")
    ] = None,
    tensorboard: Annotated[Path | None, Option(help="Folder for the figures of each epoch, for TensorBoard.")] = None,
    fresh: Annotated[bool, Option("--fresh", help="Begin anew, though an unfinished training lies there.")] = False,  # noqa: FBT002 - an option
    seed: Seed = 0,
) -> None:
    """Train a network; the best epoch is what is written. Ctrl-C keeps the best so far.

    Each epoch is kept in OUT.partial until the model is written: after a kill, the same command goes on from there.

    With --strategy multi-worker, run the same command on every machine, each with its own index in TF_CONFIG, such as
    {"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, "task": {"type": "worker", "index": 0}}. Worker 0
    writes; --out must be on a disk that all of them see.
    """
    _check_place(out)
    if tensorboard is not None:
        check_folder(tensorboard, option="--tensorboard")
    run = Run(beside(out), fresh, None if time_budget is None else 60 * time_budget, tensorboard, strategy)
    if folds is not None and (left_out is not None or run != Run(beside(out))):
        lone = "--leave-out, --time-budget, --tensorboard, --strategy and --fresh"
        problem = f"--folds trains several networks: leave {lone} out"
        raise ConfigError("the training cannot start:", [problem])
    settled = settle(
        network,
        preset=recipe,
        weights=weights,
        unfreeze=unfreeze,
        size_px=size,
        width=width,
        epochs=epochs,
        batch=batch,
        lr=lr,
        patience=patience,
        views=views,
        flip=flip,
        label_smoothing=label_smoothing,
        dropout=dropout,
        augment=augment,
        crop=crop,
        effects=effects,
        mixup=mixup,
        cutmix=cutmix,
        ema=ema,
        coarse=coarse,
        class_weights=class_weights,
        embedding=embedding,
        mixed_precision=mixed_precision,
        seed=seed,
    )
    splits = data.load(photographs, validation=validation, seed=seed)
    for doubtful in doubts.of_training(splits, photographs):
        say(Console(stderr=True), f"warning: {doubtful}")
    unknown: tuple[data.Photo, ...] = ()
    if left_out is not None:
        splits, unknown = leave_out(splits, left_out, seed=seed)
    settled = settled if epochs else lengthened(settled, photographs=len(splits.train))
    if folds is not None:
        _cross_validate(deal(splits, folds, seed=seed), settled, out)
        return
    _fit(splits, settled, out, unknown=unknown, run=run)


def _check_place(out: Path) -> None:
    """Find out before an hour of training whether its outcome can be written."""
    if out.suffix != ".keras":
        raise ConfigError("the training cannot start:", [f'--out is "{out}"; its name must end in .keras'])
    check_file(out)
    refuse_folder(out)


def _trained(recipe: Recipe) -> str:
    """Which layers are trained, in words."""
    if recipe.frozen:
        return "the head alone"
    return "all layers" if recipe.unfreeze == 1 else f"the head and {recipe.unfreeze:.0%} of the backbone's layers"


def _cross_validate(dealt: tuple[data.Splits, ...], recipe: Recipe, out: Path) -> None:
    """Train a network for each fold, and write what they are worth together."""
    with quiet_start():
        from trainer.training import fit  # noqa: PLC0415 - TensorFlow takes seconds to load

    console = Console()
    evaluations = []
    with explained(recipe, out, Checkpoint(beside(out), {})), Terminal(console) as watch:
        for number, splits in enumerate(dealt, 1):
            watch.say(f"fold {number} of {len(dealt)}: {len(splits.train)} photographs to train")
            evaluations.append(fit.fit(splits, recipe, watch=watch).evaluation)
    figures = together(evaluations)
    path = out.with_name("folds.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"recipe": asdict(recipe), **figures}, indent=2) + "\n", encoding="utf-8")
    for name, mean in figures["mean"].items():
        say(console, f"{name.replace('_', ' ')}: {mean:.3f} ± {figures['spread'][name]:.3f}")
    say(console, f"wrote {path}")


def _fit(splits: data.Splits, recipe: Recipe, out: Path, *, unknown: tuple[data.Photo, ...], run: Run) -> None:
    """Train, write, and say what came of it."""
    with quiet_start():
        from trainer.training import fit  # noqa: PLC0415 - TensorFlow takes seconds to load

    console = Console()
    say(
        console,
        f"{recipe.network} of width {recipe.width:g} at {recipe.size_px} px, weights {recipe.weights}, "
        f"{_trained(recipe)}: {len(splits.labels)} classes, "
        f"{len(splits.train)} photographs to train, {len(splits.validation)} to validate",
    )
    checkpoint = Checkpoint(beside(out), {})
    with explained(recipe, out, checkpoint):
        try:
            with Terminal(console) as watch:
                trained = fit.fit(splits, recipe, watch=watch, unknown=unknown, run=run)
        except KeyboardInterrupt:
            console.print("stopped before the first epoch was over; nothing was written")
            raise typer.Exit(130) from None
        if not trained.chief:
            console.print("the first worker writes the model; this one is done")
            return
        files = fit.write(trained, out)
    course, figures = trained.course, trained.evaluation
    if course.interrupted:
        console.print("stopped by Ctrl-C; the best epoch so far is written. Run the same command again to go on")
    else:
        checkpoint.remove()
    if course.ended == "time":
        console.print(f"{len(course.history)} of {recipe.epochs} epochs fitted into the time budget")
    groups = f" (groups {figures.coarse.accuracy:.1%})" if figures.coarse else ""
    say(
        console,
        f"epoch {course.best_epoch} of {len(course.history)} is the best: validation accuracy {figures.accuracy:.1%}"
        f"{groups}, top-5 {figures.top5_accuracy:.1%}, log loss after calibration {figures.log_loss:.3f}; "
        f"{trained.seconds:.0f} s\n"
        f"wrote {', '.join(str(file) for file in files)}",
    )
    if strange := trained.unknown:
        say(
            console,
            f"{strange.photographs} photographs of classes that were left out: AUROC {strange.auroc:.3f}; "
            f"{strange.caught_at_loss:.1%} of them are rejected where {KNOWN_LOST:.0%} of the known ones are",
        )
    if course.ended == "diverged":
        raise DataError(
            f"the loss was no number after epoch {len(course.history)}, so the training ended; epoch "
            f"{course.best_epoch} was written. Lower --lr, now {recipe.lr:g}, for a better one."
        )
