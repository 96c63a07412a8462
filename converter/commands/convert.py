"""`shelf-convert [convert] MODEL`: a trained `.keras` file → a verified bundle for the agent."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from edge_agent.exits import reported

Target = Literal["cpu", "edgetpu", "gpu", "all"]


def convert(  # noqa: PLR0913, PLR0917 - a command has as many options as people need
    model: Annotated[Path, typer.Argument(help="The .keras file; its card (.json) lies beside it.")],
    calibrate: Annotated[
        Path,
        typer.Option(
            "--calibrate", metavar="DATA", help="Photographs: a folder, or a list file. The training part calibrates."
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="BUNDLE", help="Where the bundle goes. An older one is replaced.")
    ],
    evaluate: Annotated[
        Path | None,
        typer.Option(
            "--evaluate",
            metavar="DATA",
            help="Held-out photographs. Default: the test, or else validation part of --calibrate.",
        ),
    ] = None,
    target: Annotated[Target, typer.Option("--target", help="What it shall run on, beside the processor.")] = "cpu",
    max_drop: Annotated[
        float,
        typer.Option(
            "--max-drop",
            metavar="POINTS",
            min=0,
            max=99,
            help="Accuracy that int8 may lose; its 95 % bound may be a point more.",
        ),
    ] = 1.0,
    min_agreement: Annotated[
        float, typer.Option("--min-agreement", metavar="SHARE", min=0, max=1, help="Same answers as float, 0 to 1.")
    ] = 0.95,
    allow_unproven: Annotated[  # noqa: FBT002 - an option
        bool, typer.Option("--allow-unproven", help="Take it though too few photographs judge to prove the bound.")
    ] = False,
    ladder: Annotated[  # noqa: FBT002 - an option
        bool,
        typer.Option(
            help="Where int8 loses too much: try more photographs, the worst layers in float, fine-tuning in int8."
        ),
    ] = True,
    calibration_count: Annotated[
        int, typer.Option("--calibration-count", min=1, help="Photographs to calibrate with, at most; 100 at least.")
    ] = 300,
    bundle_id: Annotated[
        str | None, typer.Option("--id", help="Name of the bundle. Default: from the model's name and hash.")
    ] = None,
    licence: Annotated[
        Path | None, typer.Option("--licence", metavar="FILE", help="The model's licence, a text that goes with it.")
    ] = None,
    sign: Annotated[
        Path | None, typer.Option("--sign", metavar="KEY", help="Sign it, with a key of shelf-convert keygen.")
    ] = None,
    slim: Annotated[  # noqa: FBT002 - an option
        bool, typer.Option("--slim", help="Only what the agent needs: no float build, no report.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Shares photographs out. Default: as in the training.")
    ] = None,
) -> None:
    """Convert a trained network to int8, verify it against float, and write a bundle.

    Exit status: 0 a bundle was written; 2 refused, int8 loses more than it may or too few photographs judge to prove
    that it doesn't; 65 unusable model or photographs; 66 a file is missing; 78 the agent does not accept the bundle.
    """
    console, errors = Console(), Console(stderr=True)
    with reported("shelf-convert"):
        from converter.convert import Job, Show  # noqa: PLC0415  (--help must not wait for OpenCV)
        from converter.convert import convert as run  # noqa: PLC0415
        from converter.judging.gate import Bounds  # noqa: PLC0415
        from converter.report import Bars, table  # noqa: PLC0415

        job = Job(
            model,
            calibrate,
            out,
            evaluate=evaluate,
            bounds=Bounds(drop_points=max_drop, agreement=min_agreement),
            allow_unproven=allow_unproven,
            climb=ladder,
            target=target,
            slim=slim,
            calibration_count=calibration_count,
            bundle_id=bundle_id,
            seed=seed,
            licence=licence,
            key=sign,
        )
        outcome = run(job, Show(track=Bars(errors), warn=lambda message: _say(errors, f"warning: {message}")))
        console.print(table(outcome))
        if not slim:
            _say(console, f"{out / 'report.html'} shows it to people.")
        _say(console, f"{out} is ready for shelf-agent.")


def _say(console: Console, message: str) -> None:
    console.print(message, markup=False, highlight=False, soft_wrap=True)
