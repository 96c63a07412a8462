"""Single pictures as a camera sends them, decoded; what is damaged is none. Runs in a camera's process."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.capture.outages import is_torn
from edge_agent.capture.printed import Printed


class Decoder:
    """Decodes whole pictures. What is missing of a JPEG, libjpeg fills with grey and only prints that it did."""

    def __init__(self) -> None:
        self._printed = Printed()

    def decoded(self, content: bytes) -> NDArray[np.uint8] | None:
        """The picture (height, width, 3) uint8 BGR; None where it is none, is damaged or too large."""
        list(self._printed.new())
        try:
            image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
        except cv2.error:
            return None
        torn = any(map(is_torn, self._printed.new()))
        return None if image is None or torn else np.asarray(image, np.uint8)
