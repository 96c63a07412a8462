"""Sentences say what the figures say, no more and no less."""

import numpy as np
import pytest

from trainer.judging.evaluate import judge
from trainer.judging.rejection import Kept, Rejection, Unknown
from trainer.judging.words import doubts, headline, how_often_right, how_sure, what_it_mixes_up, what_needs_photographs
from trainer.judging.words import what_of_unknown as unknown_words
from trainer.photos.data import Coarse

LABELS = ("cola", "oat", "tea")


def _judged(answers, truth, sure=0.8, coarse=None):
    scores = np.full((len(answers), 3), (1 - sure) / 2, np.float32)
    scores[np.arange(len(answers)), answers] = sure
    return judge(scores, np.array(truth), labels=LABELS, coarse=coarse)


EIGHT_OF_TEN = _judged([0, 0, 0, 0, 1, 1, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1, 1, 1])


def test_the_accuracy_is_said_with_what_chance_does_to_it():
    """Eight of ten is 80 of 100; two standard errors of that are 25 points."""
    line = how_often_right(EIGHT_OF_TEN)
    assert "right product in 80." in line
    assert "10 photographs were judged" in line
    assert "about 25 more or fewer" in line
    assert "kind of product" not in line


def test_groups_are_told_where_there_are_groups():
    """Cola taken for oat is still a drink."""
    judged = _judged([0, 1, 2, 1], [0, 0, 2, 2], coarse=Coarse(("drinks", "leaves"), (0, 0, 1)))
    assert "kind of product is right in 75 of 100" in how_often_right(judged)
    assert [(figure.number, figure.meaning) for figure in headline(judged)] == [
        ("50%", "name the right product"),
        ("75%", "name at least the right kind of product"),
        ("4", "photographs were judged"),
    ]


@pytest.mark.parametrize(("sure", "words"), [(0.8, "can be believed"), (0.99, "surer than"), (0.5, "less sure than")])
def test_confidence_is_believed_only_where_it_fits(sure, words):
    """Eight of ten are right; at 80 % confidence that fits, above and below it does not."""
    truth = [0, 0, 0, 0, 1, 1, 1, 1, 1, 1]
    assert words in how_sure(_judged([0, 0, 0, 0, 1, 1, 1, 1, 0, 0], truth, sure=sure))


def test_unknown_things_are_told_as_far_as_they_were_tried():
    """Without a threshold, with one, and with unknown products shown."""
    assert "calls everything by the name of some product" in unknown_words(None, None, None)
    rejection, kept = Rejection(0.4, 0.05), Kept(0.9, 0.95)
    line = unknown_words(rejection, kept, None)
    assert "answers 90% of the photographs, and is right in 95% of these" in line
    assert "was not tried (option --unknown)" in line
    line = unknown_words(rejection, kept, Unknown(40, auroc=0.85, caught=0.25, caught_at_loss=0.4))
    assert "Of 40 photographs of products it was never shown, it noticed 25%." in line
    assert "can notice 40% of the unknown ones" in line
    assert "was not tried" not in line


def test_mix_ups_and_missing_photographs_are_named():
    """Oat is taken for cola twice; cola is named twice where it is not; tea was not judged at all."""
    assert what_it_mixes_up(EIGHT_OF_TEN) == ("oat is taken for cola: 2 of 6",)
    judged = _judged([0, 1, 1, 0, 0], [0, 1, 1, 1, 1])
    assert what_needs_photographs(judged) == (
        "cola: 1 of 1 recognized, and twice named where it is not",
        "oat: 2 of 4 recognized",
    )
    few, broken = doubts(judged, ["a.png is broken"])
    assert few.startswith("3 of 3 products were judged by fewer than 5 photographs, 1 of them by none: ")
    assert broken == "1 photograph could not be read and was left out."
    assert doubts(_judged([0, 1, 2] * 5, [0, 1, 2] * 5), []) == ()
