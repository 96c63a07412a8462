"""`shelf-train`: from photographs of products to a Keras network, and its figures on others."""

from typing import Any

import typer

from edge_agent.exits import reported
from trainer.commands.augment import augment
from trainer.commands.embed import embed
from trainer.commands.evaluate import evaluate
from trainer.commands.fit import fit
from trainer.commands.inspect import inspect
from trainer.commands.predict import predict
from trainer.commands.report import report
from trainer.commands.tune import PASS_ON, tune

app = typer.Typer(
    help="Train a small network on photographs of products.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (inspect, augment, fit, evaluate, predict, report, embed):  # in the order of --help
    app.command()(command)
app.command(context_settings=PASS_ON)(tune)


def main(arguments: list[str] | None = None) -> Any:
    """Run `shelf-train`; errors become a message and an exit status."""
    with reported("shelf-train"):
        return app(arguments, prog_name="shelf-train")


if __name__ == "__main__":
    main()
