"""How a training is run, which has nothing to do with what comes of it: see `trainer.training.recipe` for that."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trainer.report import Epoch

StrategyName = Literal["none", "mirrored", "multi-worker"]


@dataclass(frozen=True, slots=True)
class Run:
    """How a training is run.

    Attributes:
        partial: Folder for what is needed to go on after a kill; None to keep nothing.
        fresh: Begin anew, and delete what is in that folder.
        time_budget_s: At most so long, reading the photographs included; None for as long as it takes.
        tensorboard: Folder for the figures of each epoch; None for none.
        strategy: On one device, all GPUs of the machine, or several machines.
        after_epoch: Is called with the figures of each epoch; what it raises ends the training.
    """

    partial: Path | None = None
    fresh: bool = False
    time_budget_s: float | None = None
    tensorboard: Path | None = None
    strategy: StrategyName = "none"
    after_epoch: Callable[[Epoch], None] | None = None
