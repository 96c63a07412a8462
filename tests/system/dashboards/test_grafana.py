"""Grafana's dashboards: each SQL query finds what its panel shows, in what the real ingest stored of a real morning."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import yaml

from tests.system.dashboards.grafana import FOLDER, Chosen, boards, queries

pytestmark = pytest.mark.system

NULLS_OF = {"shelfwatch-store | Every product", "shelfwatch-product | Facings"}
"""Queries in which what is unknown must be told as such."""
EMPTY = {"shelfwatch-health | Ingest: lost and rejected"}
"""What a good morning has nothing of."""


@pytest.fixture(scope="module")
def chosen(morning):
    """The hour of the morning, its device, and all that it counts."""
    skus = sorted({sku for event in morning.heard.of("/event") for sku in event.get("counts") or ()})
    everything = {
        "site": ["demo"],
        "device": ["shelf-1"],
        "shelf": ["breakfast", "drinks", "pantry"],
        "sku": skus,
        "within": ["30 days"],
    }
    now = datetime.now(UTC)
    return Chosen(now - timedelta(minutes=50), now + timedelta(minutes=10), 60, everything)


@pytest.fixture
def ask(morning, chosen):
    """A function that asks a query; what it changes in between is not kept."""
    with psycopg.connect(morning.conninfo) as db:

        def asked(text):
            text = chosen.sql(text)
            assert "$" not in text, f"Grafana has no such macro: {text[text.index('$') :][:40]}"
            cursor = db.execute(text.encode())
            names = [column.name for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

        asked.db = db
        yield asked
        db.rollback()


SQL = queries("postgres")


@pytest.mark.parametrize("query", SQL, ids=[query.where for query in SQL])
def test_a_query_finds_the_columns_that_its_panel_shows(ask, query):
    """Each column that a panel dresses is there; a time series has its time; only a list of faults may be empty."""
    found = ask(query.text)
    if query.where in EMPTY:
        return
    assert found, "nothing was found"
    columns = set(found[0])
    if query.form == "time_series":
        assert {"time", "metric", "value"} <= columns
    if query.form == "annotation":
        assert {"time", "text", "tags"} <= columns
    if query.panel is not None:
        assert {override["matcher"]["options"] for override in query.panel["fieldConfig"]["overrides"]} <= columns


def panel(where):
    """The query of a panel."""
    return next(query.text for query in SQL if query.where == where)


def test_the_store_is_shown_as_it_stands_at_the_end_of_the_morning(ask):
    """One product out, one low, the soup that stands in the penne's place is counted, and nothing is unknown."""
    shown = {(row["Shelf"], row["Product"]): row for row in ask(panel("shelfwatch-store | Every product"))}
    assert (shown["drinks", "lemon-tea"]["Facings"], shown["drinks", "lemon-tea"]["Status"]) == (0, "out")
    assert (shown["drinks", "cola-can"]["Facings"], shown["drinks", "cola-can"]["Status"]) == (1, "low")
    assert (shown["drinks", "cola-zero-can"]["Facings"], shown["drinks", "cola-zero-can"]["Status"]) == (1, "ok")
    assert shown["pantry", "tomato-soup"]["Facings"] == 3
    assert ask(panel("shelfwatch-store | Products out")) == [{"Products out": 1}]
    assert ask(panel("shelfwatch-store | Products low")) == [{"Products low": 1}]
    assert ask(panel("shelfwatch-store | Products unknown")) == [{"Products unknown": 0}]
    assert [row["Product"] for row in ask(panel("shelfwatch-store | Stock-outs open"))] == ["lemon-tea"]


@pytest.mark.parametrize(("kind", "status"), [("misplaced", "low"), ("low_stock", "ok")])
def test_only_the_end_of_its_own_alert_ends_what_is_low(ask, kind, status):
    """That a product no longer stands in a wrong place says nothing of how many stand in the right one."""
    ask.db.execute(
        b"INSERT INTO shelf_event SELECT (jsonb_populate_record(e, jsonb_build_object('type', 'closed', 'ts', now(),"
        b" 'seq', e.seq + 100000, 'body', e.body || jsonb_build_object('type', 'closed', 'kind', %s::text)))).* FROM"
        b" shelf_event AS e WHERE type = 'low_stock' AND body->>'sku' = 'cola-can' ORDER BY ts DESC LIMIT 1",
        (kind,),
    )
    shown = {(row["Shelf"], row["Product"]): row for row in ask(panel("shelfwatch-store | Every product"))}
    assert (shown["drinks", "cola-can"]["Facings"], shown["drinks", "cola-can"]["Status"]) == (1, status)


def test_what_cannot_be_read_is_unknown_and_never_0(ask):
    """While it is dark every product is unknown, the stock-out stays open, and no query calls it 0."""
    dark = "SELECT max(ts) FROM shelf_event WHERE type = 'counts' AND body->>'quality' = 'dark'"
    ask.db.execute(b"DELETE FROM shelf_event WHERE ts > (" + dark.encode() + b")")
    shown = ask(panel("shelfwatch-store | Every product"))
    assert len(shown) == 18
    assert {(row["Facings"], row["Status"]) for row in shown} == {(None, "unknown")}
    assert ask(panel("shelfwatch-store | Products out")) == [{"Products out": 0}]
    assert ask(panel("shelfwatch-store | Products unknown")) == [{"Products unknown": 18}]
    (still_open,) = ask(panel("shelfwatch-store | Stock-outs open"))
    assert (still_open["Product"], still_open["Facings now"], still_open["Status"]) == ("lemon-tea", None, "unknown")
    newest = ask(panel("shelfwatch-product | Facings"))[-1]
    assert newest["value"] is None


def test_without_any_event_a_figure_is_missing_and_not_0(ask):
    """An empty database is no shop without stock-outs."""
    ask.db.execute(b"DELETE FROM shelf_event")
    for title in ("Products out", "Products low", "Products unknown"):
        assert ask(panel(f"shelfwatch-store | {title}")) == []


def test_time_out_of_stock_is_the_time_between_the_counts(ask, morning):
    """Seconds out of stock are those between the counts of 0 and the next, without the time in the dark."""
    times = {}
    events = [event for event in morning.heard.of("/event") if event["type"] == "counts" and event["shelf"] == "drinks"]
    for event, after in zip(events, [*events[1:], None], strict=True):
        ends = datetime.now(UTC) if after is None else datetime.fromisoformat(after["ts"])
        key = event["counts"]["lemon-tea"]
        times[key] = times.get(key, 0.0) + (ends - datetime.fromisoformat(event["ts"])).total_seconds()
    asked = ask(panel("shelfwatch-store | Time out of stock"))
    (row,) = (row for row in asked if row["Product"] == "lemon-tea")
    assert float(row["Out"]) == pytest.approx(times[0], abs=2)
    assert float(row["Unknown"]) == pytest.approx(times[None], abs=0.1)


def test_a_line_has_a_gap_where_nobody_could_tell(ask):
    """The history has a null, not a 0, for the time in the dark, and ends with what holds now."""
    line = [row["value"] for row in ask(panel("shelfwatch-product | Facings")) if row["metric"].endswith("/ cola-can")]
    assert line == [2, 2, 2, 1, 1, None, 1, 1]


@pytest.mark.parametrize("uid", boards())
def test_a_dashboard_is_well_formed(uid):
    """Unique ids of panels, a place for each that no other takes, data sources that are provisioned, no query fills."""
    board = boards()[uid]
    provisioned = yaml.safe_load((FOLDER / "provisioning/datasources/shelfwatch.yaml").read_text())
    sources = {(source["uid"], source["type"]) for source in provisioned["datasources"]}
    assert board["schemaVersion"] >= 36
    assert (FOLDER / "dashboards" / f"{uid}.json").exists()
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(set(numbers)) == len(numbers)
    taken = set()
    for found in board["panels"]:
        at = found["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken
        taken |= cells
        assert found["fieldConfig"]["defaults"].get("custom", {}).get("spanNulls", False) is False
        for target in found["targets"]:
            assert (target["datasource"]["uid"], target["datasource"]["type"]) in sources
            assert target["datasource"] == found["datasource"]
            assert "fill(0)" not in str(target)
        assert len({target["refId"] for target in found["targets"]}) == len(found["targets"])
    names = [variable["name"] for variable in board["templating"]["list"]]
    assert len(set(names)) == len(names)


def test_uids_are_unique_and_the_folder_is_the_one_that_is_provisioned():
    """No two dashboards share a uid, and the README copies them to where the provider looks."""
    assert len(boards()) == len(list((FOLDER / "dashboards").glob("*.json")))
    provider = yaml.safe_load((FOLDER / "provisioning/dashboards/shelfwatch.yaml").read_text())["providers"][0]
    assert provider["options"]["path"] in (FOLDER / "README.md").read_text()
