"""The first comparison: seconds per epoch of one network, training with shuffling and validation after it.

Every framework and configuration is a process of its own; rounds are interleaved, so that a slow minute of the machine
meets all of them. The first epoch of each process (compiling, first touches) is not counted, nor is loading.
"""

import argparse
import json
import statistics
from dataclasses import dataclass

import besom
import processes
import report
from configurations import EPOCH_POINTS, Point


@dataclass(frozen=True)
class Setup:
    """A framework as its users would run it, or on one core."""

    name: str
    script: str
    one_core: bool


BESOM = "besom, one slot (one thread)"


def setups(cores: int, skipped: list[str]) -> list[Setup]:
    """Each framework with its default threads, and then on one core; without those whose names have a skipped text."""
    scripts = [
        ("Keras (TensorFlow), model.fit", "train_keras.py"),
        ("PyTorch, eager", "train_pytorch.py"),
        ("JAX, compiled epoch", "train_jax.py"),
    ]
    kinds = [(f"{cores} cores", False)] * (cores > 1) + [("1 core", True)]
    every = [Setup(f"{name}, {kind}", script, one) for name, script in scripts for kind, one in kinds]
    return [setup for setup in every if not any(text in setup.name for text in skipped)]


# A record has seconds and val_accuracy.
Results = dict[str, dict[Point, list[list[dict]]]]


def measure_peer(setup: Setup, point: Point, arguments: argparse.Namespace) -> list[dict]:
    """The epochs of one process."""
    options = {
        "--data": arguments.data,
        "--optimizer": point.optimizer,
        "--learning-rate": point.learning_rate,
        "--batch-size": point.batch_size,
        "--epochs": arguments.epochs,
        "--seed": arguments.seed,
    }
    flat = [str(part) for option in options.items() for part in option]
    _, stdout = processes.python(setup.script, *flat, cores=processes.last_core() if setup.one_core else None)
    return json.loads(stdout.splitlines()[-1])


def measure_besom(program: besom.Besom, arguments: argparse.Namespace) -> tuple[str, dict[Point, list[dict]]]:
    """The engine, and the epochs of each configuration, trained one after the other in one slot."""
    _, runs = program.run(EPOCH_POINTS, arguments.epochs, arguments.seed, slots=1)
    records = {
        run.point: [
            {"seconds": seconds, "val_accuracy": accuracy}
            for seconds, accuracy in zip(run.epoch_seconds, run.val_accuracy, strict=True)
        ]
        for run in runs
    }
    return runs[0].engine, records


def measure(program: besom.Besom, arguments: argparse.Namespace) -> tuple[str, Results]:
    """All rounds: besom first, then the peers, configuration by configuration."""
    results: Results = {}
    engine = ""
    for number in range(1, arguments.rounds + 1):
        processes.say(f"round {number} of {arguments.rounds}: besom")
        engine, records = measure_besom(program, arguments)
        for point, epochs in records.items():
            results.setdefault(BESOM, {}).setdefault(point, []).append(epochs)
        for point in EPOCH_POINTS:
            for setup in setups(arguments.cores, arguments.skip):
                processes.say(f"round {number} of {arguments.rounds}: {point}: {setup.name}")
                epochs = measure_peer(setup, point, arguments)
                results.setdefault(setup.name, {}).setdefault(point, []).append(epochs)
    return engine, results


def counted(rounds: list[list[dict]]) -> list[float]:
    """Seconds of all epochs but each process's first."""
    return [epoch["seconds"] for epochs in rounds for epoch in epochs[1:]]


def rendered(results: Results) -> str:
    """Median seconds, and in brackets how many times besom's."""
    header = ["seconds per epoch (times besom's)", *map(str, EPOCH_POINTS)]
    median = {
        name: {point: statistics.median(counted(rounds)) for point, rounds in points.items()}
        for name, points in results.items()
    }
    rows = [
        [name, *(f"{seconds[point]:.3f} ({seconds[point] / median[BESOM][point]:.1f})" for point in EPOCH_POINTS)]
        for name, seconds in median.items()
        if name != BESOM
    ]
    rows.append([BESOM, *(f"{median[BESOM][point]:.4f}" for point in EPOCH_POINTS)])
    return report.table(header, rows)


def accuracies(results: Results, epochs: int) -> str:
    """That all train the same: the range of val_accuracy over frameworks and rounds."""
    lines = [f"val_accuracy after {epochs} epochs, besom; lowest and highest of the others:"]
    for point in EPOCH_POINTS:
        own = results[BESOM][point][0][-1]["val_accuracy"]
        others = [
            rounds[-1]["val_accuracy"] for name in results if name != BESOM for rounds in results[name][point]
        ]
        lines.append(f"  {point}: {own:.3f}; {min(others):.3f} to {max(others):.3f}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="an npz file")
    parser.add_argument("--besom", default=str(processes.REPOSITORY / "target/release/besom"))
    parser.add_argument("--engine", help="passed to besom run; default: besom's own choice")
    parser.add_argument("--epochs", type=int, default=4, help="per process, the first of which is not counted")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cores", type=int, default=2, help="how many of this machine's cores may be used")
    parser.add_argument("--skip", action="append", default=[], help="a text in the names of setups to leave out")
    parser.add_argument("--json", default=str(processes.REPOSITORY / "target/peers/epochs.json"))
    arguments = parser.parse_args()
    if arguments.epochs < 2 or arguments.rounds < 1:
        parser.error("--epochs must be at least 2 (the first is not counted), --rounds at least 1")
    if not setups(arguments.cores, arguments.skip):
        parser.error("--skip leaves nobody to compare with")
    processes.use_cores(arguments.cores)
    program = besom.found(arguments.besom, arguments.data, arguments.engine)
    facts = report.machine(program.version())

    engine, results = measure(program, arguments)
    facts["engine"] = engine
    print(report.heading(facts))
    print(f"engine {engine}; median of {len(counted(results[BESOM][EPOCH_POINTS[0]]))} epochs, validation included\n")
    print(rendered(results))
    print(f"\n{accuracies(results, arguments.epochs)}")
    report.write(
        arguments.json,
        {
            "machine": facts,
            "results": [
                {"setup": name, **vars(point), "rounds": rounds}
                for name, points in results.items()
                for point, rounds in points.items()
            ],
        },
    )
    processes.say(f"all epochs: {arguments.json}")


if __name__ == "__main__":
    main()
