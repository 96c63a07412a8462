"""The page holds every figure and photograph by itself, in plain words first, and products may be called anything."""

import json

import pytest

from tests.pages import Page
from tests.trainer.colours import CARD, LABELS, save
from tests.trainer.command import status_of
from trainer.report import Epoch, write_history

HISTORY = [Epoch(1, 1.5, 0.4, 1.25, 0.5, 0.001, 2.0), Epoch(2, 0.5, 0.8, 0.75, 0.875, 0.0005, 2.0)]


@pytest.fixture
def photographs(draw_classes):
    """Four of each of three products; one photograph of the first is in the folder of the second."""
    root = draw_classes(LABELS, 4)
    (root / LABELS[0] / "003.png").rename(root / LABELS[1] / "wrong.png")
    return root


@pytest.fixture
def page(photographs, tmp_path):
    """The path of a page with everything on it."""
    model = save(tmp_path / "model")
    write_history(HISTORY, model.with_name("history.csv"))
    out = tmp_path / "out" / "report.html"
    asked = ("--split", "all", "--unknown", photographs / LABELS[2])
    assert status_of("report", model, photographs, "--out", out, *asked) == 0
    return out


def test_the_page_needs_nothing_but_itself(page):
    """No address, no file: pictures are inside, links stay on the page, and the browser is told to fetch nothing."""
    text = page.read_text()
    assert "http" not in text.replace("http-equiv", "")
    assert "url(" not in text
    assert "@import" not in text
    found = Page(text)
    assert not found.open
    assert not found.all("link")
    assert all("src" not in script for script in found.all("script"))
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in found.all("img"))
    places = {attributes["id"] for attributes in found.all("section")}
    assert {link["href"] for link in found.all("a")} == {f"#{place}" for place in places}
    policy = next(meta["content"] for meta in found.all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert len(text) < 3e6


def test_all_figures_are_there(page):
    """In plain words first, then in tables: eleven of twelve are right, and one oat is taken for cola."""
    text = Page(page.read_text()).text
    for figure in (
        "92% name the right product",
        "100% name at least the right kind of product",
        "right product in 92",
        f"{LABELS[1]} is taken for {LABELS[0]}: 1 of 5",
        "Of 4 photographs of products it was never shown, it noticed 0%.",
        "accuracy 0.9167",
        "macro f1",
        "log loss",
        "rejection: threshold 0.5",
        "unknown products: auroc",
        "2 of 3 products were judged by fewer than 5",
        "epoch 2, the one kept, validation has 87.5%",
        "seed 7",
        "best epoch 2",
        "keras " + CARD["versions"]["keras"],
    ):
        assert figure in text, figure
    assert f"{LABELS[0]} 0.750 1.000 0.857 3 4" in text
    assert f"{LABELS[1]} 1.000 0.800 0.889 5 4" in text
    assert "drinks 1.000 1.000 1.000 8 8" in text


def test_names_are_shown_as_they_are(page):
    """A product may be called <b> or &: it is text, in sentences, tables, pictures and the card."""
    text = page.read_text()
    assert "oat <b>" not in text
    found = Page(text)
    assert "oat <b>" in found.text
    assert "tea & $lime" in found.text
    assert any(image["alt"] == "oat <b>, taken for cola" for image in found.all("img"))
    card = text.split("<pre>")[1].split("</pre>")[0]
    assert json.loads("".join(Page(card).words))["labels"] == list(LABELS)


def test_what_can_be_seen_can_be_read_out(page):
    """Each photograph, chart and matrix has words of its own, and there is one main heading."""
    found = Page(page.read_text())
    assert found.all("html")[0]["lang"] == "en"
    assert len(found.all("h1")) == 1
    images = found.all("img")
    assert len(images) >= 1 + 1 + 3 + 2 * 4
    assert all(image["alt"] for image in images)
    charts = [svg for svg in found.all("svg") if svg.get("role") == "img"]
    assert len(charts) == 5
    assert all(len(svg["aria-label"]) > 20 for svg in charts)


def test_without_history_groups_threshold_and_mistakes_the_page_is_shorter(draw_classes, tmp_path, capfd):
    """An older card, a training whose curves are gone or are those of another: said, or left out."""
    model = save(tmp_path / "model", coarse=None, rejection=None, training={"epochs": 5})
    write_history(HISTORY, model.with_name("history.csv"))
    out = tmp_path / "report.html"
    assert status_of("report", model, draw_classes(LABELS, 2), "--split", "all", "--out", out) == 0
    assert f"accuracy 100.0% on 6 photographs; wrote {out}" in capfd.readouterr().out
    found = Page(out.read_text())
    assert "There is no history.csv of this training" in found.text
    assert "calls everything by the name of some product" in found.text
    assert "Nothing, on these photographs." in found.text
    assert "kind of product" not in found.text
    assert "surest mistakes" not in found.text


def test_what_the_training_left_out_is_told_where_nothing_else_was_tried(draw_classes, tmp_path):
    """A training that left products out has tried it already."""
    left_out = {"photographs": 40, "auroc": 0.85, "caught": 0.25, "caught_at_loss": 0.4}
    model, out = save(tmp_path / "model", metrics={"unknown": left_out}), tmp_path / "report.html"
    assert status_of("report", model, draw_classes(LABELS, 2), "--split", "all", "--out", out) == 0
    text = Page(out.read_text()).text
    assert "Of 40 photographs of products it was never shown, it noticed 25%." in text
    assert "was not tried" not in text


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["gone.keras", "photographs", "--out", "."], 66, "which is a folder"),
        (["gone.keras", "photographs", "--out", "/dev/null/report.html"], 66, "cannot be written"),
        (["gone.keras", "photographs"], 66, "gone.keras"),
    ],
)
def test_mistakes_end_with_a_message_and_their_status(tmp_path, capfd, monkeypatch, arguments, status, message):
    """No traceback, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    assert status_of("report", *arguments) == status
    said = capfd.readouterr()
    assert message in said.err
    assert "Traceback" not in said.err
    assert not list(tmp_path.iterdir())
