"""What LiteRT's CPU delegate, XNNPACK, takes of a file: a graph that it doesn't take whole is cut into slow pieces."""

import importlib
from dataclasses import dataclass
from typing import Any

from edge_agent.shelf import DataError


@dataclass(frozen=True, slots=True)
class Cpu:
    """`partitions` is how many pieces XNNPACK runs; `whole` says that one piece is the whole graph."""

    partitions: int
    whole: bool

    def payload(self) -> dict[str, Any]:
        """For the report."""
        return {"runtime": "LiteRT with XNNPACK", "partitions": self.partitions, "whole": self.whole}


def report(content: bytes) -> Cpu:
    """Load a file that this machine has made, and see what XNNPACK took. Never give it a file of unknown origin.

    Raises:
        DataError: LiteRT cannot load it.
    """
    interpreter = importlib.import_module("ai_edge_litert.interpreter").Interpreter(model_content=content)
    try:
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise DataError(f"LiteRT cannot load the converted network ({error}). Build it out of other layers.") from error
    # private, and the only place that tells: an interpreter lists its delegates' pieces behind the operators
    pieces = [op for op in interpreter._get_ops_details() if op["op_name"] == "DELEGATE"]  # noqa: SLF001
    given = {details["index"] for details in interpreter.get_input_details()}
    answered = {details["index"] for details in interpreter.get_output_details()}
    whole = len(pieces) == 1 and given <= set(pieces[0]["inputs"]) and answered <= set(pieces[0]["outputs"])
    return Cpu(len(pieces), whole)
