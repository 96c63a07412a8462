"""What is behind the page: the parts of the running agent that it shows and changes."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from edge_agent.control.errands import Errands
from edge_agent.control.reloading import Reloading
from edge_agent.health import Health
from edge_agent.review.writer import Keeper
from edge_agent.running import Running

Answer = TypeVar("Answer")
ERRAND_TIMEOUT_S = 10.0
"""How long a step may take before whoever asked for something between two steps is told that it waits too long."""


@dataclass(frozen=True, slots=True, eq=False)
class Behind:
    """The parts behind the page. `path` is the configuration file, None where what runs comes from none.

    Whatever changes the agent is done by `between_steps`; reading `running.seen` and the settings needs no such care,
    as what lies there is replaced whole, never changed.
    """

    running: Running
    health: Health
    reloading: Reloading
    errands: Errands
    path: Path | None
    review: Keeper | None = None
    closing: threading.Event = field(default_factory=threading.Event)
    """Set when the page ends: who follows it is to let go."""

    async def between_steps(self, errand: Callable[[], Answer]) -> Answer:
        """Have something small done in the loop's thread, and wait for its answer.

        Raises:
            TimeoutError: The loop is stuck in a step.
        """
        done = asyncio.wrap_future(self.errands.ask(errand))
        return await asyncio.wait_for(done, ERRAND_TIMEOUT_S)
