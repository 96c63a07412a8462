"""What people read on the page of a conversion: first whether they may use it and what to do, then every figure."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from converter.judging import page
from converter.judging.latency import Latency
from edge_agent.bundle import EDGETPU_FILE, MODEL_FILE
from edge_agent.bundle import read as bundle_at
from tests.converter.judging.conversions import LABELS, LAYERS, SECOND, SURE, Course, climbed, evidence
from tests.pages import Page

MAY = "The small network may stand in for the large one."
COPY = "Copy the folder of this page to the device"


@pytest.fixture(scope="module")
def pictures(photographs, tmp_path_factory):
    """Six pictures."""
    return sorted(photographs(tmp_path_factory.mktemp("pictures") / "shapes", each=2, seed=4).glob("*/*.png"))


def read(found) -> Page:
    """The page, as a browser reads it; everything that is opened is closed."""
    read = Page(page.render(found))
    assert not read.open
    return read


def first_screen(found) -> str:
    """What is read before the first table."""
    return read(found).text.split("What int8 loses of top-1 accuracy")[0]


def test_a_proven_conversion_says_that_it_may_be_used_and_how(pictures):
    """Accuracy, size, speed and the next step stand on the first screen, without a word of the trade."""
    said = first_screen(evidence(pictures))
    for words in (
        "Proven",
        MAY,
        "It gets 249 of 300 photographs right, the large one 250; to 296 (98.7%) both give the same answer.",
        "On the device it is 4.0 × smaller: 0.25 MB instead of 1.0 MB.",
        "It is 3.0 × faster on this computer: 0.0595 ms a picture, the large one 0.178 ms.",
        "might lose up to 1.7 more of every 100 (95% sure), and 2 are allowed",
        COPY,
        "Look at the 4 photographs that the two answer differently",
        "The light of the calibration photographs differs.",
    ):
        assert words in said, words
    assert "--evaluate" not in said
    assert "attempts" not in said


def test_an_unproven_conversion_says_how_many_photographs_would_prove_it(pictures):
    """Thirty photographs without a loss prove nothing: the number that would stands there, and nobody is told to go."""
    found = evidence(pictures, Course(count=30, right=24, lost=0, won=0, astray=0))
    said = first_screen(found)
    assert found.verdict.needed is not None
    assert "Not proven" in said
    assert "too few photographs show it" in said
    assert f"Judge it by about {found.verdict.needed} photographs rather than 30" in said
    assert "but only 2 are allowed" in said
    assert MAY not in said
    assert COPY not in said


def test_where_no_number_of_photographs_would_prove_it_the_page_does_not_ask_for_more(pictures):
    """A drop at the limit of what is allowed of the bound stays unproven with a million photographs."""
    found = evidence(pictures, Course(count=300, right=250, lost=6, won=0, astray=0))
    assert not found.verdict.metrics.proven
    found = replace(found, attempts=(replace(found.attempts[0], verdict=replace(found.verdict, failures=())),))
    said = first_screen(found)
    assert "More photographs would not prove it" in said
    assert "None" not in said


def test_a_conversion_that_climbed_says_what_failed_and_what_passed(pictures):
    """The first screen tells it in a sentence, the table has both attempts with the reason; it is not said thrice."""
    found = climbed(evidence(pictures), failed=Course(lost=30), what="1000 photographs to calibrate with")
    said = first_screen(found)
    assert MAY in said
    assert "It took 2 attempts: the first attempt lost 9.7 of every 100" in said
    assert "the one that passed: 1000 photographs to calibrate with." in said
    assert "a drop of 9.67 points" not in said
    whole = read(found).text
    assert "This is the first attempt (300 photographs to calibrate with)" in whole
    assert "This is the first attempt" not in read(evidence(pictures)).text
    assert "refused : of 300 held-out photographs" in whole
    assert "a drop of 9.67 points" in whole


def test_layers_that_stay_in_float_are_named_and_limit_where_it_runs(pictures):
    """The first screen says what it means, the chart and the table mark them."""
    found = read(evidence(pictures, in_float=[LAYERS[0].tensor]))
    assert "One of its layers would lose too much by rounding and stay exact" in found.text
    assert "ordinary processors only" in found.text
    assert "scores FULLY_CONNECTED, stays in float" in found.text
    assert "(stays in float)" in found.text
    bars = [bar["class"] for bar in found.all("i")]
    assert bars == ["second", "first", "first"]
    assert "stays in float" not in read(evidence(pictures)).text


@pytest.mark.parametrize(("labels", "said"), [(("empty", "oat", "occluded"), "1 product was"), (LABELS, "3 products")])
def test_an_empty_place_is_no_product(pictures, labels, said):
    """The page counts what can be sold, not the labels for a gap and for a hidden place."""
    assert f"A network for {said}" in read(evidence(pictures, labels=labels)).text


def test_a_refused_one_is_not_called_usable(pictures):
    """Where int8 loses too much, the page says no, and why."""
    said = first_screen(evidence(pictures, Course(lost=30)))
    assert "may not stand in" in said
    assert "Do not use it." in said
    assert "a drop of 9.67 points" in said
    assert COPY not in said


def test_a_float_network_that_guesses_proves_nothing(pictures):
    """No drop below chance is good news: the page says to train first."""
    said = first_screen(evidence(pictures, Course(right=90, lost=0, won=0, astray=0)))
    assert "Proves nothing" in said
    assert "no more than always giving the commonest answer" in said
    assert "Train it longer." in said
    assert MAY not in said
    assert COPY not in said


@pytest.mark.parametrize(
    ("int8_ms", "words"), [(2.0, "2.0 × slower on this computer"), (0.98, "as fast as the large one on this computer")]
)
def test_slower_is_not_called_faster(pictures, int8_ms, words):
    """On a processor without int8 instructions int8 may be slower; the page says so, and makes nothing of 2 percent."""
    latency = (Latency("int8", 1, 1, int8_ms), Latency("float32", 1, 1, 1.0))
    said = first_screen(replace(evidence(pictures), latency=latency))
    assert f"It is {words}: {int8_ms:g} ms a picture, the large one 1 ms." in said
    assert "faster" not in said.replace("count with it faster", "")


def test_the_page_needs_nothing_but_itself(pictures):
    """No script, no address, no file: pictures are inside, and each link leads to a section that is there."""
    text = page.render(evidence(pictures))
    found = Page(text)
    assert "http" not in text.replace("http-equiv", "")
    assert "url(" not in text
    assert "@import" not in text
    assert not found.all("script")
    assert not found.all("link")
    assert {link["href"] for link in found.all("a")} == {f"#{place['id']}" for place in found.all("section")}
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in found.all("img"))
    policy = next(meta["content"] for meta in found.all("meta") if "http-equiv" in meta)
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_what_can_be_seen_can_be_read_out(pictures):
    """Charts, matrix and photographs have words of their own; there is one main heading, and it works in the dark."""
    text = page.render(evidence(pictures))
    found = Page(text)
    assert len(found.all("h1")) == 1
    assert all(image["alt"] for image in found.all("img"))
    drawn = [tag for kind in ("svg", "figure") for tag in found.all(kind) if tag.get("role") == "img"]
    assert len(drawn) == 1 + 1 + 1 + 2
    assert all(len(tag["aria-label"]) > 20 for tag in drawn)
    assert "prefers-color-scheme: dark" in text


def test_disagreements_stand_side_by_side_the_most_telling_first(pictures):
    """What int8 loses comes first, then what it wins, then what both get wrong; with both answers and how sure."""
    course = Course(lost=2, won=1, astray=1)
    text = page.render(evidence(pictures, course))
    cards = text.split('<div class="apart">')[1].split("</section>")[0].split("<figure>")[1:]
    said = [Page("<figure>" + card.rpartition("</figure>")[0] + "</figure>").text for card in cards]
    assert len(said) == 4
    sides = [("large: right" in one, "small: right" in one) for one in said]
    assert sides == [(True, False), (True, False), (False, True), (False, False)]
    assert "It is cross" in said[0]
    sure = SURE + 1 / course.count / 10
    assert f"cross {100 * sure:.1f}% square {100 * SECOND:.1f}%" in said[0]
    assert f"square {100 * sure:.1f}% cross {100 * SECOND:.1f}%" in said[0]


def test_at_most_24_disagreements_are_shown_and_the_rest_is_counted(pictures):
    """The page stays small; the JSON has them all."""
    found = evidence(pictures, Course(lost=2, won=1, astray=30))
    read_page = read(found)
    assert len(read_page.all("img")) == 24
    assert "33 of 300 photographs get two answers; the 24 most telling are here" in read_page.text
    assert len(page.figures(found)["disagreements"]) == 33


def test_where_all_answers_are_the_same_it_says_so(pictures):
    """No photograph is shown, and nobody is sent to look at one."""
    found = read(evidence(pictures, Course(lost=0, won=0, astray=0)))
    assert "Nowhere: both give the same answer to each of the 300 photographs." in found.text
    assert "Look at the" not in found.text
    assert not found.all("img")


def test_an_edge_tpu_is_recommended_only_where_it_would_take_some_of_it(pictures):
    """The line to compile with is a next step, unless it may not be used, none would run there, or it was compiled."""
    line = "edgetpu_compiler -s -o . model.tflite"
    rows = [{"code": "CONV_2D", "mapped": True, "status": "Mapped to Edge TPU", "reason": ""}]
    found = evidence(pictures, targets={"edgetpu": {"operators": rows, "command": line}})
    step = "For an Edge TPU, put edgetpu_compiler on the PATH and convert again"
    assert step in first_screen(found)
    assert step not in first_screen(replace(found, sizes_bytes={**found.sizes_bytes, EDGETPU_FILE: 1}))
    refused = [{**rows[0], "mapped": False}]
    assert step not in first_screen(replace(found, targets={"edgetpu": {"operators": refused, "command": line}}))
    assert step not in first_screen(evidence(pictures, Course(lost=30), targets=found.targets))


@pytest.mark.parametrize("classes", [2, 81])
def test_any_number_of_classes_has_its_row_and_its_place_in_the_matrix(pictures, classes):
    """Two classes or 81, each with its recall."""
    labels = [f"product {index}" for index in range(classes)]
    course = Course(count=162, right=162, lost=1, won=0, astray=0)
    text = page.render(evidence(pictures, course, labels=labels))
    rows = text.split('id="classes"')[1].split("</section>")[0].split("<tbody>")[1].count("<tr>")
    assert rows == classes
    assert f"{labels[0]} {162 // classes}" in Page(text).text
    squares = [tag for tag in Page(text).all("rect") if tag["class"] == "right"]
    assert len(squares) == classes


def test_without_targets_layers_and_times_the_page_is_shorter(pictures):
    """What is not known has no section and no link, and no size is made up."""
    found = replace(evidence(pictures, targets={}), layers=(), latency=(), sizes_bytes={MODEL_FILE: 5832})
    text = page.render(found)
    read_page = Page(text)
    places = {place["id"] for place in read_page.all("section")}
    assert places == {"short", "proof", "apart", "classes", "matrix", "made"}
    assert {link["href"] for link in read_page.all("a")} == {f"#{place}" for place in places}
    assert "smaller:" not in read_page.text
    assert "faster on" not in read_page.text
    assert "model.tflite 5.8 kB" in read_page.text


def test_text_from_outside_is_text(pictures):
    """Labels, layers, reasons, commands and warnings may hold tags: they are shown, and never obeyed."""
    evil = "<script>alert(1)</script>"
    rows = [{"code": evil, "mapped": False, "status": evil, "reason": evil}]
    targets = {"edgetpu": {"operators": rows, "command": evil, "warnings": [evil], "refusal": evil, evil: evil}}
    found = evidence(pictures, labels=[evil, '"><img src=x>', "&amp;"], targets=targets)
    found = replace(
        found, warnings=(evil,), calibrated_with=(evil,), layers=tuple(replace(one, layer=evil) for one in LAYERS)
    )
    text = page.render(found)
    assert evil not in text
    read_page = Page(text)
    assert not read_page.all("script")
    assert all(image["src"].startswith("data:") for image in read_page.all("img"))
    assert read_page.text.count(evil) > 10
    assert "&amp;" in read_page.text


def test_the_confusion_matrix_is_a_picture(pictures):
    """For the bundle's folder, where no browser is at hand."""
    drawn = cv2.imdecode(np.frombuffer(page.confusion_png(evidence(pictures)), np.uint8), cv2.IMREAD_COLOR)
    assert drawn is not None
    assert min(drawn.shape[:2]) > 300


def test_a_bundle_brings_its_page_and_its_figures(converted):
    """What was written beside the model is about this very model: the page, the JSON and the picture."""
    bundle = bundle_at(converted)
    metrics, sizes = bundle.manifest.metrics, {MODEL_FILE: len(bundle.model)}
    found = Page((converted / "report.html").read_text(encoding="utf-8"))
    assert not found.open
    assert {place["id"] for place in found.all("section")} == set(page.PLACES)
    right = round(metrics.int8_top1 * metrics.count)
    assert f"It gets {right} of {metrics.count} photographs right" in found.text
    assert bundle.manifest.id in found.text
    figures = json.loads((converted / "report.json").read_text(encoding="utf-8"))
    assert figures["accuracy"]["int8"]["share"] == pytest.approx(metrics.int8_top1)
    assert figures["accuracy"]["agreement"]["share"] == pytest.approx(metrics.agreement)
    recalls = {row["label"]: row["int8_right"] / row["photographs"] for row in figures["classes"]}
    assert recalls == pytest.approx(metrics.int8_recall)
    assert figures["sizes"]["bytes"] == sizes | {name: len(content) for name, content in bundle.variants.items()}
    assert len(figures["calibration"]["photographs"]) == bundle.manifest.calibration.count
    assert {one["precision"] for one in figures["latency"]["per_crop"]} == {"int8", "float32"}
    assert figures["layers"]["errors"]
    assert {"report.html", "report.json", "confusion.png"} <= set(bundle.manifest.files)
