"""The record of a study in MLflow."""

import json
import sys
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from experiments.records import STUDY_CURVES_FILE, STUDY_FILE, STUDY_SEEDS_FILE, Study, StudyRun
from experiments.study import log as study_log
from experiments.study.log import log_study
from experiments.study.tables import Tables
from pipeline.data.splits import read_summary
from pipeline.params import read_settings
from pipeline.tracking.note import write_note
from pipeline.tracking.parent import CURVE_POINTS, ParentRun
from pipeline.tracking.store import tracking_uri
from pipeline.training.model import build_keras

# MLflow says so of its own classes when `mlflow.pyfunc` is imported.
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning")

EPOCHS = 90
RUN = {
    "cost": {"runs": 1, "seed_epochs": 1, "seconds": 1.0},
    "equal_time": None,
    "test_looks": {"looks": None, "settings_changed_after_a_look": False},
}


UNKNOWN = {"mean": None, "low": None, "high": None}


def interval(*values: float) -> dict[str, float]:
    mean = sum(values) / len(values)
    return {"mean": mean, "low": mean - 0.1, "high": mean + 0.1}


def an_arm(name: str, losses: tuple[float, float], **more: object) -> dict[str, object]:
    scores = {split: {"cross_entropy": interval(*losses)} for split in ("train", "holdout", "test")}
    return {
        "section": "remedies", "name": name, "factor": name, "group": "single", "x": None, "changes": {},
        "settings": {}, "chosen": True, "picks": None, "weights": 10, "train_rows": 100, "diverged": 0,
        "scores": scores, "gap": {"cross_entropy": interval(0.1, 0.2)}, "seeds_range": None,
        "epochs": interval(1, 2), "best_epoch": interval(1, 2), "onset_epoch": UNKNOWN, **more,
    }  # fmt: skip


def written_study() -> Study:
    """Write the files of a study of two arms on the prepared data of the working folder, and return it."""
    summary = read_summary()
    compared = {
        "reference": "baseline", "difference": interval(-0.2, -0.1), "p": 0.01, "p_adjusted": 0.02,
        "detectable": 0.05, "probability_better": interval(0.9, 0.8), "verdict": "helps",
        "changes": {"model.dropout": 0.3},
    }  # fmt: skip
    arms = [an_arm("baseline", (0.5, 0.6)), an_arm("dropout 0.3", (0.1 + 0.2, 0.4), **compared)]
    about = summary.model_dump(
        include={"source", "task", "target", "features", "n_features", "image_shape", "classes", "digest", "warnings"}
    ) | {
        "loss": "cross_entropy", "score": "accuracy", "rows": {"train": 1, "pool": 2, "test": 1}, "folds": 5,
        "rings": 1,
        "knowing_nothing": {}, "seeds": [7, 8], "epochs": EPOCHS, "versions": {},
    }  # fmt: skip
    recommended = {
        "section": "remedies", "arm": "dropout 0.3", "helps": True, "settings": {},
        **{split: arms[1]["scores"][split] for split in ("holdout", "test")}, "over_nothing": interval(-1),
        "beats_nothing": True,
    }  # fmt: skip
    optimism = {
        "trial": 3, "trials": 9, "promised": 0.2, "same_rows": interval(0.25), "fresh": interval(0.3), "test": None,
        "optimism_fresh": 0.1, "optimism_test": None, "beats_default": None, "judged_on": "holdout", "at_edge": [],
    }  # fmt: skip
    overfits = {
        "answer": True, "gap": {"cross_entropy": interval(0.1, 0.2)}, "rises": True, "rise": interval(1, 2),
        "score_rise": interval(0.01), "train_rise": -1, "onset_epoch": 3, "onset_range": (2, 4),
    }  # fmt: skip
    study = Study.model_validate(
        {
            "about": about, "arms": arms, "overfits": overfits, "chosen_remedy": None, "power_law": None,
            "recommendation": recommended, "optimism": optimism, "overtuning": None,
        }
    )  # fmt: skip
    STUDY_FILE.write_text(study.model_dump_json())
    Tables(seed_table(), curve_table()).write()
    return study


@pytest.fixture
def study(digits_project: Path) -> Study:
    """Return a study in a project of its own."""
    return written_study()


def seed_table() -> pd.DataFrame:
    rows = [
        {"section": "remedies", "arm": arm, "seed": seed, "best_epoch": seed}
        | {f"{split}_cross_entropy": loss for split in ("train", "holdout", "test")}
        for arm, losses in (("baseline", (0.5, 0.6)), ("dropout 0.3", (0.1 + 0.2, 0.4)))
        for seed, loss in zip((7, 8), losses, strict=True)
    ]
    return pd.DataFrame(rows)


def curve_table() -> pd.DataFrame:
    columns = [f"{split}_{metric}" for split in ("train", "holdout") for metric in ("cross_entropy", "accuracy")]
    rows = [
        {"section": "remedies", "arm": arm, "epoch": epoch, "seeds": 2} | dict.fromkeys(columns, 1 / epoch)
        for arm in ("baseline", "dropout 0.3")
        for epoch in range(1, EPOCHS + 1)
    ]
    return pd.DataFrame(rows)


def log(study: Study, run: StudyRun | None = None, **more: object) -> tuple[str | None, dict[str, str]]:
    tables, run = Tables(seed_table(), curve_table()), run or as_logged(None, {})
    return log_study(study, run, tables, read_settings(), read_summary(), **more)


def as_logged(parent: str | None, runs: dict[str, str]) -> StudyRun:
    return StudyRun(parent_run=parent, runs=runs, **RUN)


@pytest.fixture
def client(study):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri())


def test_names_read_by_themselves(study, client):
    parent, runs = log(study)
    assert client.get_run(parent).info.run_name == "digits: 2 arms, 2 seeds"
    assert list(runs) == ["remedies/baseline", "remedies/dropout 0.3"]
    child = client.get_run(runs["remedies/dropout 0.3"])
    assert child.info.run_name == "remedies: dropout 0.3"
    assert child.data.tags["mlflow.parentRunId"] == parent
    tags = {name: child.data.tags[name] for name in ("section", "arm", "verdict")}
    assert tags == {"section": "remedies", "arm": "dropout 0.3", "verdict": "helps"}
    assert child.data.params == {"model.dropout": "0.3"}
    assert {run.info.status for run in map(client.get_run, [parent, *runs.values()])} == {"FINISHED"}


def test_the_page_opens_on_the_arms_with_losses_differences_and_verdicts(study, client, capsys):
    log(study)
    experiment = client.get_experiment_by_name("study")
    view = json.loads(experiment.tags["mlflow.sharedViewState.arms"])
    assert len(client.search_runs([experiment.experiment_id], view["searchFilter"])) == 2
    first = ["holdout.cross_entropy", "holdout.cross_entropy_low", "holdout.cross_entropy_high", "difference"]
    assert view["selectedColumns"][:4] == [f"metrics.`{name}`" for name in first]
    assert "tags.`verdict`" in view["selectedColumns"]
    assert (
        f"#/experiments/{experiment.experiment_id}/runs?workflowType=machine_learning&viewStateShareKey=arms"
        in capsys.readouterr().out
    )


def test_a_run_lasts_as_long_as_its_training_and_they_begin_in_the_order_of_the_study(study, client):
    run = as_logged(None, {}).model_copy(update={"seconds": {"remedies/dropout 0.3": 2.5}})
    _, runs = log(study, run)
    base, dropout = (client.get_run(runs[f"remedies/{name}"]).info for name in ("baseline", "dropout 0.3"))
    assert (base.end_time - base.start_time, dropout.end_time - dropout.start_time) == (0, 2500)
    assert base.start_time < dropout.start_time


def test_numbers_are_those_of_the_files_with_deviations_beside_them(study, client):
    _, runs = log(study)
    arm, metrics = study.arms[1], client.get_run(runs["remedies/dropout 0.3"]).data.metrics
    for split in ("train", "holdout", "test"):
        assert metrics[f"{split}.cross_entropy"] == pytest.approx(arm.scores[split]["cross_entropy"].mean, rel=1e-5)
        assert metrics[f"{split}.cross_entropy_sd"] == pytest.approx(0.1 / 2**0.5, rel=1e-5)
    assert metrics["best_epoch"] == arm.best_epoch.mean
    assert metrics["best_epoch_sd"] == pytest.approx(0.5**0.5, rel=1e-5)
    assert (metrics["difference"], metrics["p_adjusted"]) == (pytest.approx(arm.difference.mean, rel=1e-5), 0.02)
    assert (metrics["detectable"], metrics["gap.cross_entropy"]) == (0.05, pytest.approx(0.15))
    assert "onset_epoch" not in metrics
    baseline = client.get_run(runs["remedies/baseline"])
    assert "difference" not in baseline.data.metrics
    assert "verdict" not in baseline.data.tags


def test_curves_are_thinned_evenly_to_the_end(study, client):
    _, runs = log(study)
    points = client.get_metric_history(runs["remedies/baseline"], "epoch.holdout_cross_entropy")
    steps = [point.step for point in points]
    assert (len(steps), steps[0], steps[-1]) == (CURVE_POINTS // 4, 1, EPOCHS)
    gaps = {after - before for before, after in pairwise(steps)}
    assert max(gaps) - min(gaps) <= 1
    assert [point.value for point in points] == pytest.approx([1 / step for step in steps], rel=1e-6)


def test_parent_has_headline_settings_data_and_files(study, client):
    parent = client.get_run(log(study)[0])
    metrics = parent.data.metrics
    assert metrics["test.cross_entropy"] == pytest.approx(study.recommendation.test["cross_entropy"].mean, rel=1e-5)
    assert metrics["test.cross_entropy_sd"] == pytest.approx(0.1 / 2**0.5, rel=1e-5)
    assert (metrics["optimism_fresh"], metrics["arms"], metrics["arms_that_help"]) == (0.1, 2, 1)
    assert parent.data.params["data.source"] == "digits"
    used = {item.tags[0].value: item.dataset.digest for item in parent.inputs.dataset_inputs}
    assert used == {name: digest[:36] for name, digest in study.about.digest.items()}
    files = {file.path for file in client.list_artifacts(parent.info.run_id, "results")}
    assert files == {f"results/{path.name}" for path in (STUDY_FILE, STUDY_SEEDS_FILE, STUDY_CURVES_FILE)}


def test_study_that_read_no_test_set_names_none(study):
    recommendation = study.recommendation.model_copy(update={"test": None})
    blind = study.model_copy(update={"recommendation": recommendation})
    assert [dataset.context for dataset in study_log.datasets(blind, read_summary())] == ["train", "validation"]


def test_lost_store_costs_one_line_and_logging_again_adds_what_is_missing(study, client, monkeypatch, capsys):
    with monkeypatch.context() as lost:
        lost.setattr("mlflow.MlflowClient.log_artifact", lambda *_: Path("the store").stat())
        parent, runs = log(study)
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.endswith("the result files are complete, log them with: python -m experiments.study --log-only\n")
    assert client.get_run(parent).info.status == "RUNNING"
    assert log(study, as_logged(parent, runs)) == (parent, runs)
    assert client.get_run(parent).info.status == "FINISHED"


def test_study_that_was_killed_while_it_was_logged_goes_on_under_the_same_run(study, client, monkeypatch):
    with monkeypatch.context() as killed, pytest.raises(SystemExit):
        killed.setattr(ParentRun, "finish", lambda *_: sys.exit(143))
        log(study)
    parent, runs = log(study)
    query = f"tags.`mlflow.parentRunId` = '{parent}'"
    children = client.search_runs([client.get_run(parent).info.experiment_id], query)
    assert sorted(child.info.run_id for child in children) == sorted(runs.values())
    everything = client.search_runs([client.get_run(parent).info.experiment_id])
    assert {run.info.status for run in everything} == {"FINISHED"}
    assert len(everything) == 1 + len(runs)
    assert log(study)[0] != parent  # which is finished


def test_store_that_is_lost_from_the_start_keeps_what_was_logged_before(study, client, monkeypatch, capsys):
    before = log(study)
    monkeypatch.setattr(ParentRun, "_open", lambda _: Path("the store").stat())
    assert log(study, as_logged(*before)) == before
    assert log(study) == (None, {})
    assert capsys.readouterr().err.count("\n") == 2


def test_champion_is_registered_under_the_study(study, client, tmp_path):
    settings, summary = read_settings(), read_summary()
    file = tmp_path / "champion.keras"
    build_keras(settings.model, summary.problem).save(file)
    parent, runs = log(study, champion=file)
    version = client.get_model_version_by_alias("overfitting-study-digits", "champion")
    assert version.run_id == parent
    log(study, as_logged(parent, runs), champion=file)
    assert client.get_model_version_by_alias("overfitting-study-digits", "champion").version == version.version


def test_curve_with_a_hole_keeps_its_epochs():
    rows = pd.DataFrame({"section": "a", "arm": "b", "epoch": [1, 3], "seeds": 2, "validation_loss": [0.5, 0.25]})
    assert study_log.epoch_curves(rows) == {"epoch.validation_loss": [0.5, None, 0.25]}


def test_the_run_of_a_study_has_its_answers_as_a_note_and_the_page_beside_it(study, client, tmp_path, capsys):
    parent, _ = log(study)
    page = tmp_path / "report.html"
    page.write_text("<!DOCTYPE html>")
    write_note(parent, "**Does it overfit?** Yes", [page])
    assert client.get_run(parent).data.tags["mlflow.note.content"] == "**Does it overfit?** Yes"
    assert [file.path for file in client.list_artifacts(parent, "report")] == ["report/report.html"]
    capsys.readouterr()
    write_note("f" * 32, "of a run that is not there", [])
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"warning: run {'f' * 32} has no note in sqlite:///")
