"""A network that was converted for one crop → the same for batches of any size."""

from typing import Any

import numpy as np

from converter.tflite import graph


def free_batch(content: bytes) -> bytes:
    """Let a network that was converted for a batch of one be resized to any batch.

    A Flatten is converted to a RESHAPE with the constant [1, K], which no other batch fits; [-1, K] means the same for
    one crop. Nothing else in a convolutional network names the batch.
    """
    model = graph.parse(content)
    for operator in graph.operators(model, "RESHAPE"):
        _free_reshape(model, operator)
    return graph.packed(model)


def _free_reshape(model: Any, operator: Any) -> None:
    tensors = model.subgraphs[0].tensors
    target = [int(side) for side in tensors[operator.outputs[0]].shape]
    if int(tensors[operator.inputs[0]].shape[0]) != 1 or target[0] != 1:
        return  # folds the batch into something else; the classifier will say so if it cannot be resized
    target[0] = -1
    if len(operator.inputs) > 1:
        buffer = model.buffers[tensors[operator.inputs[1]].buffer]
        buffer.data = np.frombuffer(np.asarray(target, dtype="<i4").tobytes(), dtype=np.uint8)
    if operator.builtinOptions is not None:
        operator.builtinOptions.newShape = target
