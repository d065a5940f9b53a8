"""Execution of a function of this package in a process of its own, so that no peer profits from another's caches.

Arguments and results of the function are exchanged as JSON.
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

# Some machines set the first two for old builds of OpenBLAS, which slows a current NumPy. With the third, benchmarks
# would log to the user's own store.
LEFT_OUT = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "MLFLOW_TRACKING_URI")


@dataclass(frozen=True)
class Answer:
    """The function's result, and the seconds of the whole process, imports included."""

    value: Any
    seconds: float


def environment(threads: int | None = None) -> dict[str, str]:
    """Return a peer's environment variables, with this Python and, if peers share the machine, a limit of threads."""
    variables = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    path = f"{Path(sys.executable).parent}{os.pathsep}{variables.get('PATH', '')}"
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    limits = {} if threads is None else dict.fromkeys(names, str(threads))
    return variables | limits | {"PATH": path, "PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"}


def command_seconds(command: Sequence[str], folder: Path, threads: int | None = None) -> float:
    """Run a command in a folder; return its seconds.

    Raises:
        RuntimeError: it failed; the message ends with its output.
    """
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment(threads), capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}")
    return seconds


def fresh(function: str, task: dict[str, Any], folder: Path = ROOT, threads: int | None = None) -> Answer:
    """Call a function, such as `training.trainer`, with a task, in a fresh process in this folder."""
    with tempfile.TemporaryDirectory() as exchange:
        task_file, answer_file = Path(exchange) / "task.json", Path(exchange) / "answer.json"
        task_file.write_text(json.dumps(task), encoding="utf-8")
        seconds = command_seconds(
            [sys.executable, "-m", __spec__.name, function, str(task_file), str(answer_file)], folder, threads
        )
        return Answer(json.loads(answer_file.read_text(encoding="utf-8")), seconds)


def fresh_together(function: str, tasks: Sequence[dict[str, Any]], folder: Path = ROOT) -> list[Answer]:
    """Call the function for all tasks at the same time, each with its share of the cores."""
    threads = max(1, (os.cpu_count() or 1) // len(tasks)) if len(tasks) > 1 else None
    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(lambda task: fresh(function, task, folder, threads), tasks))


def main() -> None:
    """Call the function that the command line names, as the fresh process."""
    function, task_file, answer_file = sys.argv[1:]
    del sys.argv[1:]  # a stage's `main` would read them
    module, name = function.split(".")
    call = getattr(importlib.import_module(f"experiments.benchmarks.{module}"), name)
    answer = call(json.loads(Path(task_file).read_text(encoding="utf-8")))
    Path(answer_file).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main()
