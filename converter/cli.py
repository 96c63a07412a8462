"""`shelf-convert`: a trained `.keras` file → a verified bundle for the agent, and what can be asked about one."""

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from converter.commands.bench import bench
from converter.commands.compare import compare
from converter.commands.convert import convert
from converter.commands.describe import describe
from converter.commands.keygen import keygen
from converter.commands.sign import sign
from converter.commands.verify import verify

COMMANDS = (convert, describe, compare, bench, verify, keygen, sign)


class _ConvertByDefault(TyperGroup):
    """`shelf-convert MODEL …` means `shelf-convert convert MODEL …`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            meant = get_close_matches(args[0], self.commands, n=1, cutoff=0.7)
            if meant and not Path(args[0]).exists():
                ctx.fail(f'there is no command "{args[0]}", and no file of that name. Did you mean "{meant[0]}"?')
            args = ["convert", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_ConvertByDefault, add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)
for command in COMMANDS:
    app.command()(command)


@app.callback()
def _group() -> None:
    """Convert a trained network to int8 and prove it. Without a command: convert."""


def main() -> None:
    """Run the command line."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    app(prog_name="shelf-convert")


if __name__ == "__main__":
    main()
