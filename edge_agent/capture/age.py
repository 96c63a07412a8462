"""When a picture was taken, as well as can be known from when it arrived and from the stream's own time.

A stream that stalled brings what it had buffered: pictures that are seconds old, all at once. Their stream time tells:
of all pictures so far, the one that was least late defines how stream time and our clock belong together, and every
other is as much older than its arrival as it was later than that one. No clock of a camera is trusted beyond that: one
that leaps, stands still or runs a bit wrong only costs some pictures. Pure: the time is told.
"""

import math

STALE_S = 2.0
"""A picture that was taken longer ago than this is never counted, and so is no sign of life either."""
BUCKET_S = 15.0
"""The least late picture of the last one or two of these counts, so that a camera's clock may run wrong by some per
cent."""
SETTLED_S, SETTLING_S = 0.02, 2.0
"""A stream may begin with pictures that the camera had kept. While they come faster than they were taken, by more than
the first of these, the least late one is still to come; that is believed for as long as the second."""
STANDS_S = 2.0
"""Stream time that has not moved for so long says nothing."""
GAP_S = 1.5
"""A stream without a time of its own that was silent for so long may bring old pictures first."""


class StreamClock:
    """Dates the pictures of one opening of one stream.

    With a stream time, the first picture is not dated: alone it cannot tell how late it is. Without one, pictures are
    dated by their arrival, except after a gap: what then comes in quick succession was waiting, and is dated before it.
    """

    def __init__(self) -> None:
        self._stream_s = math.nan
        self._began_s = self._moved_s = self._bucket_s = -math.inf
        self._least_s = self._former_least_s = math.inf
        self._taken_s: float | None = None
        self._settled = False
        self._last_s = self._usual_s = math.nan
        self._waited = False

    def date(self, arrived_s: float, stream_s: float | None) -> float | None:
        """When a picture was taken, on the clock of `arrived_s` and never after it; None: nothing can be said yet.

        Args:
            arrived_s: When it came, in seconds of a monotonic clock.
            stream_s: Its time by the stream, in seconds from anywhere; None where it has none.
        """
        if stream_s is None or not math.isfinite(stream_s):
            return self._by_arrival(arrived_s)
        if stream_s == self._stream_s:
            return self._taken_s if arrived_s - self._moved_s < STANDS_S else self._by_arrival(arrived_s)
        if not stream_s > self._stream_s:  # the first one, or the camera's clock leapt back
            self._began_s = self._bucket_s = arrived_s
            self._least_s = self._former_least_s = math.inf
            self._settled, self._taken_s = False, None
        self._stream_s, self._moved_s = stream_s, arrived_s
        return self._by_stream(arrived_s, arrived_s - stream_s)

    def _by_stream(self, arrived_s: float, late_s: float) -> float | None:
        """Date by the stream; `late_s` is arrival − stream time, which alone means nothing."""
        if arrived_s - self._bucket_s >= BUCKET_S:
            self._bucket_s, self._former_least_s, self._least_s = arrived_s, self._least_s, math.inf
        least_s = min(self._least_s, self._former_least_s)
        self._settled |= late_s >= least_s - SETTLED_S or arrived_s - self._began_s >= SETTLING_S
        self._least_s = min(self._least_s, late_s)
        if self._settled:
            self._taken_s = arrived_s - max(0.0, late_s - least_s)
        return self._taken_s

    def _by_arrival(self, arrived_s: float) -> float:
        """Date where there is no stream time."""
        gap_s = arrived_s - self._last_s
        before_s, self._last_s = self._last_s, arrived_s
        if math.isnan(before_s):
            return arrived_s
        if math.isnan(self._usual_s):
            self._usual_s = gap_s
        if gap_s > max(GAP_S, 3 * self._usual_s):
            self._waited, self._taken_s = True, before_s
        elif not (self._waited and gap_s < self._usual_s / 2):
            self._waited = False
        self._usual_s += 0.2 * (min(gap_s, 4 * self._usual_s) - self._usual_s)
        return self._taken_s if self._waited and self._taken_s is not None else arrived_s
