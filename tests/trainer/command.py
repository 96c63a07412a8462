"""`shelf-train` as a test calls it, in its own process."""

import pytest

from trainer.cli import main


def status_of(*arguments: object) -> object:
    """Run the command, and say with which status it ended."""
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return caught.value.code
