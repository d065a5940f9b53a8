"""Runs a function of this package in a process of its own, so that nothing of one peer is warm for the next.

The function takes and returns what JSON can hold.
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

# Some machines set the first two for old builds of OpenBLAS; they slow a current NumPy. The third would have every
# benchmark log to the user's own store.
LEFT_OUT = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "MLFLOW_TRACKING_URI")


@dataclass(frozen=True)
class Answer:
    """What the function returned, and the seconds of the whole process, imports included."""

    value: Any
    seconds: float


def environment(threads: int | None = None) -> dict[str, str]:
    """What a peer's process finds: this environment's python and, if it shares the machine, its part of the cores."""
    kept = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    share = {} if threads is None else dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), str(threads))
    return kept | share | {"PATH": path, "PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"}


def command_seconds(command: Sequence[str], folder: Path, threads: int | None = None) -> float:
    """Run a command in a folder; its seconds.

    Raises:
        RuntimeError: it failed; the message ends with what it said.
    """
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment(threads), capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}")
    return seconds


def fresh(function: str, task: dict[str, Any], folder: Path = ROOT, threads: int | None = None) -> Answer:
    """Call `training.trainer(task)`, to take an example, in a fresh process in this folder."""
    with tempfile.TemporaryDirectory() as exchange:
        asked, answered = Path(exchange) / "asked.json", Path(exchange) / "answered.json"
        asked.write_text(json.dumps(task), encoding="utf-8")
        seconds = command_seconds(
            [sys.executable, "-m", __spec__.name, function, str(asked), str(answered)], folder, threads
        )
        return Answer(json.loads(answered.read_text(encoding="utf-8")), seconds)


def fresh_together(function: str, tasks: Sequence[dict[str, Any]], folder: Path = ROOT) -> list[Answer]:
    """Call the function for each task, all at the same time, each with its share of the cores."""
    threads = max(1, (os.cpu_count() or 1) // len(tasks)) if len(tasks) > 1 else None
    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(lambda task: fresh(function, task, folder, threads), tasks))


def main() -> None:
    """Be the fresh process."""
    function, asked, answered = sys.argv[1:]
    del sys.argv[1:]  # a stage's `main` reads them
    module, name = function.split(".")
    call = getattr(importlib.import_module(f"experiments.benchmarks.{module}"), name)
    answer = call(json.loads(Path(asked).read_text(encoding="utf-8")))
    Path(answered).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main()
