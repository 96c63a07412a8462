"""A conversion in plain words, for people who never quantized anything. "Large" is float, "small" is int8. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from converter.judging.evidence import Evidence
from converter.judging.page_figures import Speed, in_float, proves_nothing, shares, speeds, times_smaller
from edge_agent.bundle import EDGETPU_FILE, FLOAT_FILE, MODEL_FILE
from trainer.judging.words import Figure

State = Literal["good", "open", "bad"]

WEAK = 0.8
"""A network that is right less often has more to gain from training than from anything here."""
ALIKE = 0.05
"""Times that differ by less are the same: the next measurement may turn them round."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person wants to know first: may it be used? `state` chooses the colour, `stamp` says it in a word."""

    state: State
    stamp: str
    title: str


def answer(evidence: Evidence) -> Answer:
    """Whether the small network may stand in for the large one."""
    if evidence.verdict.failures:
        return Answer("bad", "Refused", "The small network may not stand in for the large one.")
    if proves_nothing(evidence):
        return Answer("bad", "Proves nothing", "This comparison proves nothing, whatever its figures.")
    if not evidence.verdict.metrics.proven:
        return Answer("open", "Not proven", "The small network seems to do as well, but too few photographs show it.")
    return Answer("good", "Proven: as good as the large one", "The small network may stand in for the large one.")


def story(evidence: Evidence) -> tuple[str, ...]:
    """What came out, a sentence each: accuracy, size and speed, what chance may hide, and how it got there."""
    return (
        _accuracy(evidence),
        *_device(evidence),
        *_chance(evidence),
        *_climbed(evidence),
        *_in_float(evidence),
    )


def headline(evidence: Evidence) -> tuple[Figure, ...]:
    """The numbers that matter most."""
    found = shares(evidence)
    speed, smaller = fastest(evidence), times_smaller(evidence)
    figures = [
        Figure(f"{found['int8'].hits} of {found['int8'].count}", "the small network gets right"),
        Figure(f"{found['keras'].hits} of {found['keras'].count}", "the large network gets right"),
        Figure(f"{found['agreement'].share:.1%}", "of the answers are the same"),
    ]
    if smaller:
        figures.append(Figure(f"{smaller:.1f} ×", "smaller"))
    if speed:
        figures.append(Figure(*_faster(speed)))
    return tuple(figures)


def next_steps(evidence: Evidence) -> tuple[str, ...]:
    """What to do now, the most urgent first."""
    return (*_mend(evidence), *_targets(evidence), *_look(evidence), *_train(evidence))


def fastest(evidence: Evidence) -> Speed | None:
    """Int8 beside float with all threads and the largest batch, as on a shelf of many slots; None if not timed."""
    return max(speeds(evidence.latency), key=lambda speed: (speed.threads, speed.batch), default=None)


def sentence(line: str) -> str:
    """A line of a log as a sentence; the name of a program at its start stays as it is.

    >>> sentence("only 100 photographs"), sentence("edgetpu_compiler is not there.")
    ('Only 100 photographs.', 'edgetpu_compiler is not there.')
    """
    first = line[:1].upper() if line.partition(" ")[0].isalpha() else line[:1]
    return first + line[1:] + ("" if line.endswith((".", "!", "?")) else ".")


def size(size_bytes: float) -> str:
    """A size that is quick to read.

    >>> size(412), size(5832), size(668_875), size(13_382_732)
    ('412 bytes', '5.8 kB', '0.67 MB', '13.4 MB')
    """
    if size_bytes < 1000:
        return f"{size_bytes:.0f} bytes"
    if size_bytes < 100_000:
        return f"{size_bytes / 1000:.1f} kB"
    return f"{size_bytes / 1e6:.2f} MB" if size_bytes < 1e6 else f"{size_bytes / 1e6:.1f} MB"


def duration(ms: float) -> str:
    """Milliseconds with three digits that count.

    >>> duration(0.03149), duration(2.5), duration(1234.5)
    ('0.0315 ms', '2.5 ms', '1234 ms')
    """
    return f"{ms:.0f} ms" if ms >= 100 else f"{ms:.3g} ms"


def _accuracy(evidence: Evidence) -> str:
    found = shares(evidence)
    small, large, same = found["int8"], found["keras"], found["agreement"]
    return (
        f"It gets {small.hits} of {small.count} photographs right, the large one {large.hits}; to {same.hits}"
        f" ({same.share:.1%}) both give the same answer."
    )


def _device(evidence: Evidence) -> Iterator[str]:
    """Size and speed."""
    sizes, smaller, speed = evidence.sizes_bytes, times_smaller(evidence), fastest(evidence)
    if smaller:
        yield (
            f"On the device it is {smaller:.1f} × smaller: {size(sizes[MODEL_FILE])} instead of"
            f" {size(sizes[FLOAT_FILE])}."
        )
    if speed:
        number, meaning = _faster(speed)
        yield (
            f"It is {number} {meaning}: {duration(speed.int8_ms)} a picture, the large one"
            f" {duration(speed.float32_ms)}. Other devices differ."
        )


def _faster(speed: Speed) -> tuple[str, str]:
    if abs(speed.times - 1) < ALIKE:
        return "as fast", "as the large one on this computer"
    if speed.times < 1:
        return f"{1 / speed.times:.1f} ×", "slower on this computer"
    return f"{speed.times:.1f} ×", "faster on this computer"


def _chance(evidence: Evidence) -> Iterator[str]:
    """The bound of the drop, without the word."""
    metrics, allowed = evidence.verdict.metrics, evidence.bounds.proof_points
    if metrics.drop_bound_points is None:
        return
    verb = "and" if metrics.drop_bound_points <= allowed else "but only"
    yield (
        f"Chance plays a part in {metrics.count} photographs: with others like these it might lose up to"
        f" {max(metrics.drop_bound_points, 0.0):.1f} more of every 100 (95% sure), {verb} {allowed:g} are allowed."
    )


def _climbed(evidence: Evidence) -> Iterator[str]:
    """Why there was more than one attempt."""
    first, last = evidence.attempts[0], evidence.attempts[-1]
    if len(evidence.attempts) == 1:
        return
    lost = f"the first attempt lost {first.verdict.drop_points:.1f} of every 100"
    if last.verdict.failures:
        yield f"{len(evidence.attempts)} ways of making it were tried: {lost}, and none was good enough."
    else:
        yield f"It took {len(evidence.attempts)} attempts: {lost}; the one that passed: {last.what}."


def _in_float(evidence: Evidence) -> Iterator[str]:
    """What it means that some layers were not rounded."""
    if kept := in_float(evidence):
        of = f"{len(kept)} of its layers" if len(kept) > 1 else "One of its layers"
        yield f"{of} would lose too much by rounding and stay exact, so it runs on ordinary processors only."


def _mend(evidence: Evidence) -> Iterator[str]:
    """What the verdict asks for."""
    verdict = evidence.verdict
    if verdict.failures:
        yield "Do not use it. Convert again with photographs like those of the shelf; or train longer, or with more."
    elif proves_nothing(evidence):
        yield f"{str(evidence.verdict.doubt)[:1].upper()}{str(evidence.verdict.doubt)[1:]}"
    elif not verdict.metrics.proven and verdict.needed is None:
        yield (
            "More photographs would not prove it, if they came out like these: it loses too much for that. Convert"
            " again with photographs like those of the shelf, or train longer. Until then, use it for trials only."
        )
    elif not verdict.metrics.proven:
        yield (
            f"Judge it by about {verdict.needed} photographs rather than {verdict.metrics.count}: take more of the"
            " shelf, name them with --evaluate and convert again. Until then, use it for trials only."
        )
    else:
        yield (
            "Copy the folder of this page to the device, name it in agent.toml, and run “shelf-agent check”: it says"
            " whether the network runs there."
        )


def _targets(evidence: Evidence) -> Iterator[str]:
    """How to get what may be used onto an Edge TPU that would take some of it."""
    if evidence.verdict.failures or proves_nothing(evidence):
        return
    found = evidence.targets.get("edgetpu", {})
    taken = any(operator["mapped"] for operator in found.get("operators", ()))
    if taken and found.get("command") and EDGETPU_FILE not in evidence.sizes_bytes:
        yield "For an Edge TPU, put edgetpu_compiler on the PATH and convert again: the file goes into the bundle."


def _look(evidence: Evidence) -> Iterator[str]:
    """Where a person's eyes help."""
    found = shares(evidence)["agreement"]
    apart = found.count - found.hits
    if apart == 1:
        yield "Look at the one photograph that the two answer differently, below: is it of a product that matters?"
    elif apart:
        yield f"Look at the {apart} photographs that the two answer differently, below: are they products that matter?"


def _train(evidence: Evidence) -> Iterator[str]:
    """A weak network stays a weak one."""
    metrics = evidence.verdict.metrics
    if metrics.float_top1 < WEAK and not proves_nothing(evidence):
        wrong = metrics.count - round(metrics.float_top1 * metrics.count)
        yield (
            f"The large network itself gets {wrong} of {metrics.count} wrong, which no conversion mends:"
            " “shelf-train report” shows what it mixes up."
        )
