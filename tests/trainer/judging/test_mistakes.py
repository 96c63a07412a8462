"""Mistakes come in the order in which a person should look at them."""

import numpy as np

from trainer.judging.evaluate import judge
from trainer.judging.mistakes import Pair, barely_judged, confused_pairs, examples, wanting, worst


def test_the_most_frequent_confusion_comes_first():
    """Right answers are no confusion; of equals the one that loses more of its class leads, and the list is cut."""
    confusion = np.array([[5, 2, 1], [0, 1, 1], [3, 0, 0]])
    found = confused_pairs(confusion, most=3)
    assert found == (Pair(2, 0, 3, 3), Pair(0, 1, 2, 8), Pair(1, 2, 1, 2))
    assert len(confused_pairs(confusion, most=9)) == 4
    assert confusion[0, 0] == 5


def test_examples_show_both_sides_of_a_confusion():
    """Truth 0 0 0 1 1 2, answers 1 1 0 0 1 1: two of 0 are taken for 1; of 1 itself, the right answer leads."""
    truth, answers = np.array([0, 0, 0, 1, 1, 2]), np.array([1, 1, 0, 0, 1, 1])
    pair = confused_pairs(np.array([[1, 2, 0], [1, 1, 0], [0, 1, 0]]), most=1)[0]
    assert examples(pair, answers, truth, most=5) == ([0, 1], [4, 3])
    assert examples(pair, answers, truth, most=1) == ([0], [4])


def test_the_worst_are_wrong_and_sure():
    """A sure right answer is none of them; the surest mistake is the first."""
    scores = np.array([[0.99, 0.01], [0.6, 0.4], [0.1, 0.9], [0.3, 0.7]], np.float32)
    assert worst(scores, np.array([0, 1, 0, 0]), most=5) == [2, 3, 1]
    assert worst(scores, np.array([0, 1, 0, 0]), most=1) == [2]


def test_photographs_are_wanted_where_most_goes_wrong():
    """Of b two are missed and of c one; a is named too often but misses none; d does not occur."""
    truth = np.array([0] * 9 + [1] * 3 + [2] * 2)
    answers = np.array([0] * 9 + [0, 0, 1] + [0, 2])
    result = judge(np.eye(4, dtype=np.float32)[answers], truth, labels=("a", "b", "c", "d"))
    assert [figures.label for figures in wanting(result, most=9)] == ["b", "c"]
    assert [figures.label for figures in wanting(result, most=1)] == ["b"]
    assert [figures.label for figures in barely_judged(result, least=3)] == ["c", "d"]
