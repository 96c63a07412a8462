"""What an inspection found, in lines for a person and as JSON for a program."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from trainer.photos.inspection import LONG, PARTS, TINY_PX, Double, Inspection, Sight


def in_words(inspection: Inspection) -> list[str]:
    """What a person should know before training, a line each."""
    return [*_on_classes(inspection), *_on_files(inspection), *_on_doubles(inspection)]


def _on_classes(inspection: Inspection) -> Iterator[str]:
    classes = sorted(inspection.classes, key=lambda c: c.train)
    smallest, largest = classes[0], classes[-1]
    if smallest.train == largest.train:
        yield f"every class has {largest.train} photographs to train on"
    else:
        yield (
            f'the largest class, "{largest.label}", has {largest.train} photographs to train on and the smallest,'
            f' "{smallest.label}", {smallest.train}: {inspection.imbalance:.1f} to 1'
        )
    if without := [f'"{c.label}"' for c in inspection.classes if not c.validation]:
        yield f"{len(without)} of {len(classes)} classes have no photograph to validate on: {_some(without)}"


def _on_files(inspection: Inspection) -> Iterator[str]:
    if sizes := _sizes(inspection):
        width, height = _span(sizes["width_px"]), _span(sizes["height_px"])
        yield f"the photographs are {width} px wide and {height} px high"
    if broken := inspection.unreadable:
        named = _some([sight.problem or "" for sight in broken])
        yield f"unreadable photographs, which training leaves out: {len(broken)}. {named}"
    if tiny := inspection.tiny:
        yield f"photographs with a side below {TINY_PX} px, which show little: {len(tiny)}. {_with_sizes(tiny)}"
    if small := inspection.small:
        yield f"photographs with a side below the network's {inspection.size_px} px, which are enlarged: {len(small)}"
    if long := inspection.long:
        shape = f"{LONG:g} times longer than wide, or wider than long"
        yield f"photographs more than {shape}: {len(long)}. {_with_sizes(long)}"


def _span(size: dict[str, float]) -> str:
    if size["min"] == size["max"]:
        return f"{size['min']:.0f}"
    return f"{size['min']:.0f} to {size['max']:.0f} (median {size['median']:.0f})"


def _with_sizes(sights: Sequence[Sight]) -> str:
    return _some([f"{sight.photo} ({sight.wh[0]}×{sight.wh[1]})" for sight in sights])


def _on_doubles(inspection: Inspection) -> Iterator[str]:
    for kind, what in (("identical", "the same file"), ("near", "nearly the same picture")):
        doubles = [double for double in inspection.doubles if double.kind == kind]
        at_odds = [_named(inspection, double) for double in doubles if inspection.at_odds(double)]
        across = [_named(inspection, double) for double in doubles if inspection.across(double)]
        harmless = "" if at_odds or across or not doubles else ", each of one class and in one part"
        yield f"pairs of {what}: {len(doubles) or 'none'}{harmless}"
        if at_odds:
            yield f"pairs of {what} with different labels, of which one must be wrong: {len(at_odds)}. {_some(at_odds)}"
        if across:
            yield f"pairs of {what} in different parts, so that figures will flatter: {len(across)}. {_some(across)}"


def _named(inspection: Inspection, double: Double) -> str:
    one, other = inspection.sights[double.first], inspection.sights[double.second]
    return f"{one.photo} ({one.part}) and {other.photo} ({other.part})"


def _some(names: Sequence[str], count: int = 3) -> str:
    return "; ".join(names[:count]) + (f"; and {len(names) - count} more" if len(names) > count else "")


def as_json(inspection: Inspection) -> dict[str, Any]:
    """Everything that was found, for other programs."""
    counts = {part: sum(getattr(c, part) for c in inspection.classes) for part in PARTS}
    return {
        "photographs": counts,
        "imbalance": round(inspection.imbalance, 3),
        "classes": [
            {"label": c.label, "group": c.group, "train": c.train, "validation": c.validation, "test": c.test}
            for c in inspection.classes
        ],
        "without_validation": [c.label for c in inspection.classes if not c.validation],
        "sizes": _sizes(inspection),
        "unreadable": [{"file": str(sight.photo), "reason": sight.problem} for sight in inspection.unreadable],
        "tiny": {"below_px": TINY_PX, "files": [_sized(sight) for sight in inspection.tiny]},
        "small": {"below_px": inspection.size_px, "photographs": len(inspection.small)},
        "long": {"above_ratio": LONG, "files": [_sized(sight) for sight in inspection.long]},
        "doubles": [_double_as_json(inspection, double) for double in inspection.doubles],
        "findings": in_words(inspection),
    }


def _sized(sight: Sight) -> dict[str, Any]:
    return {"file": str(sight.photo), "width_px": sight.wh[0], "height_px": sight.wh[1]}


def _sizes(inspection: Inspection) -> dict[str, dict[str, float]]:
    """The least, the median and the largest width, height and ratio of width to height."""
    readable = [sight.wh for sight in inspection.sights if not sight.problem]
    if not readable:
        return {}
    widths, heights = np.asarray(readable, dtype=np.float64).T
    return {
        name: {"min": float(values.min()), "median": float(np.median(values)), "max": float(values.max())}
        for name, values in (("width_px", widths), ("height_px", heights), ("aspect", widths / heights))
    }


def _double_as_json(inspection: Inspection, double: Double) -> dict[str, Any]:
    sides = [inspection.sights[place] for place in (double.first, double.second)]
    return {
        "kind": double.kind,
        "different_bits": double.bits,
        "correlation": round(double.correlation, 4),
        "across_parts": inspection.across(double),
        "different_labels": inspection.at_odds(double),
        "photographs": [
            {
                "file": str(side.photo),
                "part": side.part,
                "label": inspection.classes[side.photo.label_index].label,
            }
            for side in sides
        ],
    }
