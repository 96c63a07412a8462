"""The head of a frozen backbone: begun in closed form, so that training only has to polish it.

Features are standardized while the head is trained, and the standardization is folded into its weights afterwards: the
finished network is a backbone and a dense layer, nothing else. Pure numpy.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.judging.evaluate import log_loss

Features = NDArray[np.float32]
Indices = NDArray[np.int64]

SHRINKAGE = 0.5
"""How far the scatter of the features is drawn to a multiple of the identity. On the grocery lists anything in .3..8 is
within a percentage point of the best; features outnumber the photographs of a class by far, so it is much."""
SCALES = np.geomspace(0.01, 4.0, 120)
"""Candidates for the factor that turns linear scores into log-odds."""


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """A dense layer: `kernel` (features, classes) and `bias` (classes,), float64."""

    kernel: NDArray[np.float64]
    bias: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Standard:
    """Mean and spread of each feature, (features,) float32; the spread is never near zero."""

    mean: NDArray[np.float32]
    spread: NDArray[np.float32]

    def apply(self, features: Features) -> Features:
        """Features with mean 0 and spread 1, of the same shape."""
        return (features - self.mean) / self.spread


def standardize(features: Features) -> Standard:
    """Measure (n, features); a feature that hardly varies is not blown up."""
    spread = features.std(axis=0)
    return Standard(features.mean(axis=0), np.maximum(spread, max(0.1 * float(spread.mean()), 1e-6)))


def fold(linear: Linear, standard: Standard) -> Linear:
    """The layer that does on plain features what `linear` does on standardized ones."""
    kernel = linear.kernel / standard.spread[:, None]
    return Linear(kernel, linear.bias - standard.mean @ kernel)


def chain(first: Linear, second: Linear) -> Linear:
    """The one layer that does what two do, one after the other."""
    return Linear(first.kernel @ second.kernel, first.bias @ second.kernel + second.bias)


def factor(linear: Linear, dims: int, *, centre: NDArray[np.floating[Any]] | None = None) -> tuple[Linear, Linear]:
    """Two layers that do what one does: features → embedding (dims,) → logits.

    By singular values (Eckart & Young 1936), shared evenly between the two layers: what tells classes apart strongly is
    far apart in the embedding. Exact where the kernel's rank is at most `dims`, else the nearest kernel of that rank.
    The embedding is turned at random, which changes no distance: its dimensions then carry alike much, and int8, with
    one scale for all of them, is as fine for the weak ones as for the strong.

    Args:
        linear: Features → logits.
        dims: Size of the embedding.
        centre: (features,), a point whose embedding shall be zero; by default the origin.
    """
    left, values, right = np.linalg.svd(linear.kernel, full_matrices=False)
    rank = min(dims, len(values))
    share = np.sqrt(values[:rank])
    kernel = np.zeros((len(linear.kernel), dims))
    kernel[:, :rank] = left[:, :rank] * share
    back = np.zeros((dims, linear.kernel.shape[1]))
    back[:rank] = share[:, None] * right[:rank]
    turn = np.linalg.qr(np.random.default_rng(dims).normal(size=(dims, dims)))[0]
    kernel, back = kernel @ turn, turn.T @ back
    middle = np.zeros(len(kernel)) if centre is None else centre.astype(np.float64)
    return Linear(kernel, -middle @ kernel), Linear(back, linear.bias + middle @ linear.kernel)


def discriminant(features: Features, truth: Indices, *, classes: int) -> Linear:
    """Linear discriminant analysis with equal priors and a shrunk common covariance.

    Fisher 1936; shrinkage to the scaled identity as in Friedman 1989, "Regularized Discriminant Analysis", eq. 18.

    Args:
        features: (n, features), at least one of each class.
        truth: (n,) label indices.
        classes: How many there are.
    """
    exact = features.astype(np.float64)
    means = np.stack([exact[truth == index].mean(axis=0) for index in range(classes)])
    residuals = exact - means[truth]
    covariance = residuals.T @ residuals / len(exact)
    average = max(float(np.trace(covariance)) / len(covariance), 1e-9)
    covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * average * np.eye(len(covariance))
    kernel = np.linalg.solve(covariance, means.T)
    return Linear(kernel, -0.5 * (means.T * kernel).sum(axis=0))


def calibrate(linear: Linear, features: Features, truth: Indices) -> Linear:
    """Scale a layer so that the softmax of its output is as sure as it is right, on photographs it was not made from.

    Temperature scaling (Guo et al. 2017, arXiv 1706.04599). So that a few photographs without a mistake do not prove
    certainty, one wrong answer in n + 2 is assumed beside what is seen (after Platt 1999).

    Args:
        linear: Its argmax stays as it is.
        features: (n, features), held out.
        truth: (n,) label indices.
    """
    logits = features.astype(np.float64) @ linear.kernel + linear.bias
    doubt = 1 / (len(truth) + 2)

    def cost(scale: float) -> float:
        scores = softmax(scale * logits)
        flat = -np.log(scores.clip(1e-12)).mean()
        return (1 - doubt) * log_loss(scores.astype(np.float32), truth) + doubt * float(flat)

    scale = min(SCALES.tolist(), key=cost)
    return Linear(linear.kernel * scale, linear.bias * scale)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, classes) logits to probabilities."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares
