"""`shelf-convert verify BUNDLE`: whether a bundle is whole, whose it is, and whether it answers as it must."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edge_agent.exits import reported


def verify(
    bundle: Annotated[Path, typer.Argument(help="The directory of a bundle, or a zip of it.")],
    key: Annotated[
        Path | None,
        typer.Option("--key", metavar="PUB", help="The public key that must have signed it. Default: any, or none."),
    ] = None,
) -> None:
    """Check a bundle whole: the sha256 of every file, the signature, and the golden answers of its models in LiteRT.

    Exit status: 0 all of it holds; 65 a file is altered, missing or too much, or a model doesn't answer as it must, or
    PUB is no public key; 66 the bundle or PUB is not there or cannot be read; 78 the signature doesn't hold, is another
    key's, or is missing where --key asks for one.
    """
    console = Console()
    with reported("shelf-convert"):
        from converter.bundles import signing  # noqa: PLC0415  (--help must not wait for OpenCV)
        from edge_agent.signature import read_public_key  # noqa: PLC0415

        trusted = read_public_key(key) if key is not None else None
        proof = signing.verify(bundle, trusted)
        if proof.signer is None:
            signed = "not signed"
        elif trusted is not None:
            signed = f"signed with key {trusted.fingerprint}, that of {key}"
        else:
            signed = f"signed with key {proof.signer.fingerprint}; give --key to know that it is the right one"
        for line in (
            f'"{proof.manifest.id}" in {bundle} holds:',
            f"  {proof.files} files, as the manifest lists them and no others",
            f"  {signed}",
            f"  {proof.answers}",
        ):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
