"""Is this a picture to count in? A camera that is frozen, dark, blocked, blurred or moved is told, never counted.

Once or twice a second a small grey picture is made of the frame and judged. What looks wrong is not counted from the
first moment; only what stays wrong for a while is said of the camera, so that a shopper who passes is no fault, and
what was said is taken back when the picture has been good for a moment. Pure: time comes from the frame.

* frozen: for `frozen_after_s` no picture that is not, bit for bit, one of the last few. A sensor's noise never repeats;
  a still picture that is encoded anew gives a handful of pictures in turn, one for each place between two key frames.
* dark: hardly anything in it is brighter than `dark_below`.
* blocked: hardly any structure, though it is not dark: a hand or a bag at the lens, or paint on it.
* blurred: its edges are far less sharp than is usual for this view.
* moved: the view is not the one in which the slots were drawn (`edge_agent.pictures.viewpoint`).
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

import numpy as np
from numpy.typing import NDArray

from edge_agent.pictures.glance import Glance, glance, small_wh
from edge_agent.pictures.viewpoint import (
    FIXED_MIN,
    Edges,
    Landmarks,
    Viewpoint,
    displacement,
    edges_of,
    landmarks,
    standing,
)
from edge_agent.shelf import Frame, PictureReason, Quad

JUDGE_EVERY_S = 0.5
"""A picture is judged this often; a vote on a slot takes as long, so that no bad picture gets that far."""
KNOWN_PICTURES = 64
"""A picture is fresh when it is none of so many before it: the key frames of a stream are not that far apart."""
BAD_AFTER_S: dict[PictureReason, float] = {"frozen": 0.0, "dark": 2.0, "blocked": 6.0, "blurred": 6.0, "moved": 4.0}
"""How long a picture must be bad before that is said of the camera."""
ELSEWHERE_AFTER_S = 7.0
"""The same where nothing of the view is found again: a shopper who fills it is gone, or has moved, by then."""
GOOD_AFTER_S = 2.0
"""How long it must be good before that is taken back."""
EASE = 1.3
"""What was said holds until the picture is better than the limit by this factor, so that nothing flaps."""

WORDS: dict[PictureReason, str] = {
    "frozen": "it gives the same picture again and again. Switch it off and on, if it does not come back by itself.",
    "dark": "it is too dark to see anything. Light, or lower dark_below if the camera sees enough.",
    "blocked": "something covers it. Look what hangs or stands before the lens.",
    "blurred": "its picture is far less sharp than it was. Clean the lens and check its focus.",
    "moved": "it no longer sees what the slots were drawn in. Turn it back, or draw the slots again; where all is right"
    " as it is, send the command recount.",
}
"""What is wrong, and what to do."""

DARK_SHARE = 0.05
"""A picture is dark when no more than this share of it is brighter than `dark_below`."""
BLOCKED_BELOW, BLOCKED_OF_USUAL = 0.02, 0.15
"""A picture is blocked when a smaller share of its tiles has structure; and when that is this much below the usual."""
STANDS_MIN, GONE_BELOW = 0.6, 0.2
"""Shares of the landmarks: from the first on the view is in place; below the second nothing of it is left."""
STILL_FROM = 0.7
"""Share of the tiles that must be as they were a moment ago for a foreign view to be more than somebody walking by."""
MOVED_TOLERANCE = 0.85
"""A view that has gone this share of `moved_by` counts as moved, so that what went just so far is surely seen."""

LEARN_PICTURES = 6
"""So many good pictures in which most slots could be read make a reference view."""
READABLE_FROM = 0.5
"""Share of the slots that must be read for a picture to be learned from."""
RENEW_AFTER_S, RENEW_BELOW = 3600.0, 0.75
"""A view that is in place, but of which fewer landmarks are left because the shelf has changed, is learned again."""


@dataclass(frozen=True, slots=True)
class Judging:
    """When a camera's picture is not one to count in.

    `frozen_after_s` is in seconds (inf: never, for clips and folders of pictures, which may well stand still),
    `blurred_below` a share of the usual sharpness (0: never), `moved_by` a share of the picture's width (1: never), and
    `dark_below` in grey levels.
    """

    frozen_after_s: float = 6.0
    blurred_below: float = 0.35
    moved_by: float = 0.02
    dark_below: float = 12.0


@dataclass(frozen=True, slots=True, eq=False)
class PictureState:
    """What is thought of a camera's pictures.

    `wrong` is what the newest judged picture looks like, since `wrong_s`, and `bad_s` since when there was anything
    wrong at all; `declared` is what is said of the camera. `known` holds the checksums of the last different pictures,
    and `fresh_s` is when the newest of them came.
    """

    marks: Landmarks | None = None
    judged_s: float = -inf
    known: tuple[int, ...] = ()
    fresh_s: float = 0.0
    wrong: PictureReason | None = None
    wrong_s: float = 0.0
    bad_s: float = 0.0
    good_s: float = 0.0
    declared: PictureReason | None = None
    seen: Edges | None = None
    learning: tuple[Glance, ...] = ()
    learned_s: float | None = None

    @property
    def reason(self) -> PictureReason | None:
        """Why nothing is to be counted now; None where the picture is good."""
        return self.wrong or self.declared

    @property
    def viewpoint(self) -> Viewpoint | None:
        """The reference view, once it is learned."""
        return self.marks.view if self.marks is not None else None


def begin(view: Viewpoint | None, slots: Sequence[Quad]) -> PictureState:
    """The state before the first picture; `view` is the reference that was learned earlier, if there is one."""
    return PictureState(marks=landmarks(view, slots) if view is not None else None)


def judge(
    state: PictureState, frame: Frame, judging: Judging, slots: Sequence[Quad], *, readable: float
) -> PictureState:
    """What to think of a camera after one more frame. Most frames are not looked at: see `JUDGE_EVERY_S`.

    Args:
        state: From `begin` or the frame before.
        frame: The frame.
        judging: The limits.
        slots: Where the slots lie, in 0..1: what is in them changes, what is beside them does not.
        readable: Which share (0..1) of the slots could be read lately.
    """
    now_s = frame.clock_s
    if now_s - state.judged_s < JUDGE_EVERY_S - 1e-6:
        return state
    view = state.viewpoint
    wh = small_wh(frame.image) if view is None else (view.grey.shape[1], view.grey.shape[0])
    look = glance(frame.image, wh, dark_below=judging.dark_below)
    checksum = zlib.crc32(look.grey.data)
    state = replace(state, judged_s=now_s)
    if checksum not in state.known:
        state = replace(state, known=(*state.known[1 - KNOWN_PICTURES :], checksum), fresh_s=now_s)
    wrong = _plainly_wrong(state, look, frame, judging)
    if wrong is not None:
        return replace(_held(state, wrong, now_s, BAD_AFTER_S[wrong]), learning=(), seen=None)
    if state.marks is None:
        return _learned(_held(state, None, now_s), look, frame, slots, readable=readable)
    return _placed(state, state.marks, look, frame, judging, slots, readable=readable)


def interrupted(state: PictureState) -> PictureState:
    """The camera gave no picture: what comes next is not a continuation of what was."""
    return replace(state, judged_s=-inf, known=(), wrong=None, seen=None, learning=())


def _plainly_wrong(state: PictureState, look: Glance, frame: Frame, judging: Judging) -> PictureReason | None:
    """What can be said without asking where the camera looks. A black or white picture may well stay the same."""
    said, view = state.declared, state.viewpoint
    if look.bright <= DARK_SHARE * (EASE if said == "dark" else 1) and judging.dark_below > 0:
        return "dark"
    usual = view.structure if view is not None else 0.0
    if look.structure < max(BLOCKED_BELOW, BLOCKED_OF_USUAL * usual) * (EASE if said == "blocked" else 1):
        return "blocked"
    if frame.clock_s - state.fresh_s >= judging.frozen_after_s:
        return "frozen"
    height, width = frame.image.shape[:2]
    if view is None or view.frame_wh != (width, height):  # sharpness compares only at the same size
        return None
    limit = judging.blurred_below * view.sharpness * (EASE if said == "blurred" else 1)
    return "blurred" if look.sharpness < limit else None


def _placed(
    state: PictureState,
    marks: Landmarks,
    look: Glance,
    frame: Frame,
    judging: Judging,
    slots: Sequence[Quad],
    *,
    readable: float,
) -> PictureState:
    """Compare a picture, with which nothing else is wrong, with the reference view."""
    now_s = frame.clock_s
    if judging.moved_by >= 1:
        return _held(state, None, now_s)
    edges = edges_of(look.smoothed)
    share = standing(edges, marks.edges, marks.usable)
    shift = np.linalg.norm(marks.view.shift)
    limit = judging.moved_by * MOVED_TOLERANCE / (EASE if state.declared == "moved" else 1)
    if share >= STANDS_MIN and shift < limit:
        state = _held(replace(state, seen=None), None, now_s)
        if share < RENEW_BELOW:
            return _renewed(state, look, frame, slots, readable=readable)
        return state
    gone = displacement(marks, look.grey)
    if gone is not None:
        wrong: PictureReason | None = "moved" if np.linalg.norm(gone, axis=1).max() >= limit else None
        state = _held(replace(state, seen=None), wrong, now_s, BAD_AFTER_S["moved"])
        return state if wrong else _renewed(state, look, frame, slots, readable=readable)
    if np.count_nonzero(marks.fixed) < FIXED_MIN or standing(edges, marks.edges, marks.fixed) >= GONE_BELOW:
        return _held(state, None, now_s)  # not enough to tell
    still = state.seen is not None and standing(edges, state.seen, state.seen.energy > 1) >= STILL_FROM
    if not still:
        state = replace(state, bad_s=now_s, wrong_s=now_s)
    covered: PictureReason = "blocked" if look.structure < marks.view.structure / 2 else "moved"
    return _held(replace(state, seen=edges), covered, now_s, ELSEWHERE_AFTER_S)


def _held(state: PictureState, wrong: PictureReason | None, now_s: float, after_s: float = 0.0) -> PictureState:
    """Take in what one picture looks like: said after a while, and taken back after a while."""
    if wrong is None:
        good_s = now_s if state.wrong is not None else state.good_s
        declared = state.declared if now_s - good_s < GOOD_AFTER_S else None
        return replace(state, wrong=None, good_s=good_s, declared=declared)
    bad_s = now_s if state.wrong is None and state.declared is None else state.bad_s
    wrong_s = state.wrong_s if state.wrong == wrong else now_s
    since_s = bad_s if state.declared is None else wrong_s
    declared = wrong if now_s - since_s >= after_s - 1e-6 else state.declared
    return replace(state, wrong=wrong, wrong_s=wrong_s, bad_s=bad_s, declared=declared)


def _learned(
    state: PictureState, look: Glance, frame: Frame, slots: Sequence[Quad], *, readable: float
) -> PictureState:
    """Learn the reference view from good pictures that agree with each other."""
    if readable < READABLE_FROM:
        return state
    looks = (*state.learning, look)
    if len(looks) < LEARN_PICTURES:
        return replace(state, learning=looks)
    height, width = frame.image.shape[:2]
    sharpness = float(np.median([look.sharpness for look in looks]))
    structure = float(np.median([look.structure for look in looks]))
    marks = landmarks(Viewpoint(_together(looks), sharpness, structure, (width, height)), slots)
    if marks.usable.any() and standing(edges_of(look.smoothed), marks.edges, marks.usable) < STANDS_MIN:
        return replace(state, learning=looks[1:])  # somebody is still turning the camera
    return replace(state, marks=marks, learning=(), learned_s=frame.clock_s)


def _renewed(
    state: PictureState, look: Glance, frame: Frame, slots: Sequence[Quad], *, readable: float
) -> PictureState:
    """Learn a view again, of which little is left though it is in place; how far it has crept is carried along."""
    learned_s = state.learned_s if state.learned_s is not None else frame.clock_s
    if state.marks is None or readable < READABLE_FROM or frame.clock_s - learned_s < RENEW_AFTER_S:
        return replace(state, learned_s=learned_s)
    looks = (*state.learning, look)
    if len(looks) < LEARN_PICTURES:
        return replace(state, learning=looks)
    grey = _together(looks)
    gone = displacement(state.marks, grey)
    if gone is None:
        return replace(state, learning=(), learned_s=frame.clock_s)  # better the old one than one from nowhere
    x, y = gone.mean(axis=0).tolist()
    marks = landmarks(replace(state.marks.view, grey=grey, shift=(x, y)), slots)
    return replace(state, marks=marks, learning=(), learned_s=frame.clock_s)


def _together(looks: Sequence[Glance]) -> NDArray[np.uint8]:
    """The median of small pictures: who walks through some of them is not in it."""
    return np.asarray(np.median(np.stack([look.grey for look in looks]), axis=0), dtype=np.uint8)
