"""`--weights imagenet`: Keras' own download and cache, with the real weights put where a download would leave them."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import sys
from pathlib import Path
import h5py, keras, numpy as np
from keras.src.legacy.saving import legacy_h5_format
from trainer import models
from trainer.recipe import settle
given, cache = Path(sys.argv[1]), Path(sys.argv[2]) / "models"
cache.mkdir(parents=True)
plain = keras.applications.MobileNetV2(input_shape=(96, 96, 3), include_top=False, weights=None, pooling="avg")
plain.load_weights(given)
with h5py.File(cache / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_96_no_top.h5", "w") as file:
    legacy_h5_format.save_weights_to_hdf5_group(file, plain)
built = models.build(settle("mobilenet-v2", weights="imagenet", size_px=96, width=1.0), classes=3)
backbone = built.get_layer(models.BACKBONE)
assert all(np.array_equal(a, b) for a, b in zip(plain.get_weights(), backbone.get_weights(), strict=True))
print("the same", len(plain.get_weights()))
"""
OFFLINE = """
from trainer import models
from trainer.recipe import settle
from edge_agent.shelf import InputError
try:
    models.build(settle("mobilenet-v2", weights="imagenet", size_px=96, width=0.35), classes=3)
except InputError as error:
    print(error)
"""


def run(script, *args, home):
    """Run a script in a process of its own, with Keras' folder elsewhere and no way out of this machine."""
    away = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    environment = {**os.environ, **away, "KERAS_HOME": str(home), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", script, *map(str, args)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.data
def test_imagenet_weights_are_those_of_keras(shared_data, tmp_path):
    """What Keras has fetched once is what the backbone gets, layer by layer."""
    weights = shared_data / "weights" / "mobilenet_v2_imagenet.weights.h5"
    done = run(SCRIPT, weights, tmp_path, home=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("the same ")


def test_without_the_internet_the_remedy_is_named(tmp_path):
    """Where the weights cannot be fetched, the message says what else can be done."""
    done = run(OFFLINE, home=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "the ImageNet weights cannot be fetched" in done.stdout
    assert "--weights none" in done.stdout
