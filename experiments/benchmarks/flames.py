"""Profiles of an epoch, a trial and a study, drawn as flame graphs: how wide a box is tells its share of the time.

`python -m experiments.benchmarks.flames` writes `experiments/results/flames.svg`, with the sampling profiler py-spy of
the extra `bench`. Boxes are functions of this project, each above those that it calls; what TensorFlow does with a
graph is told apart, and other libraries are the part of a box that has none below.
"""

import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.benchmarks.fresh import ROOT, command_seconds
from experiments.benchmarks.works import SMALL, write_rows
from pipeline.errors import InputError, run_stage
from pipeline.figures.style import BLUE, GREEN, GREY, ORANGE, save, styled
from pipeline.paths import RESULTS

SAMPLES_PER_SECOND = 200
FEWEST = 0.01  # the share of a profile that a box needs to be drawn
LETTER = 0.0063  # the width of a letter, as a share of the picture's
Stack = tuple[str, ...]
FRAME = re.compile(r"(?P<name>.+) \((?P<file>.+?)(:\d+)?\)")
PROJECT = re.compile(r"(experiments|pipeline)/")
TRACE, COMPILE, RUN = "trace the graph", "compile the graph", "run the graph"
COLORS = {TRACE: ORANGE, COMPILE: "#CC3311", RUN: GREEN}


@dataclass(frozen=True)
class Work:
    """A profiled work.

    Attributes:
        function: the name of a function of this file, which is called with an empty folder.
        roots: functions of the project; what is called by none of them, such as imports, is left out.
    """

    title: str
    function: str
    roots: tuple[str, ...]


WORKS = (
    Work("Epochs: digits 64-128-10, ten seeds, batch 32", "epochs", ("Training.train_epoch",)),
    Work("Trials: twelve of the default search, on digits", "trials", ("run_jobs",)),
    Work("A study: the section remedies, ten seeds, on diabetes", "study", ("run_study", "train")),
)


def epochs(folder: Path) -> None:
    """Train digits for so many epochs that compiling hardly counts."""
    from experiments.benchmarks.training import trainer  # imports TensorFlow

    task = SMALL.task(write_rows(SMALL, folder))
    trainer(task | {"train": task["train"] | {"epochs": 400}, "seeds": list(range(10))})


def trials(_: Path) -> None:
    """Search in one worker."""
    from experiments.searches import run_search

    run_search("digits", trials=12, workers=1, progress=False)


def study(_: Path) -> None:
    """Study in one worker."""
    from experiments.studies import run_study

    run_study("diabetes", sections=["remedies"], workers=1, progress=False)


def profile(work: Work) -> Counter[Stack]:
    """Run a work in a process of its own; return how often each stack of the project's functions was seen.

    Raises:
        InputError: py-spy is not installed.
        RuntimeError: the work failed.
    """
    profiler = which("py-spy", path=str(Path(sys.executable).parent)) or which("py-spy")
    if profiler is None:
        raise InputError("py-spy is not installed; pip install -e '.[bench]'")
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "stacks.txt"
        options = ["--nonblocking", "--subprocesses", "--format", "raw", "--rate", str(SAMPLES_PER_SECOND)]
        work_command = [sys.executable, "-m", __spec__.name, work.function, folder]
        command_seconds([profiler, "record", *options, "--output", str(written), "--", *work_command], ROOT)
        return stacks_of(written.read_text(encoding="utf-8").splitlines(), work.roots)


def stacks_of(lines: Iterable[str], roots: Iterable[str]) -> Counter[Stack]:
    """Return how often each stack of the project's functions was seen, from its root on.

    Args:
        lines: as py-spy writes them: frames with their files, the outermost first, and a count.
    """
    seen: Counter[Stack] = Counter()
    for line in lines:
        text, count = line.rsplit(" ", 1)
        frames = [match for frame in text.split(";") if (match := FRAME.fullmatch(frame))]
        names = [frame["name"] for frame in frames if PROJECT.match(frame["file"]) and "<" not in frame["name"]]
        first = next((place for place, name in enumerate(names) if name in roots), None)
        if first is not None:
            seen[(*names[first:], *_of_graph(frames))] += int(count)
    return seen


def _of_graph(frames: list[re.Match[str]]) -> Stack:
    """Return what TensorFlow does with a compiled graph in these frames."""
    names = {frame["name"] for frame in frames}
    if not {"ReplicaGroup.train_epoch", "Function.__call__"} <= names:
        return ()
    if "trace_function" in names and "call_function" not in names:
        return (TRACE,)
    return (RUN,) if "call_function" in names else (COMPILE,)


@dataclass
class Box:
    """A function within those that call it, with how often it was seen."""

    samples: int = 0
    below: dict[str, "Box"] = field(default_factory=dict)

    @classmethod
    def of(cls, stacks: Counter[Stack]) -> "Box":
        """Return the box that holds all stacks."""
        whole = cls()
        for stack, samples in stacks.items():
            box = whole
            box.samples += samples
            for name in stack:
                box = box.below.setdefault(name, cls())
                box.samples += samples
        return whole


def draw(axes: Axes, box: Box, left: float, depth: int, whole: int) -> int:
    """Draw what is in a box, the widest first, and return how deep it goes."""
    deepest = depth
    for name, inner in sorted(box.below.items(), key=lambda item: -item[1].samples):
        width = inner.samples / whole
        if width < FEWEST:
            continue
        color = COLORS.get(name, BLUE if depth % 2 else GREY)
        axes.barh(depth, width, left=left, height=0.94, align="edge", color=color, alpha=0.75, linewidth=0)
        label = f"{name} {100 * width:.0f} %"
        letters = int(width / LETTER)
        if letters > 4:
            label = label if len(label) <= letters else label[: letters - 1] + "…"
            axes.text(left + 0.003, depth + 0.45, label, va="center", fontsize=6.5, color="white", clip_on=True)
        deepest = max(deepest, draw(axes, inner, left, depth + 1, whole))
        left += width
    return deepest


@styled
def flames_figure(profiles: dict[str, Counter[Stack]]) -> Figure:
    """Plot a flame graph for each profile, by title, from the top down."""
    figure = Figure(figsize=(10, 2.6 * len(profiles)), layout="constrained")
    for axes, (title, stacks) in zip(
        figure.subplots(len(profiles), squeeze=False)[:, 0], profiles.items(), strict=True
    ):
        depth = draw(axes, box := Box.of(stacks), 0.0, 0, max(1, sum(stacks.values())))
        axes.set(title=f"{title} ({box.samples / SAMPLES_PER_SECOND:.1f} s)", xlim=(0, 1), ylim=(depth, 0))
        axes.title.set(fontsize=9, ha="left", x=0)
        axes.set_axis_off()
    return figure


def main() -> None:
    """Profile each work and write the picture; with the name of a function, be the profiled process."""
    functions: dict[str, Callable[[Path], None]] = {"epochs": epochs, "trials": trials, "study": study}
    if sys.argv[1:]:
        functions[sys.argv[1]](Path(sys.argv[2]))
        return
    profiles = {work.title: profile(work) for work in WORKS}
    save(flames_figure(profiles), RESULTS / "flames.svg")
    print(f"{RESULTS / 'flames.svg'} is written")


if __name__ == "__main__":
    run_stage(main)
