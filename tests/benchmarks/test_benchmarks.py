"""The benchmarks' arithmetic, tables and picture; and one tiny training of each peer that needs no extra."""

import importlib
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from experiments.benchmarks import epochs, flames, fresh, growth, memory, search, study, tables, tracking
from experiments.benchmarks.__main__ import merged, read, write
from experiments.benchmarks.aims import AIMS, Aim, Query
from experiments.benchmarks.batches import orders
from experiments.benchmarks.epochs import FLOOR, OURS, SCIKIT, STOCK, TUNED, seconds_per_seed
from experiments.benchmarks.floor import matrix_products
from experiments.benchmarks.fresh import Answer
from experiments.benchmarks.peers import measure
from experiments.benchmarks.profile import over_median
from experiments.benchmarks.records import Measured, Record, record
from experiments.benchmarks.training import read_rows
from experiments.benchmarks.works import SMALL, TEXTBOOK, write_rows
from pipeline.figures.style import save


def a_record(part: str, work: str, peer: str, seeds: int, median: float, ratio: float | None = None) -> Record:
    return Record(
        part, work, peer, seeds, "s", median, median * 0.8, median * 1.5, 3, ratio, 0.5, 0.95, "", "a machine"
    )


RECORDS = [
    a_record("epochs", TEXTBOOK.name, STOCK, 1, 0.4, 1.0),
    a_record("epochs", TEXTBOOK.name, OURS, 1, 0.04, 10.0),
    a_record("epochs", TEXTBOOK.name, FLOOR, 1, 0.02, 20.0),
    a_record("search", search.SHORT.work, search.TWO, 1, 300.0, 1.0),
    a_record("search", search.SHORT.work, search.OURS, 3, 10.0, 30.0),
    a_record("study", "graphs", study.GRAPHS, 10, 0.3),
]


@dataclass
class Counting:
    """A peer that takes so many seconds, the more the later its turn."""

    name: str
    base: float
    log: list[str]
    seeds: int = 1

    def run(self, turn: int) -> Measured:
        self.log.append(self.name)
        return Measured([self.base + turn])


def test_record_is_the_median_with_its_spread_over_all_turns():
    turns = [Measured([3.0, 1.0], first=9.0, accuracy=0.8), Measured([2.0], first=7.0, accuracy=1.0, note="last")]
    found = record("part", "work", "peer", 1, "s", turns, stock=8.0)
    assert (found.median, found.low, found.high, found.repetitions) == (2.0, 1.0, 3.0, 2)
    assert (found.ratio, found.first, found.accuracy, found.note) == (4.0, 8.0, 0.9, "last")
    assert "cores, Python" in found.machine


def test_record_without_stock_has_no_ratio():
    found = record("part", "work", "peer", 1, "s", [Measured([2.0])])
    assert (found.ratio, found.first, found.accuracy) == (None, None, None)


def test_peers_take_turns_and_ratios_are_of_the_stock_one():
    log: list[str] = []
    found = measure("part", "work", "s", [Counting("ours", 0, log), Counting("stock", 3, log)], 3, stock="stock")
    assert log == ["ours", "stock"] * 3
    assert [each.ratio for each in found] == [4.0, 1.0]


def test_seconds_are_for_each_seed_and_the_first_epoch_is_apart():
    measured = seconds_per_seed({"epochs": [5.0, 2.0, 4.0], "accuracy": 0.9}, seeds=2)
    assert (list(measured.values), measured.first) == ([1.0, 2.0], 5.0)


def test_peak_is_of_all_seeds_together():
    assert list(memory.peak({"peak": 900.0, "accuracy": 0.9}, seeds=10).values) == [900.0]


def test_sample_counts_as_often_as_it_is_smaller_and_starting_counts_once():
    answers = [Answer({"seconds": 10.0}, 15.0), Answer({"seconds": 20.0}, 26.0)]
    assert search.extrapolated(answers, times=3) == 5.0 + 3 * 15.0


def arm(name: str, rows: int = 100, factor: str = "dropout", **model: object) -> dict[str, object]:
    settings = {"model": {"dropout": 0.0} | model, "train": {"optimizer": "adam", "epochs": 10, "seeds": 5}}
    return {"name": name, "factor": factor, "settings": settings, "train_rows": rows, "epochs": {"mean": 10.0}}


def test_study_counts_a_training_once_and_knows_what_is_alike():
    arms = [
        arm("baseline"),
        arm("the same again"),
        arm("wrong labels", factor="labels"),
        arm("weak", dropout=0.2),
        arm("strong", dropout=0.5),
        arm("few rows", rows=50),
    ]
    every = study.trainings({"arms": arms})
    assert len(every) == 5
    assert len({each.alike for each in every}) == 3
    parts = study.shares(every, 2, lambda each: each.alike)
    assert sorted(each.rows for part in parts for each in part) == sorted(each.rows for each in every)
    assert not {each.alike for each in parts[0]} & {each.alike for each in parts[1]}


def test_study_total_is_first_epochs_and_the_others_of_every_training():
    every = study.trainings({"arms": [arm("baseline"), arm("weak", dropout=0.2), arm("strong", dropout=0.5)]})
    plain = next(each.alike for each in every if not each.settings["model"]["dropout"])
    dropout = next(each.alike for each in every if each.settings["model"]["dropout"])
    seconds = {plain: [2.0, 0.1, 0.1, 9.0], dropout: [3.0, 0.2]}
    assert study.total(every, seconds, seeds=10) == pytest.approx(10 * (2 + 9 * 0.1 + 2 * (3 + 9 * 0.2)))


def test_graphs_are_what_an_epoch_takes_over_the_median():
    assert over_median([1.5, 0.5, 0.55, 0.5, 0.8], least=0.1) == pytest.approx([0.95, 0.25])


def test_trials_are_told_from_first_to_last_and_a_recorder_may_stop():
    seconds = {tracking.OURS: [0.01] * 100, tracking.CALLBACK: [0.02] * 100, tracking.STORAGE: [0.1] * 40 + [0.4] * 20}
    found = {(each.work, each.peer): each for each in tracking.of_trials(seconds, n_trials=100)}
    last = found["recording a trial: trials up to 100", tracking.STORAGE]
    assert last.median == 0.4
    assert "stopped at trial 60" in last.note
    assert found["recording a trial: trials 1 to 20", tracking.OURS].ratio == pytest.approx(2.0)


def test_aims_are_met_or_missed_or_not_measured():
    verdicts = {row[0]: row[1:] for row in tables.aim_rows(RECORDS)}
    assert verdicts["MNIST textbook model: per seed against Model.fit, 1 side by side"][1:] == ("10 times", "met")
    assert verdicts["short search, against plain, two processes too"] == ("at least 25 times", "30 times", "met")
    assert verdicts["long search, against plain, one process"] == ("at least 50 times", "-", "not measured")
    assert verdicts["graphs' share of the default study"] == ("at most 0.25", "0.3", "missed")
    assert verdicts["dvc repro with nothing to do"][1:] == ("-", "not measured")
    assert len(verdicts) == len(AIMS)


GROWN = [
    replace(a_record("growth", "an epoch, by rows", OURS, 1, 2e-6 * size**1.5), size=size)
    for size in (100_000, 1_000, 10, 10_000)
]


def test_exponent_is_the_slope_over_the_largest_sizes():
    fixed = replace(GROWN[0], size=10, median=5.0)  # imports and compiling; not among the largest three
    assert growth.exponent([*GROWN[:2], GROWN[3], fixed]) == pytest.approx(1.5)


def test_growth_has_a_table_of_its_own_and_faster_than_linear_misses_the_aim():
    [row] = tables.growth_rows([*RECORDS, *GROWN])
    assert row[0].startswith("an epoch") and row[2].startswith("10: 0.0632 ms; 1,000: ")
    assert row[3:] == ("1.50", "at most 1.1", "missed")
    assert len(tables.rows([*RECORDS, *GROWN])) == len(RECORDS)


def test_rows_are_drawn_for_training_and_validation(tmp_path: Path):
    train, validation = read_rows(str(growth.write_drawn(tmp_path, rows=50, features=7)))
    assert (train.x.shape, validation.x.shape) == ((40, 7), (10, 7))


def test_batches_hold_every_row_once_for_each_seed():
    [(batches, shares), _] = orders([3, 4], rows=7, size=3, epochs=2)
    assert batches.shape == (2, 3, 3)
    for of_seed in batches:
        assert sorted(of_seed.flatten()[:7]) == list(range(7))
    assert shares.sum(axis=1) == pytest.approx([1, 1, 1])
    assert shares[2].tolist() == [1, 0, 0]


def test_aim_on_the_limit_is_met():
    aim = Aim("memory", Query("epochs", FLOOR), Query("epochs", OURS, TEXTBOOK.name, 1), 0.5, at_least=False)
    assert aim.measured(RECORDS) == 0.5
    assert aim.is_met(0.5)
    assert not aim.is_met(0.51)


def test_part_that_is_measured_again_replaces_its_old_records(tmp_path: Path):
    new = [replace(RECORDS[3], median=1.0)]
    found = merged(RECORDS, new)
    assert [each.part for each in found] == ["epochs"] * 3 + ["search", "study"]
    write(tmp_path, found)
    assert read(tmp_path / "benchmark.json") == found
    assert "| short search, against plain" in (tmp_path / "benchmark.md").read_text(encoding="utf-8")


def texts(path: Path) -> list[str]:
    return ["".join(each.itertext()) for each in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")]


def test_picture_labels_every_peer_and_its_ratio(tmp_path: Path):
    from experiments.benchmarks.picture import benchmark_figure

    save(benchmark_figure(RECORDS), tmp_path / "picture.svg")
    shown = texts(tmp_path / "picture.svg")
    assert {TEXTBOOK.name, search.SHORT.work, STOCK, FLOOR, search.TWO, f"{OURS}, 1 seed", "10", "30"} <= {*shown}
    assert "graphs" not in shown
    first = (tmp_path / "picture.svg").read_bytes()
    save(benchmark_figure(RECORDS), tmp_path / "picture.svg")
    assert (tmp_path / "picture.svg").read_bytes() == first


def test_picture_of_growth_names_its_exponent(tmp_path: Path):
    from experiments.benchmarks.picture import growth_figure

    memory_too = [replace(one, work=growth.MEMORY + one.work) for one in GROWN]
    save(growth_figure([*RECORDS, *GROWN, *memory_too]), tmp_path / "growth.svg")
    assert {"an epoch, by rows", f"{OURS}: exponent 1.50"} <= {*texts(tmp_path / "growth.svg")}


def test_picture_of_nothing_is_a_picture(tmp_path: Path):
    from experiments.benchmarks.picture import benchmark_figure

    save(benchmark_figure([]), tmp_path / "picture.svg")
    assert texts(tmp_path / "picture.svg")


def here(function: str, task: dict[str, object], **_: object) -> Answer:
    """Do what `fresh` does, in this process, where TensorFlow is imported already."""
    module, name = function.split(".")
    call: Callable = getattr(importlib.import_module(f"experiments.benchmarks.{module}"), name)
    return Answer(json.loads(json.dumps(call(json.loads(json.dumps(task))))), 0.0)


def test_peers_learn_the_same_on_a_tiny_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(epochs, "fresh", here)
    monkeypatch.setattr(epochs, "best_options", lambda task, choices: {"steps_per_execution": 4})
    # The others need libraries of their own, and JAX ends a process whose flags for XLA it does not know.
    monkeypatch.setattr(epochs, "side_by_side", lambda: {OURS: epochs.SIDE_BY_SIDE[OURS]})
    work = replace(SMALL, epochs=4, seeds=(2,))
    found = measure("epochs", "tiny", "s", epochs.peers(work, write_rows(work, tmp_path), quick=True), 1)
    assert [each.peer for each in found] == [STOCK, TUNED, OURS, SCIKIT, FLOOR]
    assert all(each.median > 0 and each.ratio > 0 for each in found)
    assert all(each.accuracy > 0.8 for each in found if each.peer != FLOOR)
    assert "kernel" in found[-1].note


def test_floor_in_a_process_of_its_own(tmp_path: Path):
    work = replace(SMALL, epochs=1, rows=64)
    task = work.task(write_rows(work, tmp_path))
    assert len(matrix_products(task)["epochs"]) == len(fresh.fresh("floor.matrix_products", task).value["epochs"]) == 2


def test_failure_of_a_fresh_process_says_why():
    with pytest.raises(RuntimeError, match="KeyError: 'rows'"):
        fresh.fresh("floor.matrix_products", {"model": {}, "train": {}})


def test_peers_processes_log_nowhere_and_share_the_cores(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///the-users-own.db")
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    found = fresh.environment(threads=1)
    assert not {"MLFLOW_TRACKING_URI", "OPENBLAS_CORETYPE"} & {*found}
    assert found["TF_NUM_INTRAOP_THREADS"] == "1"


TRAINER, GROUP = "pipeline/training/trainer.py", "pipeline/training/replica_group.py"
EPOCH = f"main (/lib/run.py:3);fit ({TRAINER}:60);ReplicaGroup.train_epoch ({GROUP}:1)"
CALL = f"{EPOCH};Function.__call__ (tensorflow/python/eager/f.py:2)"
PROFILE = [
    f"{EPOCH};cumsum (numpy/_core/fromnumeric.py:9) 2",
    f"{CALL};trace_function (tensorflow/t.py:1);Replicas._train (pipeline/training/replicas.py:1) 3",
    f"{CALL};quick_execute (tensorflow/e.py:1) 4",
    f"{CALL};call_function (tensorflow/t.py:1);quick_execute (tensorflow/e.py:1) 5",
    "main (/lib/run.py:3);save (pipeline/files.py:8) 6",
]


def test_profile_tells_what_is_done_with_a_graph_from_its_roots_on():
    seen = flames.stacks_of(PROFILE, ["fit"])
    epoch = ("fit", "ReplicaGroup.train_epoch")
    assert seen == {
        epoch: 2,
        (*epoch, "Replicas._train", flames.TRACE): 3,
        (*epoch, flames.COMPILE): 4,
        (*epoch, flames.RUN): 5,
    }


def test_flame_graph_names_functions_with_their_share(tmp_path: Path):
    save(flames.flames_figure({"an epoch": flames.stacks_of(PROFILE, ["fit"])}), tmp_path / "flames.svg")
    assert {"fit 100 %", "ReplicaGroup.train_epoch 100 %", f"{flames.RUN} 36 %"} <= {*texts(tmp_path / "flames.svg")}
