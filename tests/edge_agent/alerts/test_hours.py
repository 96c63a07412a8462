"""Opening hours: in the store's own time, over midnight, and through the change of the clocks."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from edge_agent.alerts.hours import Hours, spans
from edge_agent.config import Settings

BERLIN = ZoneInfo("Europe/Berlin")


def utc(text):
    """An instant of UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("07:00-22:00", ((420, 1320),)),
        ("8:00 – 12:30, 14:00-18:00", ((480, 750), (840, 1080))),
        ("00:00-24:00", ((0, 1440),)),
        ("22:00-02:00", ((1320, 120),)),
        ("", ()),
    ],
)
def test_hours_are_read_as_people_write_them(text, read):
    """Spans with commas between, in minutes since midnight; nothing is closed."""
    assert spans(text) == read


@pytest.mark.parametrize("text", ["7-22", "25:00-26:00", "08:60-09:00", "08:00-08:00", "24:00-08:00", "08:00-20:00;"])
def test_hours_that_are_none_are_refused(text):
    """The message shows how they are written."""
    with pytest.raises(ValueError, match="write it as 08:00-20:00"):
        spans(text)


def test_the_store_opens_by_its_own_clock_summer_and_winter():
    """Seven in Berlin is six in UTC in winter and five in summer."""
    hours = Hours(BERLIN, (spans("07:00-22:00"),) * 7)
    assert not hours.open_at(utc("2026-01-15T05:59"))
    assert hours.open_at(utc("2026-01-15T06:00"))
    assert hours.open_at(utc("2026-07-15T05:00"))
    assert not hours.open_at(utc("2026-07-15T20:00"))


def test_a_night_belongs_to_the_day_on_which_it_begins():
    """From ten on Friday until two on Saturday; on a closed Friday not at all."""
    week = ((), (), (), (), spans("22:00-02:00"), (), ())
    hours = Hours(UTC, week)
    assert [hours.open_at(utc(f"2026-11-{at}")) for at in ("27T21:59", "27T22:00", "28T01:59", "28T02:00")] == [
        False,
        True,
        True,
        False,
    ]
    shut = Hours(UTC, week, frozenset({date(2026, 11, 27)}))
    assert not shut.open_at(utc("2026-11-28T01:00"))


def test_the_configuration_says_them_by_day(tmp_path):
    """A day without hours of its own has those of every day; an empty one is closed; holidays are."""
    settings = Settings.model_validate(
        {
            "site": "s",
            "device": "d",
            "model": {"bundle": tmp_path},
            "cameras": [{"id": "c", "source": "0"}],
            "hours": {"timezone": "UTC", "every_day": "08:00-20:00", "sunday": "", "closed": [date(2026, 12, 25)]},
        }
    )
    policy = settings.policy
    assert policy.open_at(utc("2026-11-27T08:00"))
    assert not policy.open_at(utc("2026-11-29T12:00"))
    assert not policy.open_at(utc("2026-12-25T12:00"))
    assert policy.patience.dark_is_lost
