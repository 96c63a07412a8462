"""`shelf-convert sign BUNDLE --key KEY`: whose bundle it is."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edge_agent.exits import reported


def sign(
    bundle: Annotated[Path, typer.Argument(help="The directory of a bundle.")],
    key: Annotated[Path, typer.Option("--key", metavar="KEY", help="The private key, from shelf-convert keygen.")],
) -> None:
    """Sign a bundle: manifest.sig over manifest.json, which holds the sha256 of every file. An older one is replaced.

    Exit status: 0 signed; 65 a file of the bundle is altered, missing or too much, or KEY is not one that signs; 66 the
    bundle or KEY is not there, or cannot be read or written.
    """
    console, errors = Console(), Console(stderr=True)
    with reported("shelf-convert"):
        from converter.bundles import keys, signing  # noqa: PLC0415  (--help must not wait for them)

        private = keys.read_private_key(key)
        if warning := keys.exposed(key):
            errors.print(f"warning: {warning}", markup=False, highlight=False, soft_wrap=True)
        manifest = signing.sign(bundle, private)
        said = f'"{manifest.id}" in {bundle} is signed with key {private.public.fingerprint}.'
        console.print(said, markup=False, highlight=False, soft_wrap=True)
