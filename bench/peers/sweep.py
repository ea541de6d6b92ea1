"""The second comparison: the whole classic sweep, from the command to the finished table.

Eleven models, validation after every epoch: the Keras loop and `besom run` with its default slots, each a process that
starts with nothing, on the same cores, one after the other in the order that --order says.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

import besom
import processes
import report
from configurations import CLASSIC_POINTS, UNSTABLE_POINTS, Point


def run_keras(arguments: argparse.Namespace) -> tuple[float, dict[Point, dict]]:
    """Wall seconds of the loop, and its results by point."""
    with tempfile.TemporaryDirectory(prefix="besom-peers-") as folder:
        file = Path(folder, "keras.json")
        options = ("--data", arguments.data, "--epochs", str(arguments.epochs), "--seed", str(arguments.seed))
        seconds, _ = processes.python("keras_loop.py", *options, "--json", str(file))
        results = json.loads(file.read_text(encoding="utf-8"))
    return seconds, {
        Point(result["optimizer"], result["learning_rate"], result["batch_size"]): {
            "state": "succeeded",
            "epochs_done": result["epochs_done"],
            "val_accuracy": result["history"]["val_accuracy"],
        }
        for result in results
    }


def run_besom(program: besom.Besom, arguments: argparse.Namespace) -> tuple[float, str, dict[Point, dict]]:
    """Wall seconds of `besom run`, its engine, and its results by point."""
    seconds, runs = program.run(CLASSIC_POINTS, arguments.epochs, arguments.seed, slots=None)
    results = {
        run.point: {"state": run.state, "epochs_done": run.epochs_done, "val_accuracy": run.val_accuracy}
        for run in runs
    }
    return seconds, runs[0].engine, results


def check(side: str, results: dict[Point, dict], epochs: int) -> None:
    """All eleven ended, after all epochs or as diverged; otherwise there is nothing to compare."""
    for point in CLASSIC_POINTS:
        result = results[point]
        if result["state"] != "diverged" and result["epochs_done"] != epochs:
            processes.fail(f"{side}: {point} {result['state']} after {result['epochs_done']} of {epochs} epochs")


def shortened(own: dict[Point, dict], epochs: int) -> list[str]:
    """What besom ended as diverged before the last epoch, where Keras goes on: less work, so it must be said."""
    return [
        f"besom ended {point} as diverged after {result['epochs_done']} of {epochs} epochs: less work than Keras's"
        for point, result in own.items()
        if result["epochs_done"] != epochs
    ]


def rendered(keras: dict[Point, dict], own: dict[Point, dict]) -> str:
    """Final val_accuracy of each configuration, side by side."""

    def row(point: Point) -> list[str]:
        name = f"{point} (unstable)" if point in UNSTABLE_POINTS else str(point)
        theirs = keras[point]["val_accuracy"][-1]
        if own[point]["state"] == "diverged":
            return [name, f"{theirs:.4f}", "diverged", ""]
        ours = own[point]["val_accuracy"][-1]
        return [name, f"{theirs:.4f}", f"{ours:.4f}", f"{ours - theirs:+.4f}"]

    return report.table(["final val_accuracy", "Keras", "besom", "difference"], list(map(row, CLASSIC_POINTS)))


def order(text: str) -> list[str]:
    """`besom,keras,besom`: both at least once."""
    sides = text.split(",")
    if set(sides) != {"keras", "besom"}:
        raise argparse.ArgumentTypeError("a list of keras and besom, each at least once, such as besom,keras,besom")
    return sides


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="an npz file")
    parser.add_argument("--besom", default=str(processes.REPOSITORY / "target/release/besom"))
    parser.add_argument("--engine", help="passed to besom run; default: besom's own choice")
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--order", type=order, default="besom,keras,besom", help="default: %(default)s")
    parser.add_argument("--cores", type=int, default=2, help="how many of this machine's cores may be used")
    parser.add_argument("--json", default=str(processes.REPOSITORY / "target/peers/sweep.json"))
    arguments = parser.parse_args()
    if arguments.epochs < 1:
        parser.error("--epochs must be at least 1")
    processes.use_cores(arguments.cores)
    program = besom.found(arguments.besom, arguments.data, arguments.engine)
    facts = report.machine(program.version())

    seconds: dict[str, list[float]] = {"keras": [], "besom": []}
    results: dict[str, dict[Point, dict]] = {}
    for side in arguments.order:
        processes.say(f"{side}: {len(CLASSIC_POINTS)} models, {arguments.epochs} epochs")
        if side == "keras":
            took, results[side] = run_keras(arguments)
        else:
            took, facts["engine"], results[side] = run_besom(program, arguments)
        check(side, results[side], arguments.epochs)
        seconds[side].append(took)
        processes.say(f"{side}: {took:.2f} s")

    median = {side: statistics.median(times) for side, times in seconds.items()}
    print(report.heading(facts))
    sides = ",".join(arguments.order)
    print(f"engine {facts['engine']}; {arguments.epochs} epochs, seed {arguments.seed}, order {sides}\n")
    print("\n".join([rendered(results["keras"], results["besom"]), *shortened(results["besom"], arguments.epochs)]))
    print(f"\nKeras loop: {median['keras']:.1f} s ({', '.join(f'{took:.1f}' for took in seconds['keras'])})")
    print(f"besom run:  {median['besom']:.2f} s ({', '.join(f'{took:.2f}' for took in seconds['besom'])})")
    print(f"ratio:      {median['keras'] / median['besom']:.1f}")
    report.write(
        arguments.json,
        {
            "machine": facts,
            "order": arguments.order,
            "seconds": seconds,
            "ratio": median["keras"] / median["besom"],
            "results": [
                {"side": side, **vars(point), **result}
                for side, points in results.items()
                for point, result in points.items()
            ],
        },
    )
    processes.say(f"all epochs: {arguments.json}")


if __name__ == "__main__":
    main()
