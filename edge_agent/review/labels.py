"""What a person may call a crop: the name of a class folder that `shelf-train` reads."""

from edge_agent.collect import check_label
from edge_agent.shelf import DataError, InputError

PARTS = frozenset({"train", "training", "validation", "val", "valid", "test", "testing"})
"""What `shelf-train` takes for a part of a data set rather than for a class."""
LABEL_MAX_BYTES = 120


def checked(label: str) -> str:
    """A label as the name of its folder.

    Raises:
        DataError: It cannot be one, or would be taken for something else.
    """
    label = label.strip()
    try:
        check_label(label)
    except InputError as error:
        raise DataError(str(error)) from error
    if label.lower() in PARTS:
        raise DataError(f'"{label}" is what a part of a data set is called, not a product. Name it otherwise.')
    if len(label.encode()) > LABEL_MAX_BYTES or not label.isprintable():
        raise DataError("a label is one line of at most 120 letters. Name it in short.")
    return label
