"""An emulated 64-bit ARM device that runs the agent's classifier, and how far its answers are from this machine's.

`benchmarks/aarch64.sh` makes one. It says whether answers are equal, never how fast a device is.
"""

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.bundle import MODEL_FILE, read
from edge_agent.inference import TfliteClassifier

REPO = Path(__file__).resolve().parent.parent
FOLDER = Path(os.environ.get("SHELFWATCH_AARCH64", REPO / "build" / "aarch64"))
PROCESSORS = ("cortex-a72", "cortex-a76", "max")
"""A Raspberry Pi 4's, a Raspberry Pi 5's (with dot products of int8), and all that qemu knows (with int8 matrices)."""
PROGRAM = Path(__file__).with_name("aarch64_answers.py")


@dataclass(frozen=True, slots=True)
class Distance:
    """How the emulated device's answers differ from this machine's.

    Attributes:
        count: Crops that both answered.
        same_top1: How many of them got the same winner.
        most_steps: The furthest that two output bytes are apart, of 255.
        ties: Crops whose two best bytes are at most a step apart on this machine: a winner by chance.
    """

    count: int
    same_top1: int
    most_steps: int
    ties: int


def is_there(folder: Path = FOLDER) -> bool:
    """Whether the device has been made."""
    return (folder / "qemu" / "usr" / "bin" / "qemu-aarch64").is_file() and (folder / "site").is_dir()


def distance(bundle: Path, crops: NDArray[np.uint8], *, processor: str, folder: Path = FOLDER) -> Distance:
    """Let this machine and the emulated device read the same crops (n, size, size, 3) with a bundle's int8 network.

    Raises:
        RuntimeError: The device did not answer; the message holds what it said.
    """
    loaded = read(bundle)
    output = loaded.manifest.output
    scores = TfliteClassifier(loaded, runtime="litert", threads=1, variant=MODEL_FILE).classify(crops)
    ours = np.rint(scores / output.scale + output.zero_point).astype(int)
    theirs = _emulated(bundle, crops, processor, folder).astype(int)
    second, first = np.sort(ours, axis=1)[:, -2:].T
    return Distance(
        count=len(crops),
        same_top1=int((ours.argmax(axis=1) == theirs.argmax(axis=1)).sum()),
        most_steps=int(np.abs(ours - theirs).max()),
        ties=int((first - second <= 1).sum()),
    )


def varied(golden: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Golden crops, and blends of two of them in other light with noise: (count, size, size, 3), always the same."""
    rng = np.random.default_rng(0)
    crops = list(golden[:count])
    while len(crops) < count:
        one, other = golden[rng.integers(len(golden), size=2)].astype(np.float32)
        share, light, noise = rng.uniform(0.5, 1), rng.uniform(0.5, 1.4), rng.uniform(0, 40)
        blend = (share * one + (1 - share) * other) * light + rng.normal(0, noise, one.shape)
        crops.append(np.clip(blend, 0, 255).astype(np.uint8))
    return np.stack(crops)


def _emulated(bundle: Path, crops: NDArray[np.uint8], processor: str, folder: Path) -> NDArray[np.uint8]:
    """What the device answers: (n, classes) bytes."""
    root = folder / "root"
    command: list[str | Path] = [folder / "qemu" / "usr" / "bin" / "qemu-aarch64", "-cpu", processor, "-L", root]
    command += [root / "usr" / "bin" / "python3.11", "-S", "-B", PROGRAM]
    environment = {**os.environ, "PYTHONPATH": f"{folder / 'site'}:{REPO}"}
    with tempfile.TemporaryDirectory(prefix="shelfwatch-aarch64-") as name:
        given, answers = Path(name) / "crops.npy", Path(name) / "answers.npy"
        np.save(given, crops)
        done = subprocess.run(  # noqa: S603 (ours)
            [*command, bundle.resolve(), given, answers], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"{processor} ended with status {done.returncode}: {done.stderr.strip()[-2000:]}")
        found: NDArray[np.uint8] = np.load(answers)
        return found
