"""Stage prepare: load the data, split it, fit the preprocessing on the training part, write the splits."""

# ruff: noqa: E402 (interrupts are told in a line from here on)
from pipeline.interrupts import listen

listen(__name__)

import sys
from pathlib import Path

from pipeline.alone import alone
from pipeline.data.load import load
from pipeline.data.prepare import Prepared, prepare
from pipeline.data.preprocessing import columns_by_kind
from pipeline.data.sources import describe
from pipeline.data.splits import CHECKS_FILE, PREPROCESSING_FILE, SPLITS, SUMMARY_FILE, split_file
from pipeline.errors import InputError, run_stage
from pipeline.files import read_json, read_of, write_arrays, write_json
from pipeline.params import settings_in_use
from pipeline.paths import SOURCE_FILE
from pipeline.settings import Data


def _report(prepared: Prepared) -> str:
    summary = prepared.summary
    rows = ", ".join(f"{name} {summary.rows[name]}" for name in SPLITS)
    shares, errors = summary.majority_share or {}, summary.mean_rmse or {}
    if summary.classes:
        kind = f"{len(summary.classes)} classes"
        beat = f"always saying the most frequent class is right for {shares['train']:.1%} of train"
    else:
        kind = "regression"
        beat = f"always saying the mean of train has an RMSE of {errors['train']:.4g} on train"
    columns = "".join(f"\n{line}" for line in columns_by_kind(prepared.preprocessing))
    return f"{summary.source}: {kind}, {summary.n_features} features; rows: {rows}{columns}\nto beat: {beat}"


def _check_files_unchanged(data: Data) -> None:
    """Refuse files of the user's that have changed since the stage source recorded them: DVC takes its word for them.

    Raises:
        InputError: naming the file.
    """
    if not SOURCE_FILE.exists():  # the stage is run by hand, in a project without DVC
        return
    recorded = read_of("source", SOURCE_FILE, _recorded)
    for file in describe(data)["files"]:
        if recorded.get(file["path"], file["sha256"]) != file["sha256"]:
            raise InputError(f"{file['path']} has changed since the stage source read it; run `dvc repro` again")


def _recorded(path: Path) -> dict[str, str]:
    """Return the digests by path that the stage source wrote."""
    return {file["path"]: file["sha256"] for file in read_json(path)["files"]}


def main() -> None:
    """Write the three splits, their summary and the constants of the preprocessing."""
    with alone("prepare"), settings_in_use("data") as settings:
        data = settings.data
        loaded = load(data)
        _check_files_unchanged(data)
        prepared = prepare(loaded, data)
        for note in prepared.notes:
            print(f"note: {note}")
        for warning in prepared.summary.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        for name, split in prepared.splits.items():
            write_arrays(split_file(name), split.arrays)
        write_json(PREPROCESSING_FILE, prepared.preprocessing)
        write_json(CHECKS_FILE, [finding.model_dump() for finding in prepared.findings])
        write_json(SUMMARY_FILE, prepared.summary.model_dump())
        print(_report(prepared))


if __name__ == "__main__":
    run_stage(main)
