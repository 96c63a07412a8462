"""The model of a configuration: whose its bundle is, what it knows, and the network that answers as it must."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edge_agent import bundle as bundles
from edge_agent import config, delegates
from edge_agent.bundle import Bundle, Manifest
from edge_agent.config import Settings
from edge_agent.delegates import Wish
from edge_agent.engines import EDGETPU_LIBRARY
from edge_agent.inference import TfliteClassifier
from edge_agent.messages import ModelInfo
from edge_agent.sections import ModelSection
from edge_agent.shelf import BundleError, ShelfwatchError
from edge_agent.signature import check_signature

QUANTIZATION = {bundles.FLOAT_FILE: "float32", bundles.GPU_FILE: "float16"}
"""What a build other than int8 is, for whoever reads a message."""


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A bundle and the network in it. `note` says why a build for an accelerator, which is there, is not used."""

    info: ModelInfo
    classifier: TfliteClassifier
    manifest: Manifest
    note: str | None = None


def load_model(settings: Settings) -> Model:
    """Check whose the bundle is, read it, load the model and hold it against its golden outputs.

    Raises:
        BundleError: It is broken, altered, not signed by the key that the settings name, or does not answer as it must.
        ConfigError: That key cannot be read.
        DelegateError: The accelerator that the settings name cannot be used.
    """
    section = settings.model
    bundle = read_bundle(section)
    wish = Wish(section.delegate, section.delegate_library or EDGETPU_LIBRARY, section.runtime, section.threads)
    loaded = delegates.load(bundle, wish)
    variant = loaded.classifier.plan.variant
    info = ModelInfo(bundle.manifest.id, bundle.manifest.files[variant], QUANTIZATION.get(variant, "int8"))
    return Model(info, loaded.classifier, bundle.manifest, loaded.note)


def read_bundle(section: ModelSection) -> Bundle:
    """Check whose a bundle is and read it; nothing is loaded.

    Raises:
        BundleError: It is broken, altered, or not signed by the key that the settings name.
        ConfigError: That key cannot be read.
    """
    return bundles.read(section.bundle, vouch=partial(check_signature, section.bundle, section.signed_by))


def labels_of(path: Path) -> tuple[str, ...] | None:
    """The labels of the model that a configuration names, where its bundle can be read; else None."""
    return labels_or_error(path)[0]


def labels_or_error(path: Path) -> tuple[tuple[str, ...] | None, BundleError | None]:
    """The labels of the model that a configuration file names, or what is wrong with its bundle.

    Both are None where the file itself is wrong: that is reported with its other problems.
    """
    try:
        where, key = config.model_path(path, "bundle"), config.model_path(path, "signed_by")
        if where is None:
            return None, None
        return bundles.read(where, vouch=partial(check_signature, where, key)).manifest.labels, None
    except BundleError as error:
        return None, error
    except ShelfwatchError:
        return None, None
