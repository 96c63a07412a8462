"""`shelf-convert bench BUNDLE`: how long a bundle takes on this machine."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edge_agent.exits import reported


def bench(
    bundle: Annotated[Path, typer.Argument(help="The directory of a bundle, or a zip of it.")],
    threads: Annotated[
        list[int] | None,
        typer.Option("--threads", min=1, max=64, help="May be given more than once. Default: 1, and all cores."),
    ] = None,
) -> None:
    """Time a bundle per crop, in batches of 1, 2, 4 and 8, int8 beside float where it holds float.

    It runs in the agent's own classifier on LiteRT, with the bundle's golden crops.

    Exit status: 0; 78 the bundle is missing, altered, or does not answer as it must.
    """
    console, errors = Console(), Console(stderr=True)
    with reported("shelf-convert"):
        from converter.judging.latency import measure  # noqa: PLC0415  (--help must not wait for OpenCV)
        from converter.report import Bars, latency_table  # noqa: PLC0415
        from edge_agent.bundle import read  # noqa: PLC0415

        read_bundle = read(bundle)
        console.print(latency_table(read_bundle.manifest.id, measure(read_bundle, threads=threads, track=Bars(errors))))
