"""The npz file as the peers see it: scaled f32 rows, integer labels, a shuffled 80/20 split."""

import math
from dataclasses import dataclass

import numpy as np

from configurations import SPLIT_SEED, TEST_FRACTION


@dataclass(frozen=True)
class Split:
    """Pixels divided by the training maximum, one row a sample."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray

    @property
    def inputs(self) -> int:
        return self.x_train.shape[1]

    @property
    def classes(self) -> int:
        return int(max(self.y_train.max(), self.y_test.max())) + 1


def load(path: str) -> Split:
    """Reads `arr_0`/`arr_1`, or `x_train`/`y_train`/`x_test`/`y_test`, which bring their own split."""
    with np.load(path) as archive:
        if "x_train" in archive:
            return _scaled(*(archive[name] for name in ("x_train", "y_train", "x_test", "y_test")))
        samples, labels = archive["arr_0"], archive["arr_1"]
    order = np.random.default_rng(SPLIT_SEED).permutation(len(samples))
    tests = math.ceil(len(samples) * TEST_FRACTION)
    test, train = order[:tests], order[tests:]
    return _scaled(samples[train], labels[train], samples[test], labels[test])


def _scaled(x_train: np.ndarray, y_train: np.ndarray, x_test: np.ndarray, y_test: np.ndarray) -> Split:
    maximum = np.float32(x_train.max())

    def rows(samples: np.ndarray) -> np.ndarray:
        return samples.reshape(len(samples), -1).astype(np.float32) / maximum

    return Split(rows(x_train), y_train.astype(np.int32), rows(x_test), y_test.astype(np.int32))
