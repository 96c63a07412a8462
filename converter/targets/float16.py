"""Whether float16 weights answer like float32: no GPU has to be there for that, the processor runs both files."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from converter.bundles.drafting import answers
from converter.quantizing.quantize import Precision
from edge_agent.shelf import DataError

CLOSE = 2e-2
"""How far a probability may be: as far as the agent lets that of a GPU be (`edge_agent.golden`)."""
CROPS = 32
"""So many are asked about, from all over those that are given: they may be in the order of their classes."""


def check(built: Mapping[Precision, bytes], crops: NDArray[np.uint8]) -> None:
    """Make sure that the float16 file, where one was made, answers like the float32 one in LiteRT on this processor.

    Args:
        built: TFLite files by precision.
        crops: (n, size, size, 3) uint8 RGB, one or more.

    Raises:
        DataError: A probability is further off than `CLOSE`.
    """
    if "float16" not in built:
        return
    some = crops[:: -(-len(crops) // CROPS)]
    worst = float(np.abs(answers(built["float16"], some) - answers(built["float32"], some)).max())
    if not worst <= CLOSE:  # NaN, from a weight that float16 cannot hold, is not at most anything
        raise DataError(
            f"with float16 weights, which a GPU gets, the network answers unlike float32: a probability differs by"
            f" {worst:.2g}, at most {CLOSE:g} is rounding. Its weights are too large or too small for float16:"
            " convert it with --target cpu or edgetpu, or train it with batch normalisation."
        )
