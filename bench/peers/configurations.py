"""What is trained: the points of both comparisons, once, for every side."""

from dataclasses import dataclass

HIDDEN = [32, 32]
TEST_FRACTION = 0.2
SPLIT_SEED = 42


@dataclass(frozen=True, order=True)
class Point:
    """The hyperparameters that differ; everything else is the classic network."""

    optimizer: str
    learning_rate: float
    batch_size: int

    def __str__(self) -> str:
        return f"{self.optimizer} {self.learning_rate:g}, batch {self.batch_size}"


BASE = Point("sgd", 0.01, 32)

# Per epoch: one network, the sizes of a step.
EPOCH_POINTS = [
    Point("sgd", 0.01, 8),
    Point("sgd", 0.01, 32),
    Point("sgd", 0.01, 512),
    Point("adam", 0.01, 32),
]

# The classic sweep: each hyperparameter varied alone around the base, which stands in the list once: eleven models.
OPTIMIZERS = ["adadelta", "adagrad", "adam", "ftrl", "sgd"]
BATCH_SIZES = [8, 512, 4096]
LEARNING_RATES = [0.0001, 0.5, 1.0]

CLASSIC_POINTS = (
    [Point(optimizer, BASE.learning_rate, BASE.batch_size) for optimizer in OPTIMIZERS]
    + [Point(BASE.optimizer, BASE.learning_rate, batch_size) for batch_size in BATCH_SIZES]
    + [Point(BASE.optimizer, learning_rate, BASE.batch_size) for learning_rate in LEARNING_RATES]
)

# Keras itself ends anywhere there, by seed: shown, not compared.
UNSTABLE_POINTS = [Point("ftrl", 0.01, 32), Point("sgd", 0.5, 32), Point("sgd", 1.0, 32)]
