"""How many epochs fit into the time that there is. Pure: the clock is read elsewhere."""

import statistics
from collections.abc import Sequence


def planned_epochs(asked: int, durations_s: Sequence[float], *, left_s: float | None) -> int:
    """Epochs that a training will have in all, those that are over included.

    Args:
        asked: At most so many.
        durations_s: Of the epochs that are over.
        left_s: Until the training must have ended; None for as long as it takes.

    >>> planned_epochs(20, [10.0], left_s=45.0)
    5
    """
    done = len(durations_s)
    if left_s is None or not durations_s:
        return asked
    # the first epoch also pays for what happens once, so it counts only while it is alone
    usual_s = statistics.median(durations_s[1:] or durations_s)
    more = int(max(0.0, left_s) // max(usual_s, 1e-6))
    return min(asked, done + more)
