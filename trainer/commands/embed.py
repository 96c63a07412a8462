"""`shelf-train embed`: a network without its answers → what looks alike, and vectors to enrol products with."""

import hashlib
import math
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer import Option

from edge_agent.shelf import ConfigError
from trainer.commands.common import quiet_start, say
from trainer.nets import embedding
from trainer.photos import data
from trainer.place import check_file, refuse_folder
from trainer.report import Terminal

PAIRS_SHOWN = 10


def embed(
    model: Annotated[Path, typer.Argument(help="A .keras file of shelf-train fit, its card beside it.")],
    out: Annotated[Path, Option(help="The embedder to write, a .keras file; its card goes beside it.")],
    photographs: Annotated[
        Path | None, Option(help="Photographs to embed, of trained classes or new ones: folders, a list, COCO boxes.")
    ] = None,
    vectors: Annotated[
        Path | None, Option(help="An .npz file for the paths, labels and vectors of --photographs.")
    ] = None,
) -> None:
    """Export what a network compares products by: photograph → a vector of length 1; near means alike."""
    _check(model, out, photographs, vectors)
    labels, photos = data.catalogue(photographs) if photographs else ((), ())
    with quiet_start():
        from trainer.nets import models  # noqa: PLC0415 - TensorFlow takes seconds to load

    network, card = models.load(model)
    embedder = models.embedder(network)
    console = Console()
    out.parent.mkdir(parents=True, exist_ok=True)
    models.save(embedder, out, models.embedder_card(embedder, card, of=hashlib.sha256(model.read_bytes()).hexdigest()))
    dims, size_px = int(embedder.output_shape[-1]), int(embedder.input_shape[1])
    say(console, f"wrote {out}, {models.card_path(out)}: {size_px} px → {dims} dimensions, length 1")
    if not models.has_embedding(network):
        say(
            console,
            f"the network has no embedding layer, so the vectors are its {dims} features, which know less of products;"
            " a fit from pretrained weights has one",
        )
    if not photos:
        return
    with Terminal(console) as watch:
        found = embedding.embed(photos, models.predictor(embedder), size_px=size_px, watch=watch)
        for problem in found.problems:
            watch.say(f"left out: {problem}")
    if vectors is not None:
        vectors.parent.mkdir(parents=True, exist_ok=True)
        sha256 = hashlib.sha256(out.read_bytes()).hexdigest()
        embedding.write_vectors(found, labels, vectors, embedder_sha256=sha256)
        say(console, f"wrote {vectors}: {len(found.photos)} vectors of {dims} dimensions")
    _show(found, labels, console)


def _check(model: Path, out: Path, photographs: Path | None, vectors: Path | None) -> None:
    """Find out before any work what cannot come out of it."""
    problems = []
    if out.suffix != ".keras":
        problems.append(f'--out is "{out}"; its name must end in .keras')
    if out.resolve() == model.resolve():
        problems.append(f"--out is {out}, which is the model itself; name another file")
    if vectors is not None and vectors.suffix != ".npz":
        problems.append(f'--vectors is "{vectors}"; its name must end in .npz')
    if vectors is not None and photographs is None:
        problems.append("--vectors needs --photographs to make vectors of")
    if problems:
        raise ConfigError("nothing can be embedded:", problems)
    for path, option in ((out, "--out"), (vectors, "--vectors")):
        if path is not None:
            check_file(path, option=option)
            refuse_folder(path, option=option)


def _show(found: embedding.Embedded, labels: tuple[str, ...], console: Console) -> None:
    """Print which classes look most alike, and how well neighbours agree."""
    table = Table("class", "looks like", "cosine", title="The most look-alike classes")
    table.columns[-1].justify = "right"
    for pair in embedding.look_alikes(found.vectors, found.truth, labels, count=PAIRS_SHOWN):
        table.add_row(Text(pair.one), Text(pair.other), f"{pair.cosine:.3f}")
    if table.row_count:
        console.print(table)
    share = embedding.neighbours_agree(found.vectors, found.truth)
    if not math.isnan(share):
        say(console, f"the nearest other photograph shows the same class, where there is another, in {share:.1%}")
