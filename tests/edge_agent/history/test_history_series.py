"""Series: gaps are gaps, and thinning keeps what matters."""

import random

from edge_agent.history.series import PER_BUCKET, Step, thinned, with_gaps


def test_what_held_before_the_range_holds_at_its_beginning():
    """A product that did not change for days is drawn from the first moment on."""
    assert with_gaps(Step(10, 4, 4), [Step(150, 3, 4)], [], from_ms=100) == [Step(100, 4, 4), Step(150, 3, 4)]


def test_a_break_is_unknown_until_the_next_step():
    """While the agent is off nothing is known, though the count after it is the same as before."""
    found = with_gaps(Step(10, 4, 4), [Step(300, 4, 4)], [200], from_ms=100)
    assert found == [Step(100, 4, 4), Step(200, None, 4, "unknown"), Step(300, 4, 4)]


def test_a_break_before_the_range_leaves_its_beginning_unknown():
    """An agent that was off when the range begins vouches for nothing."""
    assert with_gaps(Step(10, 4, 4), [], [50], from_ms=100) == [Step(100, None, 4, "unknown")]


def test_nothing_before_and_nothing_in_it_is_nothing():
    """A break says nothing of a product that was never known."""
    assert with_gaps(None, [], [50, 120], from_ms=100) == []


def test_thinning_keeps_zeros_unknowns_extremes_and_both_ends():
    """Of 20,000 steps at most 400 stay: the only zero, the only unknown with its end, the highest, first and last."""
    dice = random.Random(5)
    steps = [Step(at * 1000, dice.randint(2, 6), 8) for at in range(20_000)]
    steps[7_001], steps[17_000] = Step(7_001_000, 0, 8), Step(17_000_000, 8, 8)
    steps[12_345] = Step(12_345_000, None, 8)
    few = thinned(steps, most=400)
    assert len(few) <= 400
    assert few[0] == steps[0]
    assert few[-1] == steps[-1]
    assert {steps[place] for place in (7_001, 12_345, 12_346, 17_000)} <= set(few)
    assert few == sorted(few, key=lambda step: step.at_ms)


def test_few_steps_stay_as_they_are():
    """Nothing is left out where there is room for all."""
    steps = [Step(at, at % 3, 4) for at in range(PER_BUCKET)]
    assert thinned(steps, most=PER_BUCKET) == steps


def test_a_limit_that_changes_is_a_step_of_its_own_and_changes_nothing_before():
    """What was told as fine stays fine in the history, whatever is low today."""
    steps = [Step(100, 2, 4, "ok"), Step(200, 2, 4, "low"), Step(300, 2, 4, "low")]
    assert with_gaps(None, steps, [], from_ms=0) == steps[:2]
