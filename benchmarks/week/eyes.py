"""What the agent's eyes see of one camera at any moment of its script, drawn from the library of looks.

A piece that is put somewhere is one example of the library for as long as it stands there: where the network confuses
that one in some light, it goes on confusing it while the light lasts. A share of confusions can be added, each the
worst kind: sure of itself, for as long as the piece stands in that light. Noise is one of a few repeats of the same
look, another every two seconds, as often as the agent reads a crop that has not changed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.week.library import Library
from benchmarks.week.measuring import (
    GLARE_DX,
    GLARE_LEVELS,
    LAMPS,
    LIGHTS,
    SCALE,
    SITUATIONS,
    WINDOWS,
    adapted,
    standers,
)
from benchmarks.week.measuring import reach as drawn_reach
from benchmarks.week.pixels import Glare, Moment, glare_on
from benchmarks.week.script import HOUR_S, Before, Lamp, Reach, Script
from benchmarks.week.shop import FPS, Camera
from benchmarks.week.truth import DAY_S
from edge_agent.demo.camera import COLUMNS, DEFAULT_POSE, SLOTS
from edge_agent.pipeline import REREAD_AFTER_S
from edge_agent.shelf import EMPTY, OCCLUDED, PictureReason

CLEAR_BELOW = 0.03
"""A place of which less than this is covered can be seen."""
GLARE_BELOW = 60.0
"""And on which the sun adds less than so many grey levels."""
_HALF = 0.105
_CENTRES = np.asarray([DEFAULT_POSE.centre(place) for place in range(SLOTS)])


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A look at the watched places: what the network says, what moved, how bright; and whether each can truly be seen.

    `bad` is why the picture is not one to count in; then only `visible` says something. `disturbed` are the places that
    do not look as they would by themselves: covered in part, or in the sun.
    """

    scores: NDArray[np.float32]
    moved: NDArray[np.bool_]
    bright: NDArray[np.float32]
    visible: NDArray[np.bool_]
    disturbed: NDArray[np.bool_]
    bad: PictureReason | None = None


class Eyes:
    """The looks of one camera; times only go forward."""

    def __init__(self, camera: Camera, script: Script, library: Library, *, seed: int, confused: float = 0.0) -> None:
        """Before the first moment of the script; `confused` is the share (0..1) of pieces confused in a light."""
        self._camera, self._script, self._library = camera, script, library
        self._rng = np.random.default_rng([seed, camera.seed, 41])
        self._watched = np.asarray(camera.watched)
        self._of = {label: library.examples(label) for label in library.labels}
        self._class = np.full(SLOTS, library.labels.index(EMPTY))
        self._example = np.zeros(SLOTS, dtype=np.intp)
        self._confused = confused
        self._luck = np.ones((SLOTS, SITUATIONS))
        self._taken_for = np.zeros(SLOTS, dtype=np.intp)
        for place in range(SLOTS):
            self._stand(place, script.start.get(place, EMPTY))
        self._phase = self._rng.uniform(0, 6.3, 4)
        self._reach = self._before = self._lamp = self._sun = 0
        self._changed = False
        self._empty = library.labels.index(EMPTY)

    @property
    def standing(self) -> tuple[tuple[str, int] | None, ...]:
        """What stands in the 24 places now, for a picture of it."""
        pieces = zip(self._class.tolist(), self._library.variant[self._example].tolist(), strict=True)
        return tuple(None if one == self._empty else (self._library.labels[one], variant) for one, variant in pieces)

    def _stand(self, place: int, label: str) -> None:
        self._class[place] = self._library.labels.index(label)
        self._example[place] = self._rng.choice(self._of[label])
        self._luck[place] = self._rng.uniform(size=SITUATIONS)
        self._taken_for[place] = self._rng.choice(
            [n for n, name in enumerate(self._library.labels) if name != OCCLUDED]
        )

    def look(self, t_s: float) -> Look:
        """The look at `t_s` (seconds of the week)."""
        lamp = self._lamps(t_s)
        if lamp is None or lamp.level == 0:
            return self._nothing("dark")
        knocked = self._script.knocked_s
        blind_s, back_s = self._library.delays[:2]
        if knocked is not None and knocked[0] + blind_s <= t_s < knocked[1] + back_s:
            return self._nothing("moved")
        reach = self._reach_at(t_s)
        scores, bright, disturbed, dazzled = self._base(t_s)
        moved, covered = np.zeros(SLOTS, dtype=np.bool_), np.zeros(SLOTS)
        whole = np.arange(SLOTS)
        if lamp.clip >= 0 and (frame := int((t_s - lamp.t_s) * FPS)) < len(self._library.clips[lamp.clip].moved):
            self._lay(scores, moved, bright, covered, disturbed, clip=lamp.clip, frame=frame, source=whole)
        if reach is not None:
            frame = min(int((t_s - reach.start_s) * FPS + 1e-6), len(self._library.clips[reach.clip].moved) - 1)
            source = _along(reach.along)
            self._lay(scores, moved, bright, covered, disturbed, clip=reach.clip, frame=frame, source=source)
        if (before := self._before_at(t_s)) is not None:
            clip = self._library.clips[before.clip]
            frame = int((t_s - before.start_s) * FPS)
            if t_s >= before.end_s:
                moved |= clip.touched[0, whole, np.where(self._class == self._empty, 1, 0)]
            else:
                frame = 0 if frame == 0 else 1 + frame % (len(clip.moved) - 1)
                self._lay(scores, moved, bright, covered, disturbed, clip=before.clip, frame=frame, source=whole)
        if knocked is not None and knocked[0] <= t_s < knocked[0] + blind_s:
            [askew, *_] = self._library.of_kind("knock")
            frame = min(int((t_s - knocked[0]) * FPS), len(askew.moved) - 1)
            number = self._library.clips.index(askew)
            self._lay(scores, moved, bright, np.ones(SLOTS), disturbed, clip=number, frame=frame, source=whole)
            covered[:] = 1
        visible = (covered < CLEAR_BELOW) & (dazzled < GLARE_BELOW)
        of = self._watched
        read = (scores[of] / np.float32(SCALE)).astype(np.float32)
        return Look(read, moved[of], bright[of], visible[of], (disturbed | (covered > 0))[of])

    def moment(self, t_s: float) -> Moment:
        """The same as `look` sees at `t_s`, to be drawn: the latest look's time, or later."""
        self.look(t_s)
        lamp, window = self.light(t_s)
        glare, reach, before = self.sun(t_s), self._reach_at(t_s), self._before_at(t_s)
        arm = stander = None
        if reach is not None:
            clip = self._library.clips[reach.clip]
            visit, _ = drawn_reach(clip.kind, clip.place, clip.number)
            into_s = visit.start_s + t_s - reach.start_s
            arm = (visit.arm, visit.placement(into_s)) if into_s <= visit.end_s else None
        if before is not None and t_s < before.end_s:
            clip = self._library.clips[before.clip]
            frames = standers(clip.kind, clip.number)
            frame = int((t_s - before.start_s) * FPS)
            stander = frames[0 if frame == 0 else 1 + frame % (len(frames) - 1)]
        suns = () if glare is None else (glare,)
        return Moment(self.standing, adapted(lamp, window), suns, arm, stander, noise=int(t_s * FPS) + 1)

    def light(self, t_s: float) -> tuple[float, float]:
        """How strong lamps and window are, before the camera adapts."""
        lamp = self._lamps(t_s)
        hour = t_s % DAY_S / HOUR_S
        day = float(np.sin(np.pi * (hour - 6.5) / 12)) if 6.5 <= hour <= 18.5 else 0.0
        return (lamp.level if lamp is not None else 0.0), 0.75 * day * self._clouds(t_s)

    def sun(self, t_s: float) -> Glare | None:
        """Where the sun falls, if it does."""
        suns = self._script.suns
        while self._sun < len(suns) and suns[self._sun].end_s <= t_s:
            self._sun += 1
        if self._sun == len(suns) or t_s < suns[self._sun].start_s or self._clouds(t_s) < 0.45:
            return None
        now = suns[self._sun]
        return Glare(now.x(t_s), float(_CENTRES[now.board * COLUMNS : (now.board + 1) * COLUMNS, 1].mean()),
                     GLARE_LEVELS[now.strength])  # fmt: skip

    def _clouds(self, t_s: float) -> float:
        """How much of the sky's light comes through, about 0.2 to 1."""
        one, two, three, _ = self._phase
        waves = 0.30 * np.sin(t_s / 410 + one) + 0.18 * np.sin(t_s / 97 + two) + 0.10 * np.sin(t_s / 31 + three)
        sky = self._script.sky[min(int(t_s // DAY_S), len(self._script.sky) - 1)]
        return float(np.clip(sky + waves * sky, 0.1, 1.1))

    def _base(
        self, t_s: float
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.bool_], NDArray[np.float64]]:
        """All places as they stand, in the light of the moment: scores, brightness, who is in the sun, and how much."""
        level, window = self.light(t_s)
        light = LIGHTS.index(
            (min(LAMPS, key=lambda one: abs(one - level)), min(WINDOWS, key=lambda one: abs(one - window)))
        )
        situation = np.full(SLOTS, light)
        sunny, dazzled = np.zeros(SLOTS, dtype=np.bool_), np.zeros(SLOTS)
        if (glare := self.sun(t_s)) is not None:
            dx = glare.x - _CENTRES[:, 0]
            board = np.abs(_CENTRES[:, 1] - glare.y) < 0.1
            sunny = board & (np.abs(dx) < _HALF)
            nearest = np.abs(dx[:, None] - np.asarray(GLARE_DX)).argmin(axis=1)
            situation[sunny] = len(LIGHTS) + GLARE_LEVELS.index(glare.strength) * len(GLARE_DX) + nearest[sunny]
            dazzled = glare_on(glare)
        beat = int(t_s // REREAD_AFTER_S)
        repeats = self._library.scores.shape[2]
        noise = (np.arange(SLOTS) * 40503 + beat * 2654435761 >> 5) % repeats
        scores = self._library.scores[self._example, situation, noise]
        for place in np.flatnonzero(self._luck[np.arange(SLOTS), situation] < self._confused).tolist():
            one, other = self._class[place], self._taken_for[place]
            scores[place, [one, other]] = scores[place, [other, one]]
        return (
            scores,
            self._library.bright[self._example, situation].astype(np.float32),
            sunny,
            dazzled,
        )

    def _lay(
        self,
        scores: NDArray[np.uint8],
        moved: NDArray[np.bool_],
        bright: NDArray[np.float32],
        covered: NDArray[np.float64],
        disturbed: NDArray[np.bool_],
        *,
        clip: int,
        frame: int,
        source: NDArray[np.intp],
    ) -> None:
        """Lay a frame of a clip over the looks, in place; place n looks as `source[n]` does in it (-1: untouched).

        Where another product stands than when the clip was recorded, the two change names in the scores.
        """
        from_clip, empty = self._library.clips[clip], self._empty
        for place in np.flatnonzero(source >= 0).tolist():
            at, here = int(source[place]), int(self._class[place])
            version = int(here == empty)
            covered[place] = max(covered[place], from_clip.covered[frame, at])
            if not from_clip.touched[frame, at, version]:
                continue
            said = from_clip.scores[frame, at, version].copy()
            if version == 0 and (was := int(from_clip.held[at])) != here:
                said[was], said[here] = said[here], said[was]
            scores[place], bright[place] = said, from_clip.bright[frame, at, version]
            moved[place] |= from_clip.moved[frame, at, version]
            disturbed[place] = True

    def _reach_at(self, t_s: float) -> Reach | None:
        """The reach that goes on; what has changed by now has changed."""
        reaches = self._script.reaches
        while self._reach < len(reaches):
            reach = reaches[self._reach]
            if not self._changed and reach.change_s is not None and reach.change_s <= t_s:
                self._stand(reach.place, reach.label)
                self._changed = True
            if reach.end_s > t_s:
                return reach if reach.start_s <= t_s else None
            self._reach, self._changed = self._reach + 1, False
        return None

    def _before_at(self, t_s: float) -> Before | None:
        """Who stands there, or has just gone."""
        standers = self._script.before
        while self._before < len(standers) and standers[self._before].end_s + 0.3 <= t_s:
            self._before += 1
        now = standers[self._before] if self._before < len(standers) else None
        return now if now is not None and now.start_s <= t_s else None

    def _lamps(self, t_s: float) -> Lamp | None:
        lamps = self._script.lamps
        while self._lamp + 1 < len(lamps) and lamps[self._lamp + 1].t_s <= t_s:
            self._lamp += 1
        return lamps[self._lamp] if lamps and lamps[self._lamp].t_s <= t_s else None

    def _nothing(self, why: PictureReason) -> Look:
        none = np.zeros(len(self._watched), dtype=np.bool_)
        return Look(np.empty((0, 0), np.float32), none, np.empty(0, np.float32), none, ~none, why)


def _along(steps: int) -> NDArray[np.intp]:
    """Which place of a clip each of the 24 places looks like when the clip is moved by `steps` places; -1: none."""
    boards, columns = divmod(steps + COLUMNS // 2, COLUMNS)
    columns -= COLUMNS // 2
    source = []
    for place in range(SLOTS):
        board, column = place // COLUMNS - boards, place % COLUMNS - columns
        inside = 0 <= board < SLOTS // COLUMNS and 0 <= column < COLUMNS
        source.append(board * COLUMNS + column if inside else -1)
    return np.asarray(source, dtype=np.intp)
