"""Telegraf's paths on what the real agent says, and Grafana's InfluxQL on a real InfluxDB that holds it."""

import os
import shutil
import subprocess
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import requests

from benchmarks.parts import Program, free_port
from tests.conftest import wait_for
from tests.system.dashboards.grafana import Chosen, queries
from tests.system.dashboards.telegraf import CONF, fits, inputs, points

pytestmark = pytest.mark.system

NOBODY_READS = {"info", "ack", "result", "alerts"}
"""What devices say beside what Telegraf reads: last levels of topics."""


@pytest.fixture(scope="module")
def made(morning):
    """The points of the morning, and when each message was heard (as far as Telegraf would use that)."""
    return [point for topic, payload, _ in morning.heard.messages if payload for point in points(topic, payload)]


def test_every_subject_becomes_points_and_nothing_is_left_out(morning, made):
    """Each topic that a device has is read by an input, but for those that are named here, and no path is missing."""
    topics = {topic for topic, _, _ in morning.heard.messages}
    wanted = [wanted for each in inputs() for wanted in each["topics"]]
    unread = {topic.split("/")[-1] for topic in topics if not any(fits(filters, topic) for filters in wanted)}
    assert unread <= NOBODY_READS
    names = Counter(point.name for point in made)
    assert set(names) == {f"shelfwatch_{name}" for name in ("device", "health", "camera", "shelf", "product", "event")}
    assert names["shelfwatch_event"] == len(morning.heard.of("/event"))
    assert names["shelfwatch_health"] == len(morning.heard.of("/health"))
    assert {point.tags["site"] for point in made} == {"demo"}


def test_an_unknown_count_is_no_field(made, morning):
    """A product that cannot be read has a point with a status and without a count; one that is out has a 0."""
    products = [point for point in made if point.name == "shelfwatch_product"]
    unknown = [point for point in products if point.fields["status"] == "unknown"]
    assert unknown
    assert not any("count" in point.fields or "confidence" in point.fields for point in unknown)
    assert {point.fields["count"] for point in products if point.fields["status"] == "out"} == {0}
    states = morning.heard.of("/state")
    assert len(products) == sum(len(state["items"]) for state in states)


def test_a_field_keeps_its_type_whatever_the_value(made):
    """InfluxDB takes one type for a field; whole numbers of the health message are floats like the others."""
    types: dict[tuple[str, str], set[type]] = {}
    for point in made:
        for name, value in point.fields.items():
            types.setdefault((point.name, name), set()).add(type(value))
    assert not {key: found for key, found in types.items() if len(found) > 1}
    assert types["shelfwatch_health", "frame_age_s_shelf-cam"] == {float}
    assert types["shelfwatch_product", "count"] == {int}


def test_passwords_are_not_in_the_file():
    """They come from the environment of the service."""
    words = [line for line in CONF.read_text().splitlines() if "password =" in line or "token =" in line]
    assert words
    assert all('"${' in line for line in words)


@pytest.fixture(scope="module")
def influxdb(tmp_path_factory, made):
    """A real InfluxDB with the points of the morning; a function that asks it."""
    program = shutil.which("influxd", path=os.environ["PATH"] + ":/usr/sbin")
    assert program, "InfluxDB is missing: run deploy/setup-system.sh test"
    folder, port = tmp_path_factory.mktemp("influxdb"), free_port()
    text = subprocess.run([program, "config"], capture_output=True, text=True, check=True).stdout
    lines, section = [], ""
    changed = {
        "": {"bind-address": f'"127.0.0.1:{free_port()}"', "reporting-disabled": "true"},
        "[meta]": {"dir": f'"{folder}/meta"'},
        "[data]": {"dir": f'"{folder}/data"', "wal-dir": f'"{folder}/wal"'},
        "[http]": {"bind-address": f'"127.0.0.1:{port}"'},
        "[monitor]": {"store-enabled": "false"},
    }
    for line in text.splitlines():
        if line.startswith("["):
            section = line
        name = line.split("=")[0].strip()
        value = changed.get(section, {}).get(name)
        lines.append(line if value is None else f"{name} = {value}")
    (folder / "influxdb.conf").write_text("\n".join(lines))
    influxd = Program([program, "-config", str(folder / "influxdb.conf")], folder / "log")
    influxd.start()
    address = f"http://127.0.0.1:{port}"
    with requests.Session() as http:

        def answers():
            try:
                return http.get(f"{address}/ping", timeout=5).ok
            except requests.ConnectionError:
                return False

        def ask(query, db="shelfwatch"):
            answer = http.post(f"{address}/query", params={"db": db, "q": query, "epoch": "ms"}, timeout=30)
            (result,) = answer.json()["results"]
            assert "error" not in result, f"{query}: {result}"
            return result.get("series", [])

        wait_for(answers, 30, "InfluxDB")
        ask("CREATE DATABASE shelfwatch")
        now, written = datetime.now(UTC), []
        for nth, point in enumerate(made):
            written.append(point.line(now + timedelta(milliseconds=nth)))
        stored = http.post(
            f"{address}/write", params={"db": "shelfwatch", "precision": "ms"}, data="\n".join(written), timeout=30
        )
        assert stored.status_code == 204, stored.text
        yield ask
    influxd.stop()


INFLUXQL = queries("influxdb")
NEVER_HERE = {
    "shelfwatch-health | Temperature": "temperature_c",
    "shelfwatch-health | Oldest event that waits": "outbox_oldest_s",
}
"""Panels whose field a machine may not have: no sensor, nothing that waits."""


@pytest.fixture(scope="module")
def chosen():
    """The hour of the morning, and its device."""
    now = datetime.now(UTC)
    return Chosen(
        now - timedelta(minutes=50), now + timedelta(minutes=10), 60, {"site": ["demo"], "device": ["shelf-1"]}
    )


@pytest.mark.parametrize("query", INFLUXQL, ids=[query.where for query in INFLUXQL])
def test_an_influxql_query_finds_what_its_panel_shows(influxdb, chosen, made, query):
    """It is understood and finds points of our device; a panel of a table finds the columns that it dresses."""
    text = chosen.influxql(query.text)
    assert "$" not in text.replace("$/", "")
    found = influxdb(text)
    if (name := NEVER_HERE.get(query.where)) and not any(name in point.fields for point in made):
        return
    assert found
    if query.form == "variable":
        return
    assert all({"site": "demo", "device": "shelf-1"}.items() <= series["tags"].items() for series in found)
    assert any(value is not None for series in found for row in series["values"] for value in row[1:])
    columns = {*found[0]["columns"], *found[0]["tags"]}
    assert {override["matcher"]["options"] for override in query.panel["fieldConfig"]["overrides"]} <= columns
    for tag in (word.strip(" /") for word in str(query.panel["targets"][0]["alias"]).split("$tag_")[1:]):
        assert tag.split(" ")[0] in found[0]["tags"]


def test_influxdb_has_no_0_for_what_was_unknown(influxdb):
    """A product that was never out has no 0 anywhere, although it was unknown for a while."""
    zeros = influxdb('SELECT count("count") FROM shelfwatch_product WHERE "sku" = \'coffee\' AND "count" = 0')
    unknown = influxdb(
        'SELECT count("status") FROM shelfwatch_product WHERE "sku" = \'coffee\' AND "status" = \'unknown\''
    )
    assert zeros == []
    assert unknown[0]["values"][0][1] > 0
