"""A training that must end by a time has as many epochs as fit."""

import pytest

from trainer.training.budget import planned_epochs


@pytest.mark.parametrize(
    ("durations_s", "left_s", "planned"),
    [
        ([], 1.0, 20),  # nothing is known yet
        ([10.0], None, 20),
        ([10.0], 1000.0, 20),
        ([10.0], 45.0, 5),
        ([10.0], 9.0, 1),
        ([10.0], -5.0, 1),
        ([30.0, 10.0, 10.0], 45.0, 7),  # the first one compiled the network
        ([1e-9, 0.0], 5.0, 20),
    ],
)
def test_as_many_epochs_are_planned_as_fit(durations_s, left_s, planned):
    """Never more than were asked for, never fewer than are over, and the first one, which compiles, is no measure."""
    assert planned_epochs(20, durations_s, left_s=left_s) == planned
