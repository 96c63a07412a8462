"""Slot crops for labelling: photographs for the next model, taken where it will have to work."""

import time
from difflib import get_close_matches
from pathlib import Path

import cv2

from edge_agent.capture.source import FrameSource
from edge_agent.inference import Classifier
from edge_agent.regions import rectified, whole
from edge_agent.shelf import SPECIAL_LABELS, CameraError, Frame, InputError, Shelf

FIRST_FRAME_S = 20.0
"""How long a camera may take to give its first picture: opening one takes up to 10 s."""


def first_frame(source: FrameSource, camera: str, *, timeout_s: float = FIRST_FRAME_S) -> Frame:
    """The first picture of a camera.

    Raises:
        CameraError: None came; with the camera's own reason where it gave one.
    """
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        frame = source.read(0.1)
        if frame is not None:
            return frame
        if source.problem is not None:
            raise source.problem
    raise CameraError(
        f"camera {camera} gave no picture within {timeout_s:.0f} s."
        " Check its address, and that no other program holds it.",
        reason="timeout",
    )


def check_label(label: str) -> None:
    """Make sure that a label can be the name of a folder of crops, as `shelf-train` reads it.

    Raises:
        InputError: It would lie elsewhere, or be hidden.
    """
    if not label or label.startswith(".") or any(sign in label for sign in "/\\\0"):
        raise InputError(
            f'label "{label}" cannot be the name of a folder: it is empty, begins with a dot, or holds / or \\.'
            " Name it otherwise."
        )
    if label not in SPECIAL_LABELS and (close := get_close_matches(label.lower(), SPECIAL_LABELS, n=1, cutoff=0.8)):
        raise InputError(
            f'label "{label}" is nearly "{close[0]}", but would be a product of that name: gaps or arms would not be'
            f" seen. Give {close[0]}, or a name that is less alike."
        )


def store_crops(
    frame: Frame,
    shelves: tuple[Shelf, ...],
    out: Path,
    *,
    label: str | None,
    classifier: Classifier | None,
) -> list[str]:
    """Write every slot of a frame as a PNG of its own, straightened, at the camera's resolution.

    A crop goes into the folder of its class, so that `shelf-train fit` can read the whole as it is: `label` where a
    person says what stands there, else what the model takes it for, else `unlabelled`. Sort what is wrong by moving it.

    Returns:
        The label of each that was written.

    Raises:
        InputError: The folder cannot be written, or a label cannot be its name.
    """
    taken = f"{frame.captured_at:%Y%m%dT%H%M%S}-{frame.captured_at.microsecond // 1000:03d}"
    written = []
    for shelf in shelves:
        for slot in shelf.slots:
            picture = rectified(frame.image, slot.quad)
            name = label
            if name is None and classifier is not None:
                scores = classifier.classify(whole(picture, size_px=classifier.size_px)[None])
                name = classifier.labels[int(scores[0].argmax())]
            name = "unlabelled" if name is None else name
            check_label(name)
            folder = out / name
            _, png = cv2.imencode(".png", picture)
            try:
                folder.mkdir(parents=True, exist_ok=True)
                (folder / f"{frame.camera}-{shelf.id}-{slot.id}-{taken}.png").write_bytes(png.tobytes())
            except OSError as error:
                raise InputError(f"crops cannot be written to {folder} ({error}). Give a folder of yours.") from error
            written.append(name)
    return written
