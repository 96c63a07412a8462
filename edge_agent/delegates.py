"""Where a bundle's network runs: on the CPU, an Edge TPU or a GPU.

An accelerator is tried in a process of its own (`edge_agent.trial`) and must give the golden answers there before it
is loaded here. `auto` falls back to the CPU and says why; an accelerator that was asked for by name never does.
"""

from dataclasses import dataclass, replace
from typing import Literal

from edge_agent import engines
from edge_agent.bundle import EDGETPU_FILE, GPU_FILE, Bundle
from edge_agent.engines import EDGETPU_LIBRARY, NAMES, Place, Plan, Runtime
from edge_agent.golden import check
from edge_agent.inference import TfliteClassifier
from edge_agent.shelf import DelegateError
from edge_agent.trial import TIMEOUT_S, try_out

GPU_PAYS_ABOVE_MS = 1.0
"""Milliseconds that a crop must take on the CPU for a GPU to be worth a try: the way there and back costs as much."""

_BUILDS: dict[Place, str] = {"edgetpu": EDGETPU_FILE, "gpu": GPU_FILE}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a configuration says about where to run."""

    delegate: Literal["auto", "cpu", "edgetpu", "gpu"] = "auto"
    library: str = EDGETPU_LIBRARY
    runtime: Runtime = "auto"
    threads: int | None = None
    timeout_s: float = TIMEOUT_S


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A network that answers as it must. `note` says why a build for an accelerator, which is there, is not used."""

    classifier: TfliteClassifier
    note: str | None = None


def load(bundle: Bundle, wish: Wish) -> Loaded:
    """Load a bundle's network where the configuration wants it.

    Raises:
        BundleError: It is to run on the CPU, and there is no runtime, or it does not answer there as it must.
        DelegateError: An accelerator is named, and cannot be used.
    """
    cpu = engines.plan_for_cpu(bundle, runtime=wish.runtime, threads=wish.threads)
    if wish.delegate == "auto":
        return _automatic(bundle, cpu, wish)
    if wish.delegate == "cpu":
        return Loaded(TfliteClassifier(bundle, plan=cpu))
    try:
        return Loaded(_accelerated(bundle, _plan(bundle, cpu, wish, wish.delegate), wish))
    except DelegateError as error:
        raise DelegateError(f'{error} Or set delegate = "auto", which counts on the CPU meanwhile.') from error


def _automatic(bundle: Bundle, cpu: Plan, wish: Wish) -> Loaded:
    """On the first accelerator that the bundle has a build for and that can be used, else on the CPU."""
    notes = []
    for place, variant in _BUILDS.items():
        if variant not in bundle.variants:
            continue
        try:
            plan = _plan(bundle, cpu, wish, place)
            classifier = _accelerated(bundle, plan, wish, rival=cpu if place == "gpu" else None)
        except DelegateError as error:
            notes.append(f"The {NAMES[place]} is not used: {error}")
        else:
            return Loaded(classifier, " ".join(notes) or None)
    return Loaded(TfliteClassifier(bundle, plan=cpu), " ".join(notes) or None)


def _plan(bundle: Bundle, cpu: Plan, wish: Wish, place: Place) -> Plan:
    """How to run on an accelerator."""
    if _BUILDS[place] not in bundle.variants:
        raise DelegateError(
            f'bundle "{bundle.manifest.id}" has no {_BUILDS[place]}. Convert it with --target {place}, or copy a bundle'
            " that has one."
        )
    return replace(cpu, variant=_BUILDS[place], delegate=place, library=wish.library)


def _accelerated(bundle: Bundle, plan: Plan, wish: Wish, *, rival: Plan | None = None) -> TfliteClassifier:
    """The network on an accelerator, after it has held in a process of its own and was faster there than a rival."""
    limit_ms = _ms_to_beat(bundle, rival, wish) if rival is not None else float("inf")
    wanted = engines.network(bundle, plan.variant)
    trial = try_out(wanted, plan, bundle.golden_inputs, timeout_s=wish.timeout_s)
    check(bundle, plan, trial.answers)
    if trial.ms_per_crop >= limit_ms:
        raise DelegateError(f"it takes {trial.ms_per_crop:.3g} ms per crop, the CPU {limit_ms:.3g} ms.")
    return TfliteClassifier(bundle, plan=plan)


def _ms_to_beat(bundle: Bundle, cpu: Plan, wish: Wish) -> float:
    """Milliseconds that a crop takes on the CPU, where that is slow enough for a GPU to be worth a try."""
    wanted = engines.network(bundle, cpu.variant)
    taken_ms = try_out(wanted, cpu, bundle.golden_inputs, timeout_s=wish.timeout_s).ms_per_crop
    if taken_ms < GPU_PAYS_ABOVE_MS:
        raise DelegateError(
            f"the CPU takes {taken_ms:.3g} ms per crop, and below {GPU_PAYS_ABOVE_MS:g} ms a GPU cannot be faster."
        )
    return taken_ms
