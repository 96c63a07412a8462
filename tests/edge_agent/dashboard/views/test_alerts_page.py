"""The API of alerts, as the page uses it: what is open and was, its pictures, and saying that somebody sees to it."""

import json
import re

import pytest

from tests.conftest import wait_for
from tests.edge_agent.dashboard.serving import served

QUICK = "misplaced_hold_s = 0.1\nview_lost_hold_s = 0.1\ngroup_s = 0.1\nhold_s = 0.1\n"


def misplaced(text):
    """A configuration by which the first product stands in the wrong place, and in which alerts come at once."""
    text = re.sub(r"misplaced_hold_s = 5\n.*?\nhold_s = 3\n", QUICK, text, flags=re.DOTALL)
    products = json.loads(re.search(r"products = (\[.*?\])", text)[1])
    other = next(sku for sku in products if sku != products[0])
    return text.replace(json.dumps(products), json.dumps([other, *products[1:]]), 1)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of an agent that has found it out."""
    with served(tmp_path_factory.mktemp("alerts"), edit=misplaced) as found:
        found.begin()
        wait_for(lambda: found.get("/api/alerts").json()["alerts"])
        wait_for(lambda: all(alert["state"] != "noted" for alert in found.get("/api/alerts").json()["alerts"]))
        yield found


def test_an_alert_is_seen_with_its_pictures_acknowledged_and_told_from_what_is_over(page):
    """From the list to the pictures to the acknowledgement, and back to the list."""
    listed = page.get("/api/alerts").json()
    alert = next(alert for alert in listed["alerts"] if alert["kind"] == "misplaced")
    assert listed["open"] == listed["unacknowledged"] == len(listed["alerts"])
    assert (alert["state"], alert["told_at"] is not None, alert["closed_at"]) == ("open", True, None)
    [member] = alert["members"]
    assert (member["shelf"], member["slot"]) == ("drinks", "r1c1")
    assert member["changes"][0]["from"] is None
    assert member["changes"][0]["to"] == member["sku"]
    assert member["changes"][0]["votes"] >= 3
    assert alert["evidence"]["before"] is None
    assert alert["evidence"]["after"]["slot"] == "r1c1"

    where = f"/api/alerts/{alert['id']}"
    picture = page.get(f"{where}/evidence/after")
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/jpeg")
    assert picture.content[:2] == b"\xff\xd8"
    assert page.get(f"{where}/evidence/before").status_code == 404

    said = {"by": " Ana ", "note": "on my way"}
    answer = page.http.post(f"{page.url}{where}/acknowledge", json=said, timeout=10)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["state"], answer.json()["acknowledged_by"], answer.json()["note"]) == (
        "acknowledged",
        "Ana",
        "on my way",
    )
    again = page.http.post(f"{page.url}{where}/acknowledge", json={"by": "Ben"}, timeout=10)
    assert again.json()["acknowledged_by"] == "Ana"
    assert page.get("/api/alerts").json()["unacknowledged"] == listed["unacknowledged"] - 1
    assert page.get("/api/alerts?state=closed").json()["alerts"] == []


@pytest.mark.parametrize("alert", ["nothing", "..%2F..%2Fagent.toml", "20261123t071500-1%00", "a" * 300])
def test_what_is_no_alert_is_not_found(page, alert):
    """Whatever stands in the address, it makes no file's name."""
    for path in (f"/api/alerts/{alert}/evidence/after", f"/api/alerts/{alert}/evidence/book"):
        assert page.get(path).status_code in {400, 404, 422}
    answer = page.http.post(f"{page.url}/api/alerts/{alert}/acknowledge", json={"by": "Ana"}, timeout=10)
    assert answer.status_code in {404, 405}
    assert answer.json()["message"]


@pytest.mark.parametrize(
    "said",
    [{}, {"by": ""}, {"by": "  "}, {"by": "x" * 61}, {"by": "A\nB"}, {"by": "Ana", "note": "y" * 201}, {"by": 7}],
)
def test_who_sees_to_it_must_be_said(page, said):
    """One line, not too long; and nothing is changed otherwise."""
    before = page.get("/api/alerts").json()
    where = f"{page.url}/api/alerts/{before['alerts'][0]['id']}/acknowledge"
    assert page.http.post(where, json=said, timeout=10).status_code in {400, 422}
    assert page.get("/api/alerts").json() == before
