"""`make bench`: measure everything, or the parts that are named, and write the records, a table and the picture.

`python -m experiments.benchmarks [--quick] [--to FOLDER] [epochs] [search] [overhead] [study] [tracking] [start]
[memory] [growth]`
"""

import argparse
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

from experiments.benchmarks import epochs, growth, memory, overhead, search, start, study, tables, tracking
from experiments.benchmarks.picture import benchmark_figure, growth_figure
from experiments.benchmarks.records import Record
from pipeline.errors import InputError, run_stage
from pipeline.figures.style import save
from pipeline.files import read_json, write_json, written_whole
from pipeline.paths import RESULTS

PARTS = {part.PART: part for part in (epochs, search, overhead, study, tracking, start, memory, growth)}
NEEDED = ("keras_tuner", "optuna_integration", "tensorboard", "jax")  # KerasTuner imports the last one


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; all of them by default")
    parser.add_argument("--quick", action="store_true", help="shrink everything, to see that it runs")
    parser.add_argument("--to", type=Path, help=f"a folder for the results; {RESULTS}, with --quick a temporary one")
    parsed = parser.parse_args()
    if unknown := sorted({*parsed.parts} - {*PARTS}):
        parser.error(f"unknown part {unknown[0]}; there are {', '.join(PARTS)}")
    return parsed


def merged(old: Iterable[Record], new: Sequence[Record]) -> list[Record]:
    """Return all records by part, where a part that was measured again replaces its old records."""
    again = {record.part for record in new}
    others = [record for record in old if record.part not in again]
    return sorted([*others, *new], key=lambda record: list(PARTS).index(record.part))


def read(path: Path) -> list[Record]:
    """Read the records; none if the file does not exist."""
    return [Record(**content) for content in read_json(path)] if path.exists() else []


def write(folder: Path, records: Sequence[Record]) -> None:
    """Write `benchmark.json`, `benchmark.md`, `benchmark.svg` and `growth.svg`."""
    write_json(folder / "benchmark.json", [asdict(record) for record in records])
    with written_whole(folder / "benchmark.md") as beside:
        beside.write_text(tables.report(records), encoding="utf-8")
    save(benchmark_figure(records), folder / "benchmark.svg")
    save(growth_figure(records), folder / "growth.svg")


def main() -> None:
    """Measure each part, and write the results after each one."""
    options = arguments()
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise InputError(
            f"{', '.join(missing)} not installed; make bench installs the extra, or pip install -e '.[bench]'"
        )
    folder = options.to or (Path(tempfile.mkdtemp(prefix="benchmark-")) if options.quick else RESULTS)
    records = read(folder / "benchmark.json")
    for name in options.parts or PARTS:
        records = merged(records, PARTS[name].run(options.quick))
        write(folder, records)
    tables.show(records)
    print(f"{folder / 'benchmark.json'}, benchmark.md, benchmark.svg and growth.svg are written")


if __name__ == "__main__":
    run_stage(main)
