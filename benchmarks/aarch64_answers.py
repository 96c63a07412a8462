"""Runs on the emulated device: the agent's own classifier reads crops and writes its answers.

Usage: python aarch64_answers.py BUNDLE CROPS.npy ANSWERS.npy; `aarch64.py` calls it.
"""

import platform
import sys
from pathlib import Path

import numpy as np

from edge_agent.bundle import MODEL_FILE, read
from edge_agent.inference import TfliteClassifier

bundle, crops, answers = (Path(word) for word in sys.argv[1:])
if platform.machine() != "aarch64":
    sys.exit(f"this is {platform.machine()}, not aarch64")
read_bundle = read(bundle)
output = read_bundle.manifest.output
classifier = TfliteClassifier(read_bundle, runtime="litert", threads=1, variant=MODEL_FILE)
scores = classifier.classify(np.load(crops))
np.save(answers, np.rint(scores / output.scale + output.zero_point).astype(np.uint8))
