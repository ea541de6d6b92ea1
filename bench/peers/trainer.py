"""What the three training scripts of the first comparison share: their arguments and their output."""

import argparse
import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Epoch:
    """One epoch: wall seconds with shuffling, training and validation, and what came out."""

    seconds: float
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float


def arguments(framework: str) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=f"Trains 784-32-32-10 with {framework}; prints epochs as JSON.")
    parser.add_argument("--data", required=True, help="an npz file")
    parser.add_argument("--optimizer", choices=["sgd", "adam"], required=True)
    parser.add_argument("--learning-rate", type=float, required=True)
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def report(epochs: list[Epoch]) -> None:
    """Prints the epochs as one JSON document, the last line of stdout."""
    print(json.dumps([asdict(epoch) for epoch in epochs]))
