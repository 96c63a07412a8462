"""The model card says what the manifest says, in words, and no more."""

import re

from converter.bundles.model_card import model_card
from converter.judging.comparison import share
from edge_agent.bundle import FLOAT_FILE, MODEL_FILE, Manifest
from tests.conftest import REPO

DEMO = Manifest.model_validate_json((REPO / "edge_agent" / "demo" / "bundle" / "manifest.json").read_text())


def section(text: str, title: str) -> str:
    """What stands under a heading."""
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def with_metrics(**changes: object) -> Manifest:
    """The demo's manifest with other figures."""
    return DEMO.model_copy(update={"metrics": DEMO.metrics.model_copy(update=changes)})


def with_card(**card: object) -> Manifest:
    """The demo's manifest with what a trainer said of its network."""
    return DEMO.model_copy(update={"recipe": {**DEMO.recipe, "card": card}})


def with_conversion(**settings: object) -> Manifest:
    """The demo's manifest with another way of converting."""
    return DEMO.model_copy(update={"recipe": {**DEMO.recipe, "conversion": settings}})


def test_the_card_of_the_demo_holds_its_figures():
    """Labels, accuracies with their intervals, recipe, calibration and the hashes of the files are all there."""
    text = model_card(DEMO)
    assert text.startswith("---\npipeline_tag: image-classification\n")
    assert "\n# demo-shelf\n" in text
    assert "one of 20 labels, from a crop of 96 × 96 pixels" in text
    assert "* 18 products: `apricot-jam`," in section(text, "Labels")
    assert "`empty`: nothing stands there." in section(text, "Labels")
    assert "| float | 98.7% | 97.9% to 99.1% |" in section(text, "Figures")
    assert "| int8 | 98.5% | 97.8% to 99.0% |" in section(text, "Figures")
    assert "int8 loses 0.13 points, and with 95 % certainty at most 0.44. That is proven." in section(text, "Figures")
    assert "network `mobilenet-v2`" in section(text, "How it was trained")
    assert f"300 photographs set the ranges of int8; sha256 of their pixels: `{DEMO.calibration.sha256}`" in text
    for name, sha256 in DEMO.files.items():
        assert re.search(rf"\| `{name}` \| .+ \| `{sha256[:16]}` \|", section(text, "Files"))


def test_an_unproven_bundle_says_so_at_the_top_and_with_the_figures():
    """Nobody has to read to the end to learn that the photographs were too few; a proven one states its bound."""
    unproven = model_card(with_metrics(proven=False, drop_bound_points=None))
    assert unproven.count("**") == 4
    assert "**Not proven**" in section(unproven, "Figures")
    proven = model_card(with_metrics(proven=True, drop_bound_points=1.234))
    assert "with 95 % certainty at most 1.23. That is proven." in section(proven, "Figures")
    assert "**" not in proven


def test_the_weakest_labels_come_first():
    """What int8 recognizes least leads, with what float made of it, and the rest is summed up."""
    recall = {**DEMO.metrics.int8_recall, "milk-skim": 0.25, "penne": 0.5}
    weak = section(model_card(with_metrics(int8_recall=recall)), "Where it is weak")
    rows = [line for line in weak.splitlines() if line.startswith("| `")]
    assert rows == [
        "| `milk-skim` | 25.0% | 100.0% |",
        "| `penne` | 50.0% | 100.0% |",
        "| `occluded` | 94.8% | 95.3% |",
    ]
    assert "Every photograph of the other 17 labels was recognized." in weak


def test_many_weak_labels_are_cut_to_the_worst():
    """A hopeless network doesn't list all its labels; the least of the others is named."""
    recall = {label: number / 100 for number, label in enumerate(DEMO.labels)}
    weak = section(model_card(with_metrics(int8_recall=recall)), "Where it is weak")
    assert len([line for line in weak.splitlines() if line.startswith("| `")]) == 8
    assert "Of the other 12 labels 8.0% to 19.0%; half of them 13.0% or less." in weak
    assert "There are 74 photographs for a label on average: one moves such a share by 1 points." in weak


def test_a_flawless_exam_is_not_praised_and_an_untested_label_is_named():
    """All recognized says little, and a label without a held-out photograph was never tested."""
    recall = {label: 1.0 for label in DEMO.labels if label != "penne"}
    weak = section(model_card(with_metrics(int8_recall=recall)), "Where it is weak")
    assert "Every photograph of all 19 labels was recognized." in weak
    assert "Never tested, as no photograph was held out: `penne`." in weak


def test_what_it_was_trained_on_is_stated_or_said_to_be_unknown():
    """Counts and hash of the photographs come from the card; without one the reader is told."""
    assert "How many photographs it was trained on is not stated." in model_card(with_card())
    data = {"train": 2640, "validation": 296, "sha256": "c0ffee"}
    trained = section(model_card(with_card(data=data, training={"epochs": 9, "best_epoch": 7})), "How it was trained")
    assert "Photographs: 2640 to train, 296 to validate." in trained
    assert "`c0ffee`" in trained
    assert "Epochs: 9, of which 7 was the best." in trained
    assert "flatter" not in trained
    assert "flatter it" in model_card(with_card(data={**data, "validation": DEMO.metrics.count}))


def test_unknown_products_are_spoken_of():
    """With a threshold it is named, with a trial its outcome; without either a stranger is taken for a product."""
    assert "is taken for one that is." in section(model_card(DEMO), "Limits")
    card = with_card(rejection={"threshold": 0.62123}, metrics={"unknown": {"photographs": 80, "auroc": 0.91}})
    limits = section(model_card(card), "Limits")
    assert "unless the answer is less sure than 0.621 and is rejected" in limits
    assert "Tried on 80 photographs of unknown products" in limits
    assert "91.0% of all pairs" in limits


def test_a_licence_is_quoted_whole_and_its_absence_is_said():
    """The text stands in a fence that nothing in it can close."""
    text = model_card(DEMO, "My Licence\n\nDo as you ```like```.\n")
    assert 'license_name: "My Licence"' in text
    assert section(text, "Licence") == "\n````text\nMy Licence\n\nDo as you ```like```.\n````\n"
    assert "Nobody stated one." in section(model_card(DEMO), "Licence")
    assert "license" not in model_card(DEMO)


def test_odd_labels_stay_what_they_are():
    """A label with signs of Markdown in it breaks neither lists nor tables."""
    labels = ("a|b", "c`d", *DEMO.labels[2:])
    recall = {**DEMO.metrics.int8_recall, "a|b": 0.5}
    manifest = with_metrics(int8_recall=recall).model_copy(update={"labels": labels})
    text = model_card(manifest)
    assert "`` c`d ``" in section(text, "Labels")
    assert r"| `a\|b` | 50.0% | – |" in section(text, "Where it is weak")


def test_labels_that_it_lacks_are_pointed_out():
    """A network that knows no gap cannot see one, which its card says."""
    labels = tuple(label for label in DEMO.labels if label != "empty")
    assert "There is no `empty`: it cannot say that nothing stands there." in model_card(
        DEMO.model_copy(update={"labels": labels})
    )


def test_the_card_has_the_intervals_of_the_report():
    """Who lays the card beside the page reads the same bounds, and none beyond 0 and 100 %."""
    manifest = with_metrics(count=7, float_top1=1.0, int8_top1=6 / 7, agreement=6 / 7)
    figures = section(model_card(manifest), "Figures")
    for name, found in (("float", share(7, 7)), ("int8", share(6, 7))):
        assert f"| {name} | {found.share:.1%} | {found.low:.1%} to {found.high:.1%} |" in figures
    assert "to 100.0% |" in figures


def test_layers_in_float_are_counted_with_what_they_cost():
    """A network that is int8 in part says so and where it runs; one in int8 throughout says nothing of it."""
    assert "float32, as int8 lost" not in model_card(DEMO)
    one, two = (
        section(model_card(with_conversion(in_float=names)), "How it was converted") for names in (["a"], ["a", "b"])
    )
    assert "1 layer stays in float32, as int8 lost too much there; so `model.tflite` is for the processor only." in one
    assert "2 layers stay in float32" in two


def test_a_fine_tuned_network_is_told_from_the_one_that_was_trained():
    """The float file beside it holds other weights, which a reader would not expect; not where it isn't there."""
    told = "`model_float.tflite` is the network as trained, without that."
    tuned = with_conversion(made="quantization-aware fine-tuning, 5 epochs")
    tuned = tuned.model_copy(update={"files": {MODEL_FILE: "a" * 64, FLOAT_FILE: "b" * 64}})
    converted = section(model_card(tuned), "How it was converted")
    assert "`model.tflite` was trained on for a while" in converted
    assert told in converted
    assert "trained on for a while" not in model_card(with_conversion(made="300 photographs to calibrate with"))
    assert told not in model_card(tuned.model_copy(update={"files": {MODEL_FILE: "a" * 64}}))


def test_frigate_gets_told_whether_it_fits():
    """Frigate asks about pictures of 224 px only, so the card of any other network says that it does not fit there."""
    assert "takes 224 px, so it does not fit." in model_card(DEMO)
    larger = DEMO.model_copy(update={"input": DEMO.input.model_copy(update={"size_px": 224})})
    assert "can take it, with its labelmap.txt." in model_card(larger)
