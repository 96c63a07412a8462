"""What quantization costs in each layer, and the conversion that keeps the layers that lose most in float.

Both work on the conversion of `converter.quantizing.quantize`, with its settings, and in a process of their own, so
that the names of layers in one are those in the other. TensorFlow's `QuantizationDebugger` runs each layer in int8 and
in float from the same (int8) input: what differs is the loss of this layer alone.
"""

import json
import math
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.network import import_quietly
from converter.quantizing import process
from converter.quantizing.quantize import converter_of, representative, to_int8
from converter.scratch import save, scratch
from converter.tflite import graph
from edge_agent.shelf import DataError

Crops = NDArray[np.uint8]

LOOKS = 50
"""Calibration pictures that errors are averaged over, at most: figures hardly move beyond, and time does."""
ROUNDING = 1 / math.sqrt(12)
"""RMSE / scale where rounding is all that is lost: the deviation of a number that is uniform over one step."""
_VERIFY = b"NumericVerify"
_POWER = "signal_power"
_FIGURES = ("mean_squared_error", _POWER)


@dataclass(frozen=True, slots=True)
class LayerError:
    """What int8 loses in one layer, with the input it gets in the int8 network.

    Attributes:
        operator: Of TFLite, such as `CONV_2D`; a batch norm and an activation are part of it.
        layer: Its Keras layer, for people.
        tensor: Its output in the file, which is what `selective` knows it by.
        scale: One step of its output.
        zero_point: Where its output is zero, -128..127.
        mean_squared_error: Against float, in the square of the output's unit.
        rmse_steps: Root of that in steps of the output, as TensorFlow's guide to the debugger advises to rank by:
            `ROUNDING` where nothing but rounding is lost. It is blind to a channel that is all within one step.
        noise_db: Signal to quantization noise; None where nothing is lost at all.
        can_be_float: Whether `selective` can keep it in float. TensorFlow leaves pools and the like in int8 whatever is
            asked: they only hand on the numbers of the layer before, in its scale.
    """

    operator: str
    layer: str
    tensor: str
    scale: float
    zero_point: int
    mean_squared_error: float
    rmse_steps: float
    noise_db: float | None
    can_be_float: bool


def layer_errors(model: Path, crops: Crops) -> tuple[LayerError, ...]:
    """Measure what each layer loses, the worst first.

    Args:
        model: A `.keras` file.
        crops: (n, size, size, 3) uint8 RGB, those that the network is calibrated with; the first `LOOKS` are looked at.

    Raises:
        DataError: TensorFlow cannot convert the network.
    """
    with scratch() as folder:
        _run(model, crops, folder, "errors")
        rows = json.loads((folder / "errors.json").read_text(encoding="utf-8"))
    kinds = _kinds(model)
    found = [_error(row, kinds) for row in rows]
    return tuple(sorted(found, key=lambda error: (-error.rmse_steps, error.tensor)))


def selective(model: Path, crops: Crops, tensors: Sequence[str]) -> bytes:
    """Convert a network to int8 but for some layers, which stay in float. Such a file is for the CPU only.

    Args:
        model: A `.keras` file.
        crops: (n, size, size, 3) uint8 RGB: what sets the ranges.
        tensors: The layers, by `LayerError.tensor` of those that `can_be_float`; with none the file is that of a plain
            conversion.

    Returns:
        A TFLite file with uint8 ends, for a batch of one.

    Raises:
        DataError: TensorFlow cannot convert the network, or it has no such layer.
    """
    with scratch() as folder:
        (folder / "keep.json").write_text(json.dumps(list(tensors)), encoding="utf-8")
        _run(model, crops, folder, "keep")
        content = (folder / "kept.tflite").read_bytes()
    if strangers := sorted(set(tensors) - set(_in_float(content, tensors))):
        raise DataError(
            f"{model}: {strangers[0]} is not the output of a layer that can be kept in float. Name tensors of"
            " layer_errors that can be, of the same file."
        )
    return content


def _run(model: Path, crops: Crops, folder: Path, job: str) -> None:
    save(folder / "crops.npy", crops)
    process.run("converter.quantizing.layers", [job, model.resolve()], folder=folder, model=model)


def _in_float(content: bytes, tensors: Sequence[str]) -> Iterator[str]:
    """Which of the named outputs are computed in float."""
    model = graph.parse(content)
    for operator in model.subgraphs[0].operators:
        output = model.subgraphs[0].tensors[operator.outputs[0]]
        if graph.kind(output) == "FLOAT32" and (known := graph.known(graph.full_name(output), tensors)):
            yield known


def _error(row: Mapping[str, Any], kinds: Mapping[str, str]) -> LayerError:
    """The figures of one layer out of what the process found."""
    lost, power = float(row["mean_squared_error"]), float(row[_POWER])
    return LayerError(
        operator=row["operator"],
        layer=_layer(row["tensor"], kinds, at_end=row["at_end"]),
        tensor=row["tensor"],
        scale=row["scale"],
        zero_point=row["zero_point"],
        mean_squared_error=lost,
        rmse_steps=math.sqrt(lost) / row["scale"],
        noise_db=10 * math.log10(power / lost) if lost > 0 and power > 0 else None,
        can_be_float=row["can_be_float"],
    )


def _layer(tensor: str, kinds: Mapping[str, str], *, at_end: bool) -> str:
    """The Keras layer that a tensor comes out of: of several that became one operator, the one with a kernel.

    A tensor is called by its layers, `backbone_1/conv1_relu_1/Relu6;backbone_1/conv1_1/convolution`; Keras counts how
    often each was called. The output of the network (`at_end`) is called otherwise, and is that of the last layer. Any
    other tensor that no layer is known by keeps its own name.
    """
    scopes = [part.split("/") for part in tensor.split(";") if part]
    named = [(scope[-1], name) for scope in scopes if (name := _last_known(scope, kinds)) is not None]
    if not named:
        return list(kinds)[-1] if kinds and at_end else tensor
    with_kernel = [name for end, name in named if end.startswith(("convolution", "depthwise", "MatMul"))]
    return (with_kernel or [name for _, name in named])[0]


def _last_known(scope: Sequence[str], kinds: Mapping[str, str]) -> str | None:
    """The innermost part of a tensor's name that is a layer."""
    for part in reversed(scope):
        for name in (part.rpartition("_")[0], part):
            if name in kinds:
                return name
    return None


def _kinds(model: Path) -> dict[str, str]:
    """The class of each layer of a `.keras` file by its name, those of networks within included, in their order."""
    with zipfile.ZipFile(model) as archive:
        config = json.loads(archive.read("config.json"))

    def walk(layer: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        settings = layer["config"]
        inner = settings.get("layers") if isinstance(settings, dict) else None
        if inner:
            for part in inner:
                yield from walk(part)
        elif isinstance(settings, dict) and "name" in settings:
            yield settings["name"], layer["class_name"]

    return dict(walk(config))


def _calibrated(model: Path, crops: Crops) -> bytes:
    """The float network with the range of each tensor: what TensorFlow quantizes in a second step."""
    converter = to_int8(converter_of(model, crops.shape[1]), crops)
    converter._experimental_calibrate_only = True  # noqa: SLF001  (as the debugger itself does)
    return bytes(converter.convert())


def _quantized(calibrated: bytes, **settings: Any) -> bytes:
    """The second step, with dense layers per tensor as in `to_int8`, which the debugger would not hand on."""
    import_quietly("tensorflow")
    from tensorflow.lite.python.convert import mlir_quantize  # noqa: PLC0415  (slow, and only in the process)

    return bytes(mlir_quantize(calibrated, disable_per_channel_for_dense_layers=True, **settings))


def _measure(model: Path, crops: Crops) -> list[dict[str, Any]]:
    """Each quantized operator with its figures, in the order in which they run."""
    calibrated = _calibrated(model, crops)
    content = _quantized(calibrated, enable_numeric_verify=True)
    experimental = import_quietly("tensorflow").lite.experimental
    debugger = experimental.QuantizationDebugger(
        quant_debug_model_content=content,
        debug_dataset=lambda: representative(crops[:LOOKS]),
        debug_options=experimental.QuantizationDebugOptions(layer_direct_compare_metrics={_POWER: _power}),
    )
    debugger.run()
    main = graph.parse(calibrated).subgraphs[0]
    known = [graph.full_name(tensor) for tensor in main.tensors]
    ends = {known[index] for index in main.outputs}
    return [
        {**row, "at_end": row["tensor"] in ends, **{name: float(figures[name]) for name in _FIGURES}}
        for row, figures in _verified(content, known, debugger.layer_statistics)
    ]


def _power(plain: Any, quantized: Any, scale: float, zero_point: int) -> float:
    """Mean square of a float tensor; the debugger hands the quantized one over as well."""
    del quantized, scale, zero_point
    return float(np.mean(np.square(plain)))


def _verified(
    content: bytes, known: Sequence[str], figures: Mapping[str, Mapping[str, float]]
) -> Iterator[tuple[dict[str, Any], Mapping[str, float]]]:
    """What the debugger compared, with the figures it has for it.

    Its operators take a quantized tensor and the float one that it stands for, and figures go by their outputs. Where
    that float one is an int8 one read back, TensorFlow has no float layer to put there, and its name says nothing.
    """
    model = graph.parse(content)
    main = model.subgraphs[0]
    makers = {int(output): operator for operator in main.operators for output in operator.outputs}
    for operator in main.operators:
        if model.operatorCodes[operator.opcodeIndex].customCode != _VERIFY:
            continue
        quantized, plain = (int(index) for index in operator.inputs[:2])
        scheme = main.tensors[quantized].quantization
        can_be_float = graph.code(model, makers[plain]) != "DEQUANTIZE"
        name = graph.full_name(main.tensors[plain if can_be_float else quantized])
        yield (
            {
                "operator": graph.code(model, makers[quantized]),
                "tensor": graph.known(name, known) or name,
                "can_be_float": can_be_float,
                "scale": float(scheme.scale[0]),
                "zero_point": int(scheme.zeroPoint[0]),
            },
            figures[graph.full_name(main.tensors[operator.outputs[0]])],
        )


def _keep(model: Path, crops: Crops, tensors: Sequence[str]) -> bytes:
    tf = import_quietly("tensorflow")
    return _quantized(
        _calibrated(model, crops),
        input_data_type=tf.uint8,
        output_data_type=tf.uint8,
        denylisted_nodes=list(tensors) or None,
    )


if __name__ == "__main__":
    asked, of = sys.argv[1], Path(sys.argv[2])
    pixels = np.load("crops.npy")
    if asked == "errors":
        Path("errors.json").write_text(json.dumps(_measure(of, pixels)), encoding="utf-8")
    else:
        keep = json.loads(Path("keep.json").read_text(encoding="utf-8"))
        Path("kept.tflite").write_bytes(_keep(of, pixels, keep))
