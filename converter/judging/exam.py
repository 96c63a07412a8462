"""The examination: float answers once, each int8 candidate is held against them, and the first that passes is taken."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from converter.bundles.drafting import one_by_one
from converter.judging.evaluate import Crops, Scores, ask, by_keras, check_float
from converter.judging.evidence import Attempt
from converter.judging.gate import Bounds, Indices, Refused, Verdict, doubted, judge
from converter.load import Trained
from converter.progress import Track
from converter.quantizing.ladder import Candidate
from edge_agent.bundle import Bundle
from edge_agent.inference import TfliteClassifier


@dataclass(frozen=True, slots=True, eq=False)
class Exam:
    """What a candidate is held against.

    `crops` are (n, size, size, 3) uint8 RGB, `truth` is (n,), and `keras` (n, classes) probabilities: what the network
    answered before it was converted. `draft` makes the bundle that a candidate would be. `suspicion` is why these
    photographs may prove nothing.
    """

    crops: Crops
    truth: Indices
    keras: Scores
    labels: Sequence[str]
    bounds: Bounds
    draft: Callable[[Candidate], Bundle]
    track: Track
    suspicion: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """A candidate, the bundle that it would be, its answers (n, classes), what they are worth, and the time it took."""

    candidate: Candidate
    draft: Bundle
    int8: Scores
    verdict: Verdict
    took_s: float

    @property
    def attempt(self) -> Attempt:
        """For the report."""
        return Attempt(self.candidate.what, self.verdict, self.took_s)


def float_answers(trained: Trained, float32: bytes, crops: Crops, track: Track) -> tuple[Scores, Scores]:
    """What the network answers in Keras and as a float TFLite file, which must be the same.

    Raises:
        DataError: They differ by more than rounding.
    """
    keras = ask(by_keras(trained.network), crops, track=track, what="Asking the Keras network")
    tflite = ask(one_by_one(float32), crops, track=track, what="Asking the float file")
    check_float(keras, tflite)
    return keras, tflite


def until_one_passes(candidates: Iterable[Candidate], exam: Exam, say: Callable[[str], None]) -> tuple[Tried, ...]:
    """Judge candidates in turn, up to the first that loses no more than it may; there is one at least.

    Args:
        candidates: Each is made when it is its turn.
        exam: What they are held against.
        say: Is told why one did not pass.
    """
    tried: list[Tried] = []
    started_s = time.monotonic()
    for candidate in candidates:
        draft = exam.draft(candidate)
        classifier = TfliteClassifier(draft, runtime="litert")
        int8 = ask(classifier.classify, exam.crops, track=exam.track, what="Asking the int8 file")
        answers = {"by_float": exam.keras.argmax(axis=1), "by_int8": int8.argmax(axis=1)}
        verdict = judge(exam.truth, **answers, labels=exam.labels, bounds=exam.bounds)
        if exam.suspicion is not None:
            verdict = doubted(verdict, exam.suspicion)
        tried.append(Tried(candidate, draft, int8, verdict, candidate.before_s + time.monotonic() - started_s))
        if not verdict.failures:
            break
        say(f"{candidate.what}: {'; '.join(verdict.failures)}.")
        started_s = time.monotonic()
    return tuple(tried)


def conclude(tried: Sequence[Tried], bounds: Bounds, *, allow_unproven: bool) -> Tried:
    """The candidate that passed.

    Raises:
        Refused: None did, or too few photographs judge to prove it. The message holds the figures and what to do.
    """
    last = tried[-1]
    if last.verdict.failures:
        remedy = (
            "Calibrate with photographs like those of the shelf; train longer, or with more photographs; or allow more"
            " with --max-drop and --min-agreement."
        )
        after = f" after {len(tried)} attempts" if len(tried) > 1 else ""
        failures = "; ".join(last.verdict.failures)
        raise Refused(f"refused{after}: {last.candidate.what}: {failures}. No bundle was written. {remedy}")
    if not last.verdict.metrics.proven and not allow_unproven:
        raise Refused(f"refused: {unproven(last.verdict, bounds)} No bundle was written.")
    return last


def unproven(verdict: Verdict, bounds: Bounds) -> str:
    """Why a bundle whose drop is small enough is not proven, and what would prove it."""
    if verdict.doubt is not None:
        return f"{verdict.doubt} Or take it as it is with --allow-unproven."
    count, limit_points = verdict.metrics.count, verdict.metrics.drop_bound_points
    enough = (
        f"About {verdict.needed} photographs would prove it, if they came out alike: name more with --evaluate"
        if verdict.needed is not None
        else "No number of photographs that come out alike would prove it"
    )
    return (
        f"of {count} held-out photographs int8 loses {verdict.lost} and wins {verdict.won}: a drop of"
        f" {verdict.drop_points:.2f} points, which by chance may hide one of {limit_points:.2f} (one-sided 95 % bound;"
        f" {bounds.proof_points:g} are allowed). {enough}, or take it as it is with --allow-unproven."
    )
