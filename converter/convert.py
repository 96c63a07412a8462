"""One conversion from a trained network to a bundle, read top to bottom. Start here."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from converter.bundles import drafting, packing, writing
from converter.judging.evaluate import Crops, gathered
from converter.judging.evidence import Answers, Evidence
from converter.judging.exam import Exam, conclude, float_answers, unproven, until_one_passes
from converter.judging.gate import Bounds
from converter.judging.latency import measure
from converter.load import Trained, load
from converter.photos.calibrate import calibrate
from converter.photos.likeness import looks, unlike
from converter.photos.photographs import Photographs, find
from converter.progress import Track, during, untracked
from converter.quantizing.ladder import Candidate, Climb, candidates
from converter.quantizing.layers import layer_errors
from converter.quantizing.quantize import converted, of_file
from converter.targets import choice, float16
from converter.tflite import lint
from converter.tflite.metadata import Facts, misread, with_metadata
from edge_agent.bundle import MODEL_FILE, Bundle, Manifest
from trainer.photos.doubts import of_labels


@dataclass(frozen=True, slots=True)
class Job:
    """What to convert, with what, and where to.

    Attributes:
        model: The `.keras` file; its card lies beside it.
        data: Photographs; their training part calibrates.
        out: Where the bundle goes.
        evaluate: Held-out photographs; by default those of `data`.
        bounds: What int8 may lose.
        allow_unproven: Write a bundle though too few photographs judge to prove the bound.
        climb: Go up the ladder where int8 loses more; without, be refused at once.
        target: What it shall run on.
        slim: Write only what the agent needs: no float build, no report.
        calibration_count: Photographs to calibrate with, at most.
        bundle_id: Name of the bundle; None for that of the model and its hash.
        seed: Shares photographs out; None for that of the training, by the card.
        licence: A text file; None where none is stated.
        key: Signs the bundle; None for no signature.
    """

    model: Path
    data: Path
    out: Path
    evaluate: Path | None = None
    bounds: Bounds = field(default_factory=Bounds)
    allow_unproven: bool = False
    climb: bool = True
    target: choice.Target = "cpu"
    slim: bool = False
    calibration_count: int = 300
    bundle_id: str | None = None
    seed: int | None = None
    licence: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Show:
    """How a conversion tells what it does: `track` shows how far a step is, `warn` takes what is worth knowing."""

    track: Track = untracked
    warn: Callable[[str], None] = print


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """The manifest of a bundle that was written, and everything that was found out about it."""

    manifest: Manifest
    evidence: Evidence


def convert(job: Job, show: Show) -> Outcome:
    """Convert a network to int8, verify it against float, and write it as a bundle.

    Raises:
        InputError: A file is not there, or `out` cannot take a bundle.
        DataError: The model, its card or the photographs cannot be used.
        Refused: int8 loses more than `job.bounds` allow, or too few photographs judge to prove that it doesn't;
            whatever stood at `job.out` is untouched.
    """
    writing.check_target(job.out)
    if job.bundle_id is not None:
        drafting.check_id(job.bundle_id)
    wrapping = packing.wrapping(licence=job.licence, key=job.key, warn=show.warn)
    trained = load(job.model)
    seed = _seed(job, trained)
    photos = find(job.data, evaluate=job.evaluate, labels=trained.labels, count=job.calibration_count, seed=seed)
    said = _Said(show.warn)
    said.all(_doubts(job, trained))
    suspicion = _judged_on_its_own(job, trained, photos)
    if suspicion is not None:
        said.one(suspicion)

    facts = packing.facts(trained, name=job.bundle_id, licence=wrapping.licence)

    calibration = calibrate(photos.calibration, labels=trained.labels, size_px=trained.size_px, track=show.track)
    to = choice.precisions(job.target)
    started_s = time.monotonic()
    built = during(show.track, "Converting", lambda: converted(trained.path, calibration.crops, to))
    took_s = time.monotonic() - started_s
    lint.check(built["int8"])
    float16.check(built, calibration.crops)
    if unknown := lint.newer(built["int8"]):
        said.one(f"{', '.join(unknown)} is newer than TensorFlow 2.5: runtimes of that age and the Edge TPU refuse it.")
    layers = during(show.track, "Measuring each layer", lambda: layer_errors(trained.path, calibration.crops))
    first = Candidate(
        f"{len(calibration.crops)} photographs to calibrate with", built["int8"], calibration, before_s=took_s
    )
    climb = Climb(trained, photos, first, layers, choice.may_float(job.target), seed, show.track, said.one)

    with gathered(photos.held_out, size_px=trained.size_px, track=show.track) as crops:
        said.all(unlike(looks(calibration.crops), looks(crops)))
        truth = np.asarray([photo.label_index for photo in photos.held_out])
        keras, float32 = float_answers(trained, built["float32"], crops, show.track)
        draft = partial(_draft, job, trained, seed, facts, crops)
        exam = Exam(crops, truth, keras, trained.labels, job.bounds, draft, show.track, suspicion)
        tried = until_one_passes(candidates(climb) if job.climb else (first,), exam, said.one)
        passed = conclude(tried, job.bounds, allow_unproven=job.allow_unproven)
        golden = crops[list(drafting.choose_golden(passed.int8))]

    if not passed.verdict.metrics.proven:
        said.one(f"unproven: {unproven(passed.verdict, job.bounds)}")
    said.all(passed.verdict.warnings)
    named = {precision: with_metadata(content, facts) for precision, content in built.items()}
    builds = during(show.track, "Building", lambda: choice.build(job.target, passed.draft.model, named))
    said.all(builds.warnings)
    verified = drafting.verified(passed.draft, builds, passed.verdict.metrics, golden)
    evidence = Evidence(
        manifest=verified.manifest,
        bounds=job.bounds,
        answers=Answers(photos.held_out, truth, keras, float32, passed.int8),
        attempts=tuple(one.attempt for one in tried),
        layers=layers,
        latency=measure(verified, track=show.track),
        targets=builds.reports,
        sizes_bytes={name: len(content) for name, content in {MODEL_FILE: verified.model, **verified.variants}.items()},
        calibrated_with=passed.candidate.calibration.names,
        warnings=tuple(said.words),
    )
    if job.slim:
        verified = drafting.slimmed(verified)
    files = packing.files(verified, evidence, wrapping, slim=job.slim)
    return Outcome(writing.write(job.out, verified.manifest, files, sign=wrapping.sign), evidence)


class _Said:
    """Tells what is worth knowing at once, and keeps it for the report."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self.words: list[str] = []

    def one(self, words: str) -> None:
        """Tell it, and keep it."""
        self._warn(words)
        self.words.append(words)

    def all(self, many: Iterable[str]) -> None:
        """Tell each."""
        for words in many:
            self.one(words)


def _draft(job: Job, trained: Trained, seed: int, facts: Facts, crops: Crops, candidate: Candidate) -> Bundle:
    """The bundle that a candidate would be, with few golden answers for the time being."""
    quantized = of_file(with_metadata(candidate.content, facts), in_float=candidate.in_float)
    made = {"made": candidate.what, "in_float": list(candidate.in_float)}
    recipe = _recipe(job, trained, seed) | made
    return drafting.draft(drafting.Parts(trained, quantized, candidate.calibration, recipe, job.bundle_id), crops[:1])


def _recipe(job: Job, trained: Trained, seed: int) -> dict[str, Any]:
    """How the conversion is done, for the manifest."""
    return {
        "keras_sha256": trained.sha256,
        "seed": seed,
        "convolutions": "per-channel",
        "dense": "per-tensor",
        "float_bytes": trained.float_bytes,
        "max_drop_points": job.bounds.drop_points,
        "min_agreement": job.bounds.agreement,
    }


def _seed(job: Job, trained: Trained) -> int:
    """That of the training where nothing else is asked for: another would hold out photographs that were trained on."""
    if job.seed is not None:
        return job.seed
    by_card = trained.recipe.get("seed", 0)
    return by_card if isinstance(by_card, int) else 0


def _doubts(job: Job, trained: Trained) -> Iterator[str]:
    """What makes the result worth less, as far as it shows before the slow work."""
    yield from of_labels(trained.labels, job.data)
    yield from trained.doubts
    if odd := misread(trained.labels):
        yield (
            f'{len(odd)} labels begin with a number, such as "{odd[0]}": pycoral and older Frigate take that for an'
            " index, so the model's labels may be read wrongly there. Put a word first."
        )


def _judged_on_its_own(job: Job, trained: Trained, photos: Photographs) -> str | None:
    """Why the figures may be those of photographs that the network was trained on, which prove nothing."""
    if job.evaluate is not None or (trained.trained_on or 0) <= len(photos.train):
        return None
    return (
        f"the network was trained on {trained.trained_on} photographs, but the training part of {job.data} has"
        f" {len(photos.train)}: it may be judged on some that it was trained on, which proves nothing. Name others with"
        " --evaluate."
    )
