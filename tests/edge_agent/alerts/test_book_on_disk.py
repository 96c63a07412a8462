"""Book and pictures on the disk: whole, bounded, written beside the loop; when they cannot be, nothing ends."""

import logging
from datetime import UTC, datetime, timedelta

import pytest

from edge_agent.alerts.book import Book, Moment
from edge_agent.alerts.looks import Evidence, Picture
from edge_agent.alerts.policy import Policy
from edge_agent.alerts.telling import take
from edge_agent.alerts.writer import BOOK, Keeper
from edge_agent.shelf import Alert
from tests.conftest import wait_for

AT = datetime(2026, 11, 23, 7, 15, tzinfo=UTC)


def book_with(number):
    """A book of so many open alerts."""
    alerts = [Alert("out_of_stock", "a1", "c1", "gone", f"x{n}", None, 0, f"sku:x{n}", str(n)) for n in range(number)]
    return take(Book(), alerts, Moment(AT, 0.0), Policy(group_s=0))[0]


def pictures(size=1000):
    """A slot before and after."""
    return Evidence(
        Picture("s1", AT, "cola", b"b" * size), Picture("s1", AT + timedelta(minutes=1), "empty", b"a" * size)
    )


@pytest.fixture
def keep(tmp_path):
    """A function that starts a keeper of a folder; it ends with the test."""
    kept = []

    def start(max_mb=1):
        keeper = Keeper(tmp_path / "alerts", max_mb=max_mb)
        keeper.start()
        kept.append(keeper)
        return keeper

    yield start
    for keeper in kept:
        keeper.close()


def test_the_book_and_its_pictures_outlast_a_restart(keep):
    """What was handed over is there for the next run, and what is known of the pictures too."""
    keeper, book = keep(), book_with(2)
    alert = book.open[0].id
    keeper.show(alert, pictures())
    keeper.write(book, {alert: pictures().record()})
    keeper.close()
    again = keep()
    found, shown = again.load()
    assert [entry.id for entry in found.open] == [entry.id for entry in book.open]
    assert shown == {alert: pictures().record()}
    assert again.picture(alert, "before") == b"b" * 1000
    assert again.picture(alert, "after") == b"a" * 1000
    assert again.picture(book.open[1].id, "after") is None


def test_a_picture_can_be_seen_before_it_is_written(tmp_path):
    """Who asks at once gets what waits for the disk."""
    keeper = Keeper(tmp_path / "alerts", max_mb=1)
    keeper.show("20261123t071500-1", pictures())
    assert keeper.picture("20261123t071500-1", "after") == b"a" * 1000
    assert not (tmp_path / "alerts").exists()


@pytest.mark.parametrize("alert", ["../book", "..", "/etc/passwd", "a-1/../../x-1", "20261123t071500-1\n", "", "A-1"])
def test_only_an_id_becomes_part_of_a_files_name(tmp_path, alert):
    """Whatever is asked for, nothing outside the folder is read."""
    (tmp_path / "alerts").mkdir()
    (tmp_path / "book-after.jpg").write_bytes(b"secret")
    assert Keeper(tmp_path / "alerts", max_mb=1).picture(alert, "after") is None


def test_pictures_go_with_their_alert_and_the_oldest_when_they_are_too_many(keep, tmp_path):
    """What the book no longer names is removed; beyond the quota the oldest are."""
    keeper, book = keep(max_mb=1), book_with(4)
    names = [entry.id for entry in book.open]
    for name in names:
        keeper.show(name, pictures(200_000))
        keeper.write(book, {})
        wait_for(lambda name=name: (tmp_path / "alerts" / f"{name}-after.jpg").exists())
    wait_for(lambda: not (tmp_path / "alerts" / f"{names[0]}-before.jpg").exists())
    assert (tmp_path / "alerts" / f"{names[3]}-after.jpg").exists()
    keeper.write(Book(), {})
    wait_for(lambda: not list((tmp_path / "alerts").glob("*.jpg")))


def test_a_damaged_book_begins_anew(keep, tmp_path, caplog):
    """It is kept aside and said; alerts that are open are told again, which is better than none."""
    (tmp_path / "alerts").mkdir()
    (tmp_path / "alerts" / BOOK).write_text('{"schema": "shelfwatch.book/1", "alerts": [{')
    with caplog.at_level(logging.WARNING):
        assert keep().load() == (Book(), {})
    assert "begins anew" in caplog.text
    assert (tmp_path / "alerts" / "book.damaged").exists()


def test_an_alert_that_makes_no_sense_does_not_cost_the_others(keep, tmp_path, caplog):
    """It is left out and said, the book as it was is kept aside, and what else was open is not told again."""
    first = keep()
    first.write(book_with(3), {})
    first.close()
    path = tmp_path / "alerts" / BOOK
    spoilt = path.read_text().replace('"kind":"out_of_stock"', '"kind":"overstock"', 1)
    path.write_text(spoilt)
    with caplog.at_level(logging.WARNING):
        book, _ = keep().load()
    assert len(book.open) == 2
    assert "overstock" in caplog.text
    assert path.with_suffix(".damaged").read_text() == spoilt


def test_a_disk_that_takes_nothing_ends_nothing(keep, tmp_path, caplog):
    """It is said once, and when there is room again all is written."""
    (tmp_path / "alerts").write_text("a file where a folder belongs")
    keeper, book = keep(), book_with(1)
    with caplog.at_level(logging.WARNING):
        keeper.write(book, {})
        wait_for(lambda: "cannot be kept" in caplog.text)
        keeper.write(book, {})
    (tmp_path / "alerts").unlink()
    keeper.write(book, {})
    wait_for((tmp_path / "alerts" / BOOK).exists)
    assert caplog.text.count("cannot be kept") == 1
