"""The counting of one camera from frame to frame: what `pipeline.step` takes and gives, kept in one place."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from edge_agent.alerts.levels import AlertState
from edge_agent.counting import ShelfState
from edge_agent.inference import Classifier
from edge_agent.outcome import Outcome
from edge_agent.pictures import picture
from edge_agent.pictures.viewpoint import Viewpoint
from edge_agent.pipeline import CameraPlan, View, begin, open_view, step, step_bare, step_blind
from edge_agent.shelf import Frame, Shelf


class Watch:
    """The counting of one camera from frame to frame: its view, laid out for the size of its frames, and its state."""

    def __init__(self, plan: CameraPlan, viewpoint: Viewpoint | None = None) -> None:
        """Nothing has been seen, but perhaps where the camera looked when it was last right."""
        self.plan = plan
        self.view: View | None = None
        self._state = begin(plan, viewpoint)
        self._seen_at: datetime | None = None

    @property
    def camera(self) -> str:
        """The camera's id."""
        return self.plan.camera

    @property
    def shelves(self) -> tuple[Shelf, ...]:
        """The shelves that it sees."""
        return self.plan.shelves

    @property
    def viewpoint(self) -> Viewpoint | None:
        """The reference view, which is worth keeping for the next run; None until it is learned."""
        return self._state.picture.viewpoint

    @property
    def states(self) -> tuple[ShelfState, ...]:
        """What is known of each of its shelves, pictures that did not come included. Any thread may read it."""
        return self._state.shelves

    @property
    def looked(self) -> tuple[NDArray[np.float32], NDArray[np.uint8]] | None:
        """What the network last said of each slot, (slots, classes) in 0..1, and the glances at what it saw.

        None where the newest picture was not one to count in.
        """
        memory = self._state.memory
        return None if memory is None else (memory.scores, memory.read_glance)

    def take(self, frame: Frame, classifier: Classifier) -> Outcome:
        """One step. A camera that changes its frame size keeps its counts."""
        if not self.plan.slots:
            self._state, outcome = step_bare(self.plan, self._state, frame)
            self._seen_at = frame.captured_at
            return outcome
        height, width = frame.image.shape[:2]
        if self.view is None or self.view.regions.frame_wh != (width, height):
            self.view = open_view(self.plan, frame_wh=(width, height), size_px=classifier.size_px)
            self._state = replace(self._state, memory=None)
        self._state, outcome = step(self.view, self._state, frame, classifier)
        self._seen_at = frame.captured_at
        return outcome

    def miss(self, *, at: datetime, clock_s: float) -> Outcome:
        """Let time pass without a picture: what follows is dated by the last one, or by now if there was none."""
        nothing = Frame(self.camera, 0, self._seen_at or at, clock_s, np.empty((0, 0, 3), dtype=np.uint8))
        self._state = replace(self._state, picture=picture.interrupted(self._state.picture))
        self._state, outcome = step_blind(self.plan, self._state, nothing)
        return outcome

    def resume(self, stood: Callable[[Shelf], AlertState]) -> None:
        """Take up alerts where they stood, shelf by shelf."""
        self._state = replace(self._state, alerts=tuple(stood(shelf) for shelf in self.shelves))

    def recount(self) -> None:
        """Forget what was seen, the view too: an operator says that what the camera shows now is right."""
        self._state = replace(begin(self.plan), alerts=self._state.alerts)
