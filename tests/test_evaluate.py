"""The stage evaluate: the same numbers in its files and in MLflow, and nothing lost with a tracking server."""

import http.server
import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import precision_recall_fscore_support

from pipeline.data.splits import SPLITS, read_split, read_summary
from pipeline.evaluation.results import evaluate, read_results
from pipeline.params import read_settings
from pipeline.paths import (
    CLASSES_FILE,
    CURVES_FILE,
    ERRORS_FILE,
    EVALUATE_RUN_FILE,
    EVALUATION_FILE,
    FIGURES,
    HISTORY_FILE,
    LOSS_FILE,
    RELIABILITY_FILE,
    SEED_SCORES_FILE,
    SEEDS_FILE,
)
from pipeline.statistics import scores
from pipeline.statistics.metrics import FURTHER
from pipeline.tracking.store import tracking_uri
from pipeline.training.fitted import read_fitted, write_fitted
from pipeline.training.predict import predict

RESULTS = (
    EVALUATION_FILE,
    SEED_SCORES_FILE,
    CURVES_FILE,
    LOSS_FILE,
    ERRORS_FILE,
    CLASSES_FILE,
    RELIABILITY_FILE,
    *FIGURES.values(),
)
METRICS = {"classification": ["cross_entropy", "accuracy"], "regression": ["rmse", "r2"]}


def evaluation() -> dict:
    return json.loads(EVALUATION_FILE.read_text(encoding="utf-8"))


def runs() -> list:
    """The MLflow runs in the store of the working folder, the newest first."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri())
    experiment = client.get_experiment_by_name("pipeline")
    return list(client.search_runs([experiment.experiment_id])) if experiment else []


def test_evaluation_has_each_metric_of_each_split_and_the_gap_with_its_interval(any_project):
    task, scored = read_summary().task, evaluation()
    assert list(scored) == [*SPLITS, "gap", "best_epoch", "seeds", "scored", "diverged"]
    for group in (*SPLITS, "gap"):
        assert list(scored[group]) == [*METRICS[task], *([] if group == "gap" else FURTHER[task])]
        for interval in scored[group].values():
            assert interval["low"] <= interval["mean"] <= interval["high"]
    assert (scored["seeds"], scored["diverged"]) == (3, 0)


def test_every_number_is_the_mean_of_the_seeds(any_project):
    table, scored = pd.read_csv(SEED_SCORES_FILE), evaluation()
    assert table["seed"].tolist() == [0, 1, 2]
    for group in (*SPLITS, "gap"):
        for metric, interval in scored[group].items():
            column = table[f"{group}_{metric}"]
            # An RMSE is that of all errors, whose squares are averaged over the seeds.
            is_rmse = metric == "rmse" and group != "gap"
            mean = np.sqrt(np.square(column).mean()) if is_rmse else column.mean()
            assert interval["mean"] == pytest.approx(mean, rel=1e-4, abs=1e-6)
    for metric in scored["gap"]:
        gap = scores.gap(metric, table[f"train_{metric}"], table[f"validation_{metric}"])
        np.testing.assert_allclose(table[f"gap_{metric}"], gap, atol=1e-5)


def test_intervals_hold_nothing_impossible(any_project):
    scored = evaluation()
    for split in SPLITS:
        for metric, interval in scored[split].items():
            assert interval["high"] <= (np.inf if metric in ("cross_entropy", "rmse", "brier", "mae") else 1)
            assert interval["low"] >= (-np.inf if metric == "r2" else 0)


def test_scores_are_of_the_prepared_splits_with_the_weights_of_the_stage_train(digits_project):
    test, table = read_split("test"), pd.read_csv(SEED_SCORES_FILE)
    logits = predict(read_settings().model, read_summary().problem, read_fitted().weights, test.x)
    for metric in ("cross_entropy", "accuracy"):
        expected = scores.score_seeds(metric, "classification", logits, test.y)
        np.testing.assert_allclose(table[f"test_{metric}"], expected, rtol=1e-6)


def test_scores_of_classes_are_the_means_of_scikit_learns(digits_project):
    table, summary = pd.read_csv(CLASSES_FILE, dtype={"class": str}), read_summary()
    assert table["split"].unique().tolist() == list(SPLITS)
    for split in ("validation", "test"):
        rows, of_split = read_split(split), table[table["split"] == split]
        logits = predict(read_settings().model, summary.problem, read_fitted().weights, rows.x)
        by_seed = [precision_recall_fscore_support(rows.y, of_seed.argmax(axis=-1)) for of_seed in logits]
        assert of_split["class"].tolist() == summary.classes
        for place, name in enumerate(("precision", "recall", "f1")):
            np.testing.assert_allclose(
                of_split[name], np.mean([scored[place] for scored in by_seed], axis=0), rtol=1e-5
            )
        assert of_split["rows"].tolist() == by_seed[0][3].tolist()
        np.testing.assert_allclose(of_split["share"], by_seed[0][3] / len(rows), rtol=1e-6)
    assert (table["recall_low"] <= table["recall"]).all() and (table["recall"] <= table["recall_high"]).all()


def test_reliability_has_bins_of_as_many_rows_of_each_seed(any_project):
    table, scored, n = pd.read_csv(RELIABILITY_FILE), evaluation(), read_summary().rows["test"]
    assert sorted(table["seed"].unique()) == [1, 2, 3] and table.groupby("seed").size().tolist() == [15] * 3
    # The mean of the bins is the score itself, where all bins have as many rows.
    name = "accuracy" if read_summary().classes else "mae"
    expected = scored["test"][name]["mean"]
    assert table["observed"].mean() == pytest.approx(expected, rel=15 / n)


def test_mlflow_has_the_same_numbers(any_project):
    [run], scored = runs(), evaluation()
    logged = run.data.metrics
    for group in (*SPLITS, "gap"):
        for metric, interval in scored[group].items():
            assert logged[f"{group}.{metric}"] == interval["mean"]
    assert logged["best_epoch"] == scored["best_epoch"]["mean"]
    table = pd.read_csv(SEED_SCORES_FILE)
    loss = METRICS[read_summary().task][0]
    assert logged[f"test.{loss}_sd"] == pytest.approx(table[f"test_{loss}"].std())


def test_results_are_the_numbers_in_their_files(any_project):
    splits = {name: read_split(name) for name in SPLITS}
    results, written = evaluate(read_fitted(), read_settings().model, read_summary(), splits), read_results()
    assert results.evaluation == written.evaluation
    for table in ("seeds", "history", "curves", "loss", "classes"):
        expected = getattr(written, table)
        pd.testing.assert_frame_equal(getattr(results, table), expected, check_exact=True, check_dtype=False)


def test_mlflow_has_settings_curves_data_and_model(digits_project):
    from mlflow import MlflowClient

    [run], client = runs(), MlflowClient(tracking_uri())
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "digits 8 adam, 3 seeds"
    assert run.data.params["train.learning_rate"] == "0.01"
    curve = client.get_metric_history(run.info.run_id, "validation_cross_entropy")
    expected = pd.read_csv(CURVES_FILE)["validation_cross_entropy"]
    assert [point.value for point in sorted(curve, key=lambda point: point.step)] == expected.tolist()
    digests = {entry.dataset.name: entry.dataset.digest for entry in run.inputs.dataset_inputs}
    assert digests == {f"digits {name}": digest[:36] for name, digest in read_summary().digest.items()}
    assert run.outputs.model_outputs
    names = {
        Path(file.path).name
        for folder in ("figures", "results")
        for file in client.list_artifacts(run.info.run_id, folder)
    }
    assert {"loss.svg", "score.svg", "gap.svg", "errors.svg", "evaluation.json", "seeds.csv", "history.csv"} <= names


def test_curves_are_means_over_the_seeds_that_still_train(digits_project):
    history, curves = pd.read_csv(HISTORY_FILE), pd.read_csv(CURVES_FILE)
    assert curves["seeds_training"].tolist() == history.groupby("epoch").size().tolist()
    np.testing.assert_allclose(
        curves["validation_accuracy"], history.groupby("epoch")["validation_accuracy"].mean(), atol=1e-6
    )
    loss = pd.read_csv(LOSS_FILE)
    together = curves[curves["seeds_training"] == 3]  # a mean over fewer seeds is that of others
    np.testing.assert_allclose(loss["validation"], together["validation_cross_entropy"], atol=1e-6)
    np.testing.assert_allclose(loss["train"], together["train_cross_entropy"], atol=1e-6)


def test_errors_count_each_test_row_once_for_each_seed(digits_project):
    errors, test = pd.read_csv(ERRORS_FILE), read_split("test")
    assert len(errors) == 10 * 10
    assert errors.groupby("actual")["count"].sum().tolist() == (3 * np.bincount(test.y)).tolist()
    right = errors.query("actual == predicted")["count"].sum() / errors["count"].sum()
    assert right == pytest.approx(evaluation()["test"]["accuracy"]["mean"])


def test_intervals_of_rows_in_time_are_over_blocks_of_them(diabetes_project):
    model, summary, splits = read_settings().model, read_summary(), {name: read_split(name) for name in SPLITS}
    at_random = evaluate(read_fitted(), model, summary, splits).evaluation["test"]
    order = np.argsort(splits["test"].y, kind="stable")  # as if the target rose with time, and errors with it
    times = np.empty(len(order), np.int64)
    times[order] = np.arange(len(order))
    in_time = evaluate(read_fitted(), model, summary, splits | {"test": replace(splits["test"], times=times)})
    for name, interval in in_time.evaluation["test"].items():
        assert interval["mean"] == at_random[name]["mean"]
        assert interval["high"] - interval["low"] > at_random[name]["high"] - at_random[name]["low"]


def test_errors_of_a_regression_are_in_the_targets_unit(diabetes_project):
    errors = pd.read_csv(ERRORS_FILE)
    assert len(errors) == read_summary().rows["test"]
    assert 25 <= errors["actual"].min() < errors["actual"].max() <= 346
    assert np.corrcoef(errors["actual"], errors["predicted"])[0, 1] > 0.4


def test_the_same_evaluation_writes_the_same_bytes_and_one_more_run(any_project, stage, capsys):
    before = [path.read_bytes() for path in RESULTS]
    stage("evaluate")
    assert [path.read_bytes() for path in RESULTS] == before
    newest, *_ = runs()
    printed = capsys.readouterr()
    assert printed.out.endswith(f"MLflow run {newest.info.run_id}; `make ui` shows it\n")
    assert "means over 3 seeds [95 % intervals for other seeds and rows; gap: other seeds]" in printed.out
    assert printed.err == ""
    assert len(runs()) == 2


def test_seed_that_diverged_is_left_out_and_counted(digits_project, stage):
    fitted, before = read_fitted(), pd.read_csv(SEED_SCORES_FILE)
    weights = {name: value.copy() for name, value in fitted.weights.items()}
    for value in weights.values():
        value[1] = np.nan
    diverged = {"best_epoch": np.array([3, 0, 4]), "diverged": np.array([False, True, False])}
    write_fitted(replace(fitted, weights=weights, **diverged))
    stage("evaluate")
    scored, table = evaluation(), pd.read_csv(SEED_SCORES_FILE)
    assert (scored["seeds"], scored["scored"], scored["diverged"]) == (3, 2, 1)
    assert table["test_accuracy"].isna().tolist() == [False, True, False]
    assert scored["test"]["accuracy"]["mean"] == pytest.approx(before["test_accuracy"][[0, 2]].mean(), abs=1e-6)
    assert scored["best_epoch"]["mean"] == 3.5
    newest, *_ = runs()
    assert newest.data.metrics["best_epoch"] == 3.5
    assert newest.data.metrics["best_epoch_sd"] == pytest.approx(np.std([3, 4], ddof=1))


SMALL = {"model": {"hidden_units": [4]}, "train": {"epochs": 2, "seeds": 1}}


@pytest.fixture
def run_all(project, stage, empty_store, monkeypatch):
    """Run every stage on these settings in an empty project."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def run(**sections: dict[str, object]) -> None:
        root = project(**sections)
        (root / "mlruns").mkdir()
        (root / "mlruns" / "mlflow.db").write_bytes(empty_store.read_bytes())
        for name in ("source", "prepare", "build", "train", "evaluate"):
            stage(name)

    return run


@pytest.mark.parametrize(
    ("data", "train", "groups"),
    [
        ({"source": "iris", "val_fraction": 0.0}, {}, ["train", "test"]),
        ({"source": "diabetes", "test_fraction": 0.0}, {}, ["train", "validation", "gap"]),
        ({"source": "iris", "val_fraction": 0.0, "test_fraction": 0.0}, {"train_score_rows": 0}, ["train"]),
    ],
    ids=["no validation", "no test", "neither"],
)
def test_splits_without_rows_are_left_out(run_all, capsys, data, train, groups):
    run_all(data=data, model=SMALL["model"], train=SMALL["train"] | train)
    assert capsys.readouterr().err == ""
    scored = evaluation()
    assert [name for name in scored if name not in ("best_epoch", "seeds", "scored", "diverged")] == groups
    # One seed has an interval for other rows alone, and its gap has none.
    assert all(interval["low"] is None for interval in scored.get("gap", {}).values())
    assert all(path.stat().st_size > 0 for path in RESULTS)
    [run] = runs()
    assert {f"{group}.{metric}" for group in groups for metric in scored[group]} <= set(run.data.metrics)


def test_unreachable_store_is_told_before_the_test_set_is_read(digits_project, stage, free_port, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port}")
    Path("data/prepared/test.npz").unlink()
    with pytest.raises(SystemExit) as ended:
        stage("evaluate")
    assert ended.value.code == 2
    assert "where no server answers" in capsys.readouterr().err


def test_server_lost_on_the_way_costs_one_line_and_the_run_can_be_logged_later(
    digits_project, stage, monkeypatch, capsys
):
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: object):
            pass

    before = [path.read_bytes() for path in RESULTS]
    for path in RESULTS:
        path.unlink()
    # A server that answers the first question and is gone after it.
    server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
    once = threading.Thread(target=lambda: (server.handle_request(), server.server_close()))
    once.start()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
    started = time.monotonic()
    stage("evaluate")
    once.join()
    assert time.monotonic() - started < 10
    error = capsys.readouterr().err
    assert error.startswith("warning: run 'digits 8 adam, 3 seeds' is not logged to http://127.0.0.1:")
    assert error.endswith("the result files are complete, log them with: python -m pipeline.evaluate --log-only\n")
    assert error.count("\n") == 1
    assert [path.read_bytes() for path in RESULTS] == before

    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    stage("evaluate", "--log-only")
    newest, *earlier = runs()
    assert len(earlier) == 1
    assert newest.data.metrics == earlier[0].data.metrics
    assert json.loads(EVALUATE_RUN_FILE.read_text()) == {"run_id": newest.info.run_id}
    assert [path.read_bytes() for path in RESULTS] == before


def test_logging_before_there_is_anything_to_log_says_what_to_run(digits_project, stage, capsys):
    EVALUATION_FILE.unlink()
    with pytest.raises(SystemExit) as ended:
        stage("evaluate", "--log-only")
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"error: {EVALUATION_FILE} is missing; run `dvc repro`\n"


def test_logging_to_a_store_that_is_not_there_ends_with_an_error(digits_project, stage, free_port, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port}")
    with pytest.raises(SystemExit) as ended:
        stage("evaluate", "--log-only")
    assert ended.value.code == 2
    assert "where no server answers" in capsys.readouterr().err


def test_unknown_argument_is_told(digits_project, stage, capsys):
    with pytest.raises(SystemExit) as ended:
        stage("evaluate", "--log")
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: unknown argument '--log'; the only one is --log-only\n"


def test_missing_seeds_say_what_to_run(digits_project, stage, capsys):
    SEEDS_FILE.unlink()
    with pytest.raises(SystemExit) as ended:
        stage("evaluate")
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: models/seeds.npz is missing; run `dvc repro`\n"
