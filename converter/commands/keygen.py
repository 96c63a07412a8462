"""`shelf-convert keygen KEY`: a pair of keys that bundles are signed and checked with."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edge_agent.exits import reported


def keygen(
    key: Annotated[Path, typer.Argument(help="Where the private key goes; the public one goes beside it, as KEY.pub.")],
) -> None:
    """Make a pair of keys (ed25519): KEY signs bundles and is nobody else's; KEY.pub goes to the devices.

    Exit status: 0 both were written; 66 one of them is there already, or cannot be written.
    """
    with reported("shelf-convert"):
        from converter.bundles.keys import generate  # noqa: PLC0415  (--help must not wait for it)

        public = generate(key)
        Console().print(
            f"{key} signs bundles: keep it to yourself, and a copy of it in a safe place.\n"
            f"{key}.pub checks them: put it on the devices, [model] signed_by names it there.\n"
            f"fingerprint {public.fingerprint}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
