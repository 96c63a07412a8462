"""What each target makes of its file → a sentence, a table of operators and the other facts, for a page."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from converter.judging.words import size
from converter.targets.edgetpu_rules import MAPPED
from converter.targets.placement import Group
from trainer.judging import parts

TITLES = {"cpu": "Processor (CPU)", "edgetpu": "Edge TPU (Coral)", "gpu": "Graphics processor (GPU)"}
PLACES = {"cpu": "XNNPACK, its fast library", "edgetpu": "the Edge TPU", "gpu": "the GPU"}
HINTS = {
    "cpu": "What XNNPACK leaves runs in TFLite's own kernels, which is slower.",
    "edgetpu": "Foretold from the file by the compiler's documented rules, without the compiler.",
    "compiled": "Found in the file that the compiler made.",
    "gpu": "Foretold from the file by the delegate's documented rules, without a GPU.",
}
FORETOLD = {"edgetpu", "gpu"}
"""Targets that were not there to try."""
APART = {"operators", "operator_count", "mapped_count", "warnings", "command", "refusal", "compiled"}
"""Parts of a report that have a place of their own."""
FACTS = {
    "runs": "runs in LiteRT without other libraries",
    "parts": "pieces that XNNPACK gets (one is best)",
    "on_chip_estimate_bytes": "parameters on the chip, estimated",
    "on_chip_estimate_error": "the estimate is off by up to",
    "on_chip_limit_bytes": "room on the chip",
    "fit": "result",
    "on_chip_bytes": "parameters on the chip, as compiled",
    "off_chip_bytes": "parameters sent again for each picture, as compiled",
    "runtime_version": "needs an Edge TPU runtime of version",
    "compiler": "compiler",
}
"""How parts of a report are called on the page; others by their own names."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A target on the page: what it is called, how it stands in a sentence, its operators, and what else is known."""

    title: str
    lead: str
    hint: str
    groups: tuple[Group, ...]
    facts: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    command: str


def sheets(targets: Mapping[str, Mapping[str, Any]]) -> tuple[Sheet, ...]:
    """The targets that were asked for, in their order."""
    return tuple(_sheet(name, report) for name, report in targets.items())


def _sheet(name: str, report: Mapping[str, Any]) -> Sheet:
    made = report.get("compiled")
    groups = _groups(_operators(report, made) if made else report.get("operators", ()))
    return Sheet(
        title=TITLES.get(name, name),
        lead=_lead(name, report, groups),
        hint=HINTS.get("compiled" if made else name, ""),
        groups=groups,
        facts=(*_facts(report), *(_facts({key: made[key] for key in FACTS if key in made}) if made else ())),
        warnings=tuple(str(line) for line in report.get("warnings", ())),
        command="" if made else str(report.get("command", "")),
    )


def _operators(report: Mapping[str, Any], made: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The operators where the compiler put them, with its own words for those that it left."""
    fates = list(zip(report["operators"], made["mapped"], strict=True))
    said = iter(_said([one for one, mapped in fates if not mapped], made.get("statuses", ())))
    for one, mapped in fates:
        status = MAPPED if mapped else next(said)
        reason = "" if mapped else one["reason"] or "the compiler gives no other reason"
        yield {**one, "mapped": mapped, "status": status, "reason": reason}


def _said(operators: Sequence[Mapping[str, Any]], statuses: Iterable[Mapping[str, Any]]) -> list[str]:
    """What the compiler says of each operator that it left.

    It counts its words by kind of operator. Where there are several of a kind, each operator gets what was foretold of
    it, as long as the compiler says so as often, and the rest share what is over.
    """
    words: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in statuses:
        if row["status"] != MAPPED:
            words[row["code"]][row["status"]] += row["count"]
    foretold = [_taken(words[one["code"]], one["status"]) for one in operators]
    return [
        status or _taken(words[one["code"]]) or next(iter(words[one["code"]]), one["status"])
        for one, status in zip(operators, foretold, strict=True)
    ]


def _taken(words: Counter[str], wanted: str | None = None) -> str:
    """One of the words that are left, `wanted` or any, which is then there once less; empty where there is none."""
    found = next((word for word, count in words.items() if count > 0 and wanted in {None, word}), "")
    if found:
        words[found] -= 1
    return found


def _groups(operators: Iterable[Mapping[str, Any]]) -> tuple[Group, ...]:
    """Operators by name and fate: first what does not run there."""
    counts = Counter(
        (str(one["code"]), bool(one["mapped"]), str(one.get("status", "")), str(one.get("reason", "")))
        for one in operators
    )
    groups = [Group(code, count, mapped, status, reason) for (code, mapped, status, reason), count in counts.items()]
    return tuple(sorted(groups, key=lambda group: (group.mapped, -group.count, group.code)))


def _lead(name: str, report: Mapping[str, Any], groups: Sequence[Group]) -> str:
    if refusal := report.get("refusal"):
        return f"The whole file would be refused: {refusal}."
    total, there = sum(group.count for group in groups), sum(group.count for group in groups if group.mapped)
    if not total:
        return ""
    which = f"All {total}" if there == total else f"{there} of {total}"
    verb = "would run" if name in FORETOLD and not report.get("compiled") else "run"
    return f"{which} operators {verb} on {PLACES.get(name, name)}."


def _facts(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What else a report says; bytes and shares as people read them."""
    for key, value in report.items():
        if key in APART or value in (None, "", [], {}):
            continue
        name = FACTS.get(key, key.removesuffix("_bytes").replace("_", " "))
        if "_chip_" in key and key.endswith("_bytes"):
            yield name, f"{value / 2**20:.3g} MiB"
        elif key.endswith("_bytes") and isinstance(value, int | float):
            yield name, size(value)
        elif key.endswith("_error") and isinstance(value, float):
            yield name, f"{value:.0%}"
        else:
            yield name, parts.short(value)
