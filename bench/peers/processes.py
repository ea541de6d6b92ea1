"""How the processes that are measured are started: a clean environment, a failure that says what failed."""

import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent

# A framework, or besom, would take these for its user's wish; OPENBLAS_* slow numpy down where they are set.
UNSET = [
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "XLA_FLAGS",
    "RAYON_NUM_THREADS",
    "CANDLE_NUM_THREADS",
]

# The processor, also where there is a GPU; TensorFlow as Keras's backend; no chatter.
SET = {
    "CUDA_VISIBLE_DEVICES": "",
    "JAX_PLATFORMS": "cpu",
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "PYTHONUNBUFFERED": "1",
}


def environment() -> dict[str, str]:
    """The environment of every measured process."""
    kept = {
        name: value for name, value in os.environ.items() if name not in UNSET and not name.startswith("BESOM_")
    }
    return kept | SET


def fail(message: str) -> None:
    """Ends the program: a person can mend it."""
    sys.exit(f"bench/peers: {message}")


def say(message: str) -> None:
    """Progress, on stderr: stdout is for tables."""
    print(f"{time.strftime('%H:%M:%S')}  {message}", file=sys.stderr, flush=True)


def timed(
    command: list[str], extra: dict[str, str] | None = None, cores: set[int] | None = None
) -> tuple[float, str]:
    """Runs a command to its end, bound to `cores` where given; its wall seconds and its stdout."""

    def bind() -> None:
        if cores is not None:
            os.sched_setaffinity(0, cores)

    start = time.perf_counter()
    done = subprocess.run(
        command, env=environment() | (extra or {}), preexec_fn=bind, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        tail = "\n".join(done.stderr.splitlines()[-15:])
        fail(f"{' '.join(command)} ended with {done.returncode}:\n{tail}")
    return seconds, done.stdout


def python(script: str, *arguments: str, cores: set[int] | None = None) -> tuple[float, str]:
    """Runs a script of this folder with the python that runs this one."""
    return timed([sys.executable, str(HERE / script), *arguments], cores=cores)


def last_core() -> set[int]:
    """The last core that this process may use: what wakes up now and then on a machine tends to do so on the first."""
    return {max(os.sched_getaffinity(0))}


def use_cores(count: int) -> None:
    """Binds this process, and all that it starts, to the first so many of its cores."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < count:
        fail(f"{count} cores are asked for (--cores) and {len(allowed)} may be used")
    os.sched_setaffinity(0, allowed[:count])
