"""`make bench`: measure everything, or the parts that are named, and write the records, a table and the picture.

`python -m experiments.benchmarks [--quick] [--to FOLDER] [epochs] [search] [overhead] [study] [tracking] [start]
[memory]`
"""

import argparse
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

from experiments.benchmarks import epochs, memory, overhead, search, start, study, tables, tracking
from experiments.benchmarks.picture import benchmark_figure
from experiments.benchmarks.records import Record
from pipeline.errors import InputError, run_stage
from pipeline.figures.style import save
from pipeline.files import read_json, write_json, written_whole
from pipeline.paths import RESULTS

PARTS = {each.PART: each for each in (epochs, search, overhead, study, tracking, start, memory)}
NEEDED = ("keras_tuner", "optuna_integration", "tensorboard")  # which KerasTuner imports


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; all of them by default")
    parser.add_argument("--quick", action="store_true", help="shrink everything, to see that it runs")
    parser.add_argument("--to", type=Path, help=f"a folder for the results; {RESULTS}, with --quick a temporary one")
    given = parser.parse_args()
    if unknown := sorted({*given.parts} - {*PARTS}):
        parser.error(f"unknown part {unknown[0]}; there are {', '.join(PARTS)}")
    return given


def merged(old: Iterable[Record], new: Sequence[Record]) -> list[Record]:
    """The records, those of a part that was measured again in place of the old ones."""
    again = {each.part for each in new}
    kept = [each for each in old if each.part not in again]
    return sorted([*kept, *new], key=lambda each: list(PARTS).index(each.part))


def read(path: Path) -> list[Record]:
    """The records that there are."""
    return [Record(**each) for each in read_json(path)] if path.exists() else []


def write(folder: Path, records: Sequence[Record]) -> None:
    """Write `benchmark.json`, `benchmark.md` and `benchmark.svg`."""
    write_json(folder / "benchmark.json", [asdict(each) for each in records])
    with written_whole(folder / "benchmark.md") as beside:
        beside.write_text(tables.report(records), encoding="utf-8")
    save(benchmark_figure(records), folder / "benchmark.svg")


def main() -> None:
    """Measure and write; each part is written when it is done."""
    given = arguments()
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise InputError(
            f"{', '.join(missing)} not installed; make bench installs the extra, or pip install -e '.[bench]'"
        )
    folder = given.to or (Path(tempfile.mkdtemp(prefix="benchmark-")) if given.quick else RESULTS)
    records = read(folder / "benchmark.json")
    for name in given.parts or PARTS:
        records = merged(records, PARTS[name].run(given.quick))
        write(folder, records)
    tables.show(records)
    print(f"{folder / 'benchmark.json'}, benchmark.md and benchmark.svg are written")


if __name__ == "__main__":
    run_stage(main)
