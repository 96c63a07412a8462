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
from trainer.nets import backbones, models, networks
from trainer.training.recipe import settle
network, given, fetched = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
fetched.parent.mkdir(parents=True)
network_of_keras = getattr(keras.applications, networks.application(network))
plain = network_of_keras(input_shape=(128, 128, 3), include_top=False, weights=None, pooling="avg")
plain.load_weights(given)
with h5py.File(fetched, "w") as file:
    legacy_h5_format.save_weights_to_hdf5_group(file, plain)
built = models.build(settle(network, weights="imagenet", size_px=128), classes=3)
backbone = built.get_layer(backbones.BACKBONE)
assert all(np.array_equal(a, b) for a, b in zip(plain.get_weights(), backbone.get_weights(), strict=True))
print("the same", len(plain.get_weights()))
"""
OFFLINE = """
from trainer.nets import models
from trainer.training.recipe import settle
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
@pytest.mark.parametrize(
    ("network", "given", "fetched"),
    [
        ("mobilenet-v1", "mobilenet_v1", "mobilenet_1_0_128_tf_no_top.h5"),
        ("mobilenet-v2", "mobilenet_v2", "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_128_no_top.h5"),
    ],
)
def test_imagenet_weights_are_those_of_keras(shared_data, tmp_path, network, given, fetched):
    """What Keras has fetched once is what the backbone gets, layer by layer."""
    weights = shared_data / "weights" / f"{given}_imagenet.weights.h5"
    done = run(SCRIPT, network, weights, tmp_path / "models" / fetched, home=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("the same ")


def test_without_the_internet_the_remedy_is_named(tmp_path):
    """Where the weights cannot be fetched, the message says what else can be done."""
    done = run(OFFLINE, home=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "the ImageNet weights cannot be fetched" in done.stdout
    assert "--weights none" in done.stdout
