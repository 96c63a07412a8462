"""The networks that the benchmarks convert and run, each trained on the grocery photographs by one command."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

REPO = Path(__file__).resolve().parent.parent
SHARED = REPO.parent / "shared"
MODELS = REPO / "build" / "bench"


@dataclass(frozen=True, slots=True)
class Network:
    """A network, how it is trained, and where it is kept.

    Attributes:
        name: Of its folder, which holds `model.keras` with its card, and `bundle`.
        fit: Options of `shelf-train fit`; {weights} is the folder with the pretrained ones.
        minutes: What training takes on two idle cores.
    """

    name: str
    fit: str
    minutes: int

    def model(self, models: Path) -> Path:
        """The trained network below a folder of them."""
        return models / self.name / "model.keras"

    def bundle(self, models: Path) -> Path:
        """Its bundle below the same folder."""
        return models / self.name / "bundle"


SMALL_CNN = Network("small-cnn", "--network small-cnn --size 64 --width 1.5 --recipe best --epochs 40", 6)
NARROW = Network(
    "mobilenet-v2-0.35-96",
    "--network mobilenet-v2 --width 0.35 --size 96 --weights none --recipe best --epochs 120"
    " --label-smoothing 0 --dropout 0.2 --effects 0",
    20,
)
"""Trained for long and without smoothing: a network that is not sure of anything changes its mind in int8."""
WIDE = Network(
    "mobilenet-v2-1.0-224",
    "--network mobilenet-v2 --size 224 --weights {weights}/mobilenet_v2_imagenet.weights.h5",
    5,
)
NETWORKS = (SMALL_CNN, NARROW, WIDE)


@dataclass(frozen=True, slots=True)
class Photographs:
    """The two lists of the grocery photographs below a folder such as `../shared`, and the pretrained weights."""

    shared: Path

    @property
    def train(self) -> Path:
        """The list to train and calibrate on."""
        return self.shared / "data" / "grocery" / "train.txt"

    @property
    def validation(self) -> Path:
        """The list to judge on."""
        return self.shared / "data" / "grocery" / "val.txt"

    @property
    def weights(self) -> Path:
        """The folder with the pretrained weights."""
        return self.shared / "weights"


def train(network: Network, photographs: Photographs, models: Path, console: Console) -> None:
    """Train a network unless its file is there; an interrupted training goes on where it was.

    Raises:
        SystemExit: The training failed; it has said why.
    """
    out = network.model(models)
    if out.is_file() and out.with_suffix(".json").is_file():
        return
    options = network.fit.format(weights=photographs.weights).split()
    command = ["fit", photographs.train, "--validation", photographs.validation, *options, "--out", out]
    words = [str(word) for word in command]
    console.print(f"training {network.name}, about {network.minutes} minutes on two idle cores:")
    console.print("  shelf-train " + " ".join(words), soft_wrap=True, markup=False, highlight=False)
    done = subprocess.run([sys.executable, "-m", "trainer.cli", *words], check=False, cwd=REPO)  # noqa: S603 (ours)
    if done.returncode != 0:
        raise SystemExit(done.returncode)
