"""`/api/history`: what was counted comes back as steps, alerts and a file, each unknown as unknown."""

import csv
import io
import time
from datetime import UTC, datetime, timedelta

import pytest

from edge_agent.dashboard.views.history import csv_of, fields
from edge_agent.history import reader, tables
from edge_agent.history.reader import Line, Question
from edge_agent.history.writer import History
from edge_agent.sqlite import transaction
from tests.conftest import wait_for
from tests.edge_agent.dashboard.serving import served

AT = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
AT_MS = round(AT.timestamp() * 1000)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A running agent, after its first counts."""
    with served(tmp_path_factory.mktemp("agent")) as page:
        wait_for(lambda: page.get("/api/history/shelves").json()["products"])
        yield page


@pytest.fixture
def written(tmp_path):
    """A history of ours: two products, an unknown, an alert, and an agent that was off."""
    db = tables.connect(tmp_path / "history.db")
    run = tables.begin_run(db, AT_MS)
    with transaction(db):
        rows = [
            tables.Point(AT_MS, "a1", "cam1", "=cola, 33", 4, 4, "ok", "state"),
            tables.Point(AT_MS, "a1", "cam1", "Öl 1 l", 2, 2, "ok", "state"),
            tables.Point(AT_MS + 60_000, "a1", "cam1", "=cola, 33", 0, 4, "out", "counts"),
            tables.AlertRow(AT_MS + 90_000, "out_of_stock", "a1", "cam1", "=cola, 33", None, 0, "cola is out"),
            tables.Point(AT_MS + 120_000, "a1", "cam1", "=cola, 33", None, 4, "unknown", "counts"),
        ]
        tables.write(db, run, rows, alive_ms=AT_MS + 180_000)
        tables.begin_run(db, AT_MS + 600_000)
    db.close()
    return History(tmp_path / "history.db", max_mb=8, days=30)


def test_the_csv_file_is_exact(written):
    """RFC 4180: CRLF, quotes where a comma is, an empty count where it is unknown, a gap as lines, no formula."""
    text = "".join(csv_of(written, Question(AT_MS, AT_MS + 300_000)))
    assert text == (
        "time,shelf,camera,sku,count,expected,status,event\r\n"
        '2026-11-23T07:00:00.000Z,a1,cam1,"\'=cola, 33",4,4,ok,state\r\n'
        "2026-11-23T07:00:00.000Z,a1,cam1,Öl 1 l,2,2,ok,state\r\n"
        '2026-11-23T07:01:00.000Z,a1,cam1,"\'=cola, 33",0,4,out,counts\r\n'
        '2026-11-23T07:01:30.000Z,a1,cam1,"\'=cola, 33",0,,out,out_of_stock\r\n'
        '2026-11-23T07:02:00.000Z,a1,cam1,"\'=cola, 33",,4,unknown,counts\r\n'
        "2026-11-23T07:03:00.000Z,a1,cam1,Öl 1 l,,2,unknown,agent_off\r\n"
    )


def test_a_later_span_begins_with_what_held_then(written):
    """A file of an hour in which nothing changed says what stood there all the time."""
    text = "".join(csv_of(written, Question(AT_MS + 100_000, AT_MS + 110_000)))
    assert [line.split(",")[-4:] for line in text.splitlines()[1:]] == [
        ["0", "4", "out", "state"],
        ["2", "2", "ok", "state"],
    ]


@pytest.mark.parametrize("word", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_no_field_is_a_formula(word):
    """A spreadsheet runs nothing that is the name of a product."""
    assert fields(Line(0, "a1", "cam1", word, 1, 1, "ok", "counts"))[3] == f"'{word}"


def test_a_question_that_takes_too_long_is_ended(written):
    """Nobody can keep the device busy with a long question."""
    db = tables.connect(written.path)
    run = 1
    with transaction(db):
        made = [tables.Point(AT_MS + at, "a1", "cam1", "tea", at % 5, 4, "ok", "counts") for at in range(20_000)]
        tables.write(db, run, made, alive_ms=0)
    db.close()
    with pytest.raises(reader.TooLongError, match="shorter span"), reader.opened(written.path, limit_s=-1) as db:
        list(reader.lines(db, Question(0, 2 * AT_MS), now_ms=AT_MS))


def test_what_was_counted_is_there(page):
    """The agent's first counts are steps of products with what is planned, and the shelves are listed."""
    there = page.get("/api/history/shelves").json()
    assert {one["shelf"] for one in there["products"]} == {"drinks", "breakfast", "pantry"}
    answer = page.get("/api/history", params={"shelf": "drinks"}).json()
    assert {one["shelf"] for one in answer["series"]} == {"drinks"}
    assert all(
        step["count"] is None or step["count"] <= step["expected"] for one in answer["series"] for step in one["steps"]
    )
    lines = list(csv.DictReader(io.StringIO(page.get("/api/history.csv", params={"shelf": "drinks"}).text)))
    assert {line["sku"] for line in lines} == {one["sku"] for one in answer["series"]}


def test_a_span_that_ends_before_it_begins_is_refused(page):
    """The answer says what to give; the agent says the same of a time that is none."""
    answer = page.get("/api/history", params={"from": "2026-11-23T08:00:00Z", "to": "2026-11-23T07:00:00Z"})
    assert answer.status_code == 400
    assert "from before to" in answer.json()["message"]
    assert page.get("/api/history", params={"from": "soon"}).status_code == 422


def test_thirty_days_of_a_busy_store_are_answered_fast(tmp_path):
    """60 products, each changing 33 times a day: thinned, within the time that a page may take."""
    db = tables.connect(tmp_path / "history.db")
    run = tables.begin_run(db, AT_MS)
    with transaction(db):
        db.executemany("INSERT INTO series VALUES (?, 'a1', 'cam1', ?)", [(n, f"sku-{n}") for n in range(60)])
        step_ms = round(timedelta(days=30).total_seconds() * 1000 / 1000)
        rows = ((n, AT_MS + at * step_ms, run, at % 5, 4, "ok", "counts") for n in range(60) for at in range(1000))
        db.executemany("INSERT INTO point VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    db.close()
    began = time.monotonic()
    with reader.opened(tmp_path / "history.db") as db:
        found = reader.series(db, Question(AT_MS, AT_MS + 1000 * step_ms), most=600, now_ms=AT_MS)
    assert len(found) == 60
    assert all(len(one.steps) <= 600 and one.thinned for one in found)
    assert time.monotonic() - began < reader.LIMIT_S
