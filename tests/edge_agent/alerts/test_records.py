"""The book as JSON: what was written is read again, and what is none is said to be."""

import json
from datetime import UTC, datetime

import pytest

from edge_agent.alerts.book import Acknowledged, Book, Moment
from edge_agent.alerts.policy import Policy
from edge_agent.alerts.records import book_of, book_record
from edge_agent.alerts.telling import acknowledge, take
from edge_agent.shelf import Alert, SlotChange

AT = datetime(2026, 11, 23, 7, 15, 2, 123000, tzinfo=UTC)
POLICY = Policy(group_s=0, remind_after_s=1000)


def written():
    """A book with an alert that is acknowledged, one that is not, and one that is over, as a text."""
    changes = (SlotChange("s1", "cola", None, 4, 5),)
    alerts = [Alert("out_of_stock", "a1", "c1", "gone", sku, None, 0, f"sku:{sku}", sku, changes) for sku in "abc"]
    book, _ = take(Book(), alerts, Moment(AT, 5.0), POLICY)
    done = acknowledge(book, book.open[0].id, Acknowledged(AT, "Ana", "on my way"))
    book, _ = take(done[0], [Alert("restocked", "a1", "c1", "back", "c", None, 2, "sku:c")], Moment(AT, 6.0), POLICY)
    return book, json.dumps(book_record(book))


def test_a_book_that_was_written_is_read_again():
    """Everything is as it was, but for the times of a clock that begins anew."""
    book, text = written()
    again = book_of(json.loads(text))
    assert json.dumps(book_record(again)) == text
    assert [entry.id for entry in again.open] == [entry.id for entry in book.open]
    assert again.open[0].acknowledged == Acknowledged(AT, "Ana", "on my way")
    assert again.closed[0].members[0].alert == book.closed[0].members[0].alert


def test_what_was_waited_for_goes_on_after_a_restart():
    """A reminder comes when it was to come by the wall clock; one that was set back delays it by its time at most.

    Where it is overdue, there is time to see first that its cause is gone: the hold, and a vote.
    """
    again = book_of(json.loads(written()[1]))
    for passed_s, after_s in ((0, 1000), (400, 600), (5000, 45), (-5000, 1000)):
        book, _ = take(again, (), Moment(datetime.fromtimestamp(AT.timestamp() + passed_s, UTC), 70.0), POLICY)
        assert book.next_s == 70.0 + after_s


def test_an_alert_that_ended_before_the_restart_is_the_same_after_it():
    """The cool-down goes on by the wall clock."""
    again = book_of(json.loads(written()[1]))
    gone = Alert("out_of_stock", "a1", "c1", "gone", "c", None, 0, "sku:c", "c")
    _, [told] = take(again, [gone], Moment(AT, 0.0), POLICY)
    assert (told.entry.id, told.notify) == (again.closed[0].id, False)


def test_what_began_again_is_told_after_a_restart_as_well():
    """That it has to last, and nobody was disturbed for it as yet, is a part of the book."""
    gone = Alert("out_of_stock", "a1", "c1", "gone", "c", None, 0, "sku:c", "c")
    book, _ = take(book_of(json.loads(written()[1])), [gone], Moment(AT, 0.0), Policy(reminders=0))
    again = book_of(json.loads(json.dumps(book_record(book))))
    book, _ = take(again, (), Moment(AT, 5.0), Policy(reminders=0))
    book, told = take(book, (), Moment(AT, 904.0), Policy(reminders=0))
    assert told == ()
    _, [told] = take(book, (), Moment(AT, 905.0), Policy(reminders=0))
    assert (told.type, told.alert.sku, told.notify) == ("reminder", "c", True)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: record.update(schema="shelfwatch.book/9"),
        lambda record: record.pop("number"),
        lambda record: record["alerts"][0].pop("members"),
        lambda record: record["alerts"][0].update(opened_at="yesterday"),
        lambda record: record["alerts"][0].update(opened_at="2026-11-23T07:15:02"),
        lambda record: record.update(alerts=7),
        lambda record: record["alerts"].append("x"),
    ],
)
def test_what_is_no_book_is_said_to_be(spoil):
    """One kind of error, whatever is wrong."""
    record = json.loads(written()[1])
    spoil(record)
    with pytest.raises(ValueError, match=r"schema|lacks|isoformat|time zone"):
        book_of(record)


NONSENSE = [
    lambda alert: alert.update(kind="overstock"),
    lambda alert: alert.update(kind="restocked"),
    lambda alert: alert.update(kind=["low_stock"]),
    lambda alert: alert.update(id="abc"),
    lambda alert: alert.update(members=[]),
    lambda alert: alert.update(opened_at="0001-01-01T00:00:00+14:00"),
    lambda alert: alert["members"][0].update(closed_at=alert["opened_at"]),
    lambda alert: alert["members"][0].update(thing=None),
    lambda alert: alert["members"][0].update(thing="slot:s1"),
    lambda alert: alert["members"][0].update(message=None),
    lambda alert: alert["members"][0].update(shelf=["a1"]),
    lambda alert: alert["members"][0].update(count="2"),
    lambda alert: alert["members"][0]["changes"][0].update(slot=7),
    lambda alert: alert.pop("kind"),
]


@pytest.mark.parametrize("spoil", NONSENSE)
def test_an_alert_that_makes_no_sense_is_left_out_alone(spoil):
    """Of a newer version, or of a worn disk: it ends nothing, what is wrong with it is said, and the others stay."""
    record = json.loads(written()[1])
    spoil(record["alerts"][1])
    whole, left_out = record["alerts"][0], []
    book = book_of(record, left_out)
    assert whole["id"] in {entry.id for entry in (*book.open, *book.closed)}
    assert len(book.open) + len(book.closed) == len(record["alerts"]) - 1
    assert len(left_out) == 1
    with pytest.raises(ValueError, match=r"alert|lacks|range"):
        book_of(record)


def test_no_number_is_given_twice_after_a_book_that_miscounts():
    """The next alert is a new one, whatever the book says of how many there were."""
    record = json.loads(written()[1])
    record["number"] = 0
    assert book_of(record).number == len(record["alerts"])
