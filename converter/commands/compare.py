"""`shelf-convert compare A B`: two bundles on the same photographs."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edge_agent.exits import reported


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="A bundle: a directory, or a zip of it. Say, last month's.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another one, with the same labels. Say, this month's.")],
    photographs: Annotated[
        Path,
        typer.Option("--on", metavar="DATA", help="Photographs that neither has seen: a folder, or a list file."),
    ],
) -> None:
    """Ask two bundles about the same photographs: which is right more often, and may that be chance?

    Exit status: 0; 65 the labels differ, or a photograph is corrupt; 66 the photographs are not there; 78 a bundle is
    missing, altered, or does not answer as it must.
    """
    console, errors = Console(), Console(stderr=True)
    with reported("shelf-convert"):
        from converter.judging.versus import versus  # noqa: PLC0415  (--help must not wait for OpenCV)
        from converter.report import Bars, versus_table  # noqa: PLC0415

        found = versus(a, b, photographs, track=Bars(errors))
        console.print(versus_table(found))
        console.print(found.sentence, markup=False, highlight=False, soft_wrap=True)
