"""Does a configuration fit together: ids, cameras, slots, and the products that the model knows."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from edge_agent.shelf import SPECIAL_LABELS, Shelf, nearest


def problems_across(raw: dict[str, Any], labels: Sequence[str] | None) -> list[str]:
    """Problems between parts that may be right by themselves; what has the wrong shape is left out here."""
    cameras, shelves = _tables(raw, "cameras"), _tables(raw, "shelves")
    problems = [*_twice("cameras", cameras), *_twice("shelves", shelves)]
    known = {str(camera["id"]): None for camera in cameras if "id" in camera}
    for shelf in shelves:
        place = f'shelf "{shelf.get("id", "without id")}": '
        if (camera := shelf.get("camera")) is not None and str(camera) not in known:
            problems.append(f'{place}there is no camera "{camera}"; {nearest(str(camera), known)}. Correct the name.')
        problems += [place + words for words in _slot_problems(shelf)]
        if labels is not None:
            problems += [place + words for words in _product_problems(shelf, labels)]
    return problems


def _slot_problems(shelf: dict[str, Any]) -> list[str]:
    """What is wrong with the slots of a shelf, taken together."""
    slots, grid = _tables(shelf, "slots"), shelf.get("grid")
    if not slots and grid is None:
        return ["it has no slots. Add [[shelves.slots]] or a [shelves.grid]."]
    return _twice("slots", slots)


def _product_problems(shelf: dict[str, Any], labels: Sequence[str]) -> list[str]:
    """Products of a shelf that the model doesn't know."""
    grid = shelf.get("grid")
    named = [(f'slot "{slot.get("id")}"', slot.get("product")) for slot in _tables(shelf, "slots")]
    if isinstance(grid, dict):
        products = grid.get("products")
        named += [("the grid", sku) for sku in (products if isinstance(products, list) else [products])]
    for key in ("low_at", "restocked_at"):
        if isinstance(limits := shelf.get(key), dict):
            named += [(key, sku) for sku in limits]
    return _unknown_products(named, labels)


def problems_laid_out(shelves: Iterable[Shelf]) -> list[str]:
    """Problems that only show once the slots are laid out, so in a file whose every part is right."""
    problems = []
    for shelf in shelves:
        ids = Counter(slot.id for slot in shelf.slots)
        products = {slot.product for slot in shelf.slots if slot.product is not None}
        problems += [
            f'shelf "{shelf.id}": slot "{slot}" has the id of a slot of the grid. Rename it.'
            for slot, times in ids.items()
            if times > 1
        ]
        problems += [
            f'shelf "{shelf.id}": {key} names product "{sku}", which no slot of the shelf is for;'
            f" {nearest(sku, products)}. Correct the name, or remove it."
            for key, limits in (("low_at", shelf.low_at), ("restocked_at", shelf.restocked_at))
            for sku, _ in limits
            if sku not in products
        ]
        problems += _limit_problems(shelf)
    return problems


def _limit_problems(shelf: Shelf) -> Iterator[str]:
    """Products that could never be back, or would be low and back at once."""
    low_at, expected = dict(shelf.low_at), shelf.expected
    for sku, back in shelf.restocked_at:
        if back > expected.get(sku, back):
            yield (
                f'shelf "{shelf.id}": restocked_at of "{sku}" is {back}, but there are {expected[sku]} facings of it:'
                f" it would never be back. Set it to {expected[sku]} or less."
            )
        if back <= low_at.get(sku, 0):
            yield (
                f'shelf "{shelf.id}": restocked_at of "{sku}" is {back}, at which low_at ({low_at[sku]}) calls it low.'
                f" Set it to {low_at[sku] + 1} or more."
            )


def _tables(raw: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The tables of an array of tables, as far as they are there."""
    found = raw.get(key)
    return [table for table in found if isinstance(table, dict)] if isinstance(found, list) else []


def _twice(kind: str, tables: Iterable[dict[str, Any]]) -> list[str]:
    ids = Counter(str(table["id"]) for table in tables if "id" in table)
    return [f'two {kind} have the id "{twice}". Rename one.' for twice, times in ids.items() if times > 1]


def _unknown_products(named: Iterable[tuple[str, Any]], labels: Sequence[str]) -> list[str]:
    products = [label for label in labels if label not in SPECIAL_LABELS]
    unknown = {(who, sku): None for who, sku in named if isinstance(sku, str) and sku and sku not in products}
    return [
        f'{who} names product "{sku}", which the model doesn\'t know; {nearest(sku, products)}.'
        " Correct the name, or retrain with it."
        for who, sku in unknown
    ]
