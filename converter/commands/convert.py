"""`shelf-convert [convert] MODEL`: a trained `.keras` file → a verified bundle for the agent."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edge_agent.exits import reported


def convert(
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
    max_drop: Annotated[
        float, typer.Option("--max-drop", metavar="POINTS", min=0, max=100, help="Accuracy that int8 may lose.")
    ] = 1.0,
    calibration_count: Annotated[
        int, typer.Option("--calibration-count", min=1, help="Photographs to calibrate with, at most.")
    ] = 300,
    bundle_id: Annotated[
        str | None, typer.Option("--id", help="Name of the bundle. Default: from the model's name and hash.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Shares photographs out. Default: as in the training.")
    ] = None,
) -> None:
    """Convert a trained network to int8, verify it against float, and write a bundle.

    Exit status: 0 a bundle was written; 2 refused, int8 loses more than --max-drop; 65 unusable model or photographs;
    66 a file is missing; 78 the agent does not accept the bundle.
    """
    console, errors = Console(), Console(stderr=True)
    with reported("shelf-convert"):
        from converter.convert import Job  # noqa: PLC0415  (--help must not wait for OpenCV)
        from converter.convert import convert as run  # noqa: PLC0415
        from converter.report import Bars, table  # noqa: PLC0415

        job = Job(
            model,
            calibrate,
            out,
            evaluate=evaluate,
            max_drop_points=max_drop,
            calibration_count=calibration_count,
            bundle_id=bundle_id,
            seed=seed,
        )
        outcome = run(job, track=Bars(errors), warn=lambda message: _say(errors, f"warning: {message}"))
        console.print(table(outcome))
        console.print(f"{out} is ready for shelf-agent.", markup=False, highlight=False)


def _say(console: Console, message: str) -> None:
    console.print(message, markup=False, highlight=False, soft_wrap=True)
