"""Stage prepare: load the data, split it, fit the preprocessing on the training part, write the splits."""

import sys

from pipeline.data.load import load
from pipeline.data.prepare import prepare
from pipeline.data.splits import PREPROCESSING_FILE, SPLITS, SUMMARY_FILE, Summary, split_file
from pipeline.errors import run_stage
from pipeline.files import write_arrays, write_json
from pipeline.params import read_settings


def _report(summary: Summary) -> str:
    rows = ", ".join(f"{name} {summary.rows[name]}" for name in SPLITS)
    shares, errors = summary.majority_share or {}, summary.mean_rmse or {}
    if summary.classes:
        kind = f"{len(summary.classes)} classes"
        beat = f"always saying the most frequent class is right for {shares['train']:.1%} of train"
    else:
        kind = "regression"
        beat = f"always saying the mean of train has an RMSE of {errors['train']:.4g} on train"
    return f"{summary.source}: {kind}, {summary.n_features} features; rows: {rows}\nto beat: {beat}"


def _warnings(summary: Summary) -> list[str]:
    duplicates = {pair.replace("_", " and "): count for pair, count in summary.duplicates.items() if count}
    if not duplicates:
        return summary.warnings
    pairs = ", ".join(f"{count} in {pair}" for pair, count in duplicates.items())
    return [*summary.warnings, f"rows with the same features stand in two splits, so scores look too good: {pairs}"]


def main() -> None:
    """Write the three splits, their summary and the constants of the preprocessing."""
    data = read_settings().data
    prepared = prepare(load(data), data)
    for note in prepared.notes:
        print(f"note: {note}")
    for warning in _warnings(prepared.summary):
        print(f"warning: {warning}", file=sys.stderr)
    for name, split in prepared.splits.items():
        write_arrays(split_file(name), split.arrays)
    write_json(PREPROCESSING_FILE, prepared.preprocessing)
    write_json(SUMMARY_FILE, prepared.summary.model_dump())
    print(_report(prepared.summary))


if __name__ == "__main__":
    run_stage(main)
