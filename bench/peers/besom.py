"""besom's side: a sweep file, `besom run` in a fresh BESOM_HOME, the results by SQL."""

import json
import os
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import processes
from configurations import BASE, HIDDEN, SPLIT_SEED, TEST_FRACTION, Point


@dataclass(frozen=True)
class Run:
    """A job with its result and the records of its epochs, as the views `runs` and `history` show them."""

    point: Point
    state: str
    engine: str
    epochs_done: int
    final_val_accuracy: float | None
    epoch_seconds: list[float]
    val_accuracy: list[float]


@dataclass(frozen=True)
class Besom:
    """The binary, and what is passed to each `besom run`."""

    binary: Path
    data: Path
    engine: str | None

    def version(self) -> str:
        return processes.timed([str(self.binary), "--version"])[1].strip()

    def run(self, points: list[Point], epochs: int, seed: int, slots: int | None) -> tuple[float, list[Run]]:
        """Trains the points, one job each; wall seconds from the command to the printed table, and the runs.

        `slots` None is besom's default: the cores that it may use.
        """
        with tempfile.TemporaryDirectory(prefix="besom-peers-") as folder:
            file = Path(folder, "peers.json")
            file.write_text(json.dumps(self._sweep(points, epochs, seed), indent=1), encoding="utf-8")
            home = {"BESOM_HOME": str(Path(folder, "home"))}
            command = [str(self.binary), "run", str(file)]
            if slots is not None:
                command += ["--slots", str(slots)]
            if self.engine is not None:
                command += ["--engine", self.engine]
            seconds, _ = processes.timed(command, home)
            runs = self._runs(home)
        trained = sorted(run.point for run in runs)
        if trained != sorted(points):
            processes.fail(f"besom trained {trained}, not {sorted(points)}")
        return seconds, runs

    def _sweep(self, points: list[Point], epochs: int, seed: int) -> dict:
        """A sweep file, as JSON (which is YAML), that means exactly these points.

        Each differs from the base in one hyperparameter at most, so one_at_a_time lists them all; the base, which is
        then listed by several hyperparameters, is merged into one job.
        """

        def values(name: str) -> list:
            return sorted({getattr(point, name) for point in points})

        names = ("optimizer", "learning_rate", "batch_size")
        return {
            "name": "peers",
            "method": "one_at_a_time",
            "metric": {"name": "val_accuracy", "goal": "maximize"},
            "parameters": {name: {"values": values(name)} for name in names} | {"epochs": {"value": epochs}},
            "besom": {
                "base": vars(BASE),
                "dataset": self._dataset(),
                "model": {"hidden": HIDDEN, "activation": "relu"},
                "seeds": [seed],
            },
        }

    def _dataset(self) -> dict:
        source = {"source": str(self.data)}
        if has_own_split(self.data):
            return source
        return source | {"test_fraction": TEST_FRACTION, "split_seed": SPLIT_SEED}

    def _runs(self, home: dict[str, str]) -> list[Run]:
        rows = self._sql(home, "SELECT * FROM runs ORDER BY job")
        history = self._sql(home, "SELECT job, epoch, val_accuracy, seconds FROM history ORDER BY job, epoch")

        def run(row: dict) -> Run:
            records = [record for record in history if record["job"] == row["job"]]
            return Run(
                Point(row["optimizer"], row["learning_rate"], row["batch_size"]),
                row["state"],
                row["engine"],
                row["epochs_done"],
                row["final_val_accuracy"],
                [record["seconds"] for record in records],
                [record["val_accuracy"] for record in records],
            )

        return [run(row) for row in rows]

    def _sql(self, home: dict[str, str], statement: str) -> list[dict]:
        return json.loads(processes.timed([str(self.binary), "sql", "--format", "json", statement], home)[1])


def has_own_split(data: Path) -> bool:
    """Whether the file says itself what the test split is."""
    with zipfile.ZipFile(data) as archive:
        return "x_train.npy" in archive.namelist()


def found(binary: str, data: str, engine: str | None) -> Besom:
    """The binary and the data; a message and the end where one is missing."""
    program, file = Path(binary).resolve(), Path(data).resolve()
    if not os.access(program, os.X_OK) or not program.is_file():
        processes.fail(f"there is no program {program}: build it (cargo build --release) or name one with --besom")
    if not file.is_file():
        processes.fail(f"there is no file {file}: --data names an npz file with arr_0, arr_1")
    try:
        has_own_split(file)
    except Exception as error:
        processes.fail(f"{file} is not an npz file: {error}")
    return Besom(program, file, engine)
