"""The study as a whole: the same numbers twice, nothing lost, the test set last, and one line for what is wrong."""

import json
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments import run_study
from experiments.records import STUDY_CURVES_FILE, STUDY_FILE, STUDY_SEEDS_FILE, Study, read_study, read_study_run
from experiments.study import __main__ as study
from experiments.study import jobs as study_jobs
from experiments.study.rows import read_rows
from experiments.study.tables import Tables
from pipeline import fit
from pipeline.data.splits import read_summary, split_file
from pipeline.errors import run_stage
from pipeline.files import read_arrays, write_arrays
from pipeline.params import read_settings
from pipeline.settings import Model, StudySection, Train

TRIAL = {"value": {"mean": 0.9, "low": 0.8, "high": 1.0}, "seeds": 2, "facts": {}, "params": {}}
TINY = {
    "seeds": 3,
    "epochs": 4,
    "remedies": {"model.l2": [1e-4, 1e-2], "train.early_stopping.patience": [2]},
    "sizes": 2,
    "widths": [2],
    "depths": [1],
    "optimizers": ["sgd"],
    "activations": ["tanh"],
    "peers": ["linear", "nearest_neighbors"],
}


def write_search(**best: object) -> None:
    """Write what a search of two trials would have left."""
    train = {"epochs": 4, "optimizer": "adam", "learning_rate": 0.01} | best
    default, winner = (
        TRIAL
        | {"trial": number, "values": [value], "facts": {"validation_cross_entropy": value}}
        | {"settings": {"model": {"hidden_units": [8]}, "train": train}}
        for number, value in ((0, 0.9), (1, 0.5))
    )
    search = {
        "study": "digits-1",
        "folds": None,
        "default": default,
        "best": winner,
        "incumbents": [default, winner],
        "best_of_each_optimizer": {"adam": winner},
        "counts": {"running": 0, "complete": 2, "pruned": 1, "fail": 4, "waiting": 8},
    }
    Path("experiments/results/search.json").write_text(json.dumps(search))


@pytest.fixture(scope="module")
def studied(finished_digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project in which every question has been studied, on few epochs and seeds."""
    root = shutil.copytree(finished_digits, tmp_path_factory.mktemp("studied"), dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setattr(sys, "argv", ["study"])
        settings = json.loads(Path("params.yaml").read_text()) | {"study": TINY, "engine": {"workers": 1}}
        Path("params.yaml").write_text(json.dumps(settings))
        write_search()
        study.main()
    return root


@pytest.fixture
def project(studied: Path, folder: Path) -> Path:
    """Make the working folder a copy of it."""
    return shutil.copytree(studied, folder, dirs_exist_ok=True)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch):
    """Run the stage in this process."""

    def stage() -> None:
        monkeypatch.setattr(sys, "argv", ["study"])
        run_stage(study.main)

    return stage


def start(**options: object) -> subprocess.Popen:
    """Start the stage in a process and a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "experiments.study"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


def named(record: Study, section: StudySection, name: str):
    return next(arm for arm in record.section(section) if arm.name == name)


def test_what_mlflow_is_told_is_what_the_files_say(project, run, monkeypatch):
    logged = []
    monkeypatch.setattr(study, "log_study", lambda *values: logged.extend(values) or (None, {}))
    run()
    result, study_run, tables, *_ = logged
    assert result == read_study() and study_run == read_study_run()
    files = Tables.read()
    pd.testing.assert_frame_equal(tables.seeds, files.seeds, check_dtype=False, check_exact=True)
    pd.testing.assert_frame_equal(tables.curves, files.curves, check_dtype=False, check_exact=True)


def test_every_question_has_arms_with_scores_on_rows_that_chose_nothing(project):
    record = read_study()
    assert {arm.section for arm in record.arms} == {
        "remedies", "learning_curve", "capacity", "optimizers", "activations", "memorization", "winner",
    }  # fmt: skip
    for arm in record.arms:
        assert set(arm.scores) - {"test"} == {"train", "holdout"}
        for split, metrics in arm.scores.items():
            assert {"cross_entropy", "accuracy"} <= set(metrics)
            for metric, interval in metrics.items():
                assert 0 <= interval.low <= interval.mean <= interval.high, (arm.name, split, metric)
                assert metric != "accuracy" or interval.high <= 1
    compared = [arm for arm in record.arms if arm.reference and arm.chosen]
    assert all(arm.verdict and arm.difference and arm.probability_better for arm in compared)
    # Of five folds each seed holds out two, so it has fewer rows to train on than the training split.
    assert (record.about.rows, record.about.folds) == ({"train": 862, "pool": 1438, "test": 359}, 5)


def test_verdicts_and_intervals_never_contradict_each_other(project):
    for arm in read_study().arms:
        if arm.verdict is None:
            continue
        leaves_out_0 = arm.difference.low > 0 or arm.difference.high < 0
        assert leaves_out_0 == (arm.verdict != "no detectable difference") == (arm.p_adjusted < 0.05), arm.name
        # A difference of the size that is called detectable would have been found.
        assert arm.detectable is None or leaves_out_0 or abs(arm.difference.mean) < arm.detectable


def test_the_table_has_a_row_for_each_arm_and_seed_and_the_means_are_its_means(project):
    record, table = read_study(), pd.read_csv(STUDY_SEEDS_FILE)
    assert len(table) == 3 * (len(record.arms) + len(record.peers))
    assert sorted(table["seed"].unique()) == [1000, 1001, 1002]
    assert {peer.name for peer in record.peers} == {*table.loc[table["section"] == "peers", "arm"]}
    means = table.groupby(["section", "arm"])["train_cross_entropy"].mean()
    for arm in record.arms:
        assert means[arm.section, arm.name] == pytest.approx(arm.scores["train"]["cross_entropy"].mean, rel=1e-5)
    # Each row judges as often as another, up to the ends of a ring that is not closed.
    by_seed = table.groupby(["section", "arm"])["holdout_cross_entropy"].mean()
    for arm in record.section("remedies"):
        assert by_seed["remedies", arm.name] == pytest.approx(arm.scores["holdout"]["cross_entropy"].mean, rel=0.15)
    curves = pd.read_csv(STUDY_CURVES_FILE)
    assert curves.groupby(["section", "arm"])["epoch"].max()["remedies", "baseline"] == 4


def test_from_python_the_study_has_the_same_numbers_and_writes_nothing(project):
    settings, sections = read_settings(), ["remedies", "memorization"]
    before = {path: path.stat().st_mtime_ns for path in project.rglob("*")}
    result = run_study(
        "digits", sections=sections, model=settings.model, train=settings.train, study=settings.study,
        data=settings.data, workers=1, progress=False,
    )  # fmt: skip
    staged = read_study()
    assert {path: path.stat().st_mtime_ns for path in project.rglob("*")} == before
    assert result.record.arms == [arm for arm in staged.arms if arm.section in sections]
    assert result.record.overfits == staged.overfits
    seeds = Tables.read().seeds.query("section in @sections").reset_index(drop=True)
    pd.testing.assert_frame_equal(result.seeds, seeds[list(result.seeds)], check_dtype=False)

    assert result.arms["verdict"].dropna().tolist() == [arm.verdict for arm in result.record.arms if arm.verdict]
    losses = result.rows["remedies", "baseline"]
    assert losses.mean() == pytest.approx(result.arms.query("arm == 'baseline'")["holdout_cross_entropy"].item())
    assert sorted(losses.index) == sorted(set(losses.index))
    assert result.model.model.model_dump(mode="json") == result.recommendation.settings["model"]


def test_from_python_the_study_is_shown(project, tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"age": rng.normal(50, 9, 120), "city": rng.choice(["Ulm", "Bonn"], 120)})
    table["stays"] = np.where(table["age"] + rng.normal(0, 5, 120) > 50, "yes", "no")
    settings = read_settings()
    from mlflow import MlflowClient  # MLflow is silent where the project imports it first

    store = f"sqlite:///{tmp_path}/mlflow.db"
    result = run_study(
        table, "stays", seeds=3, sections=["remedies"], model=settings.model, train=settings.train,
        study=settings.study, workers=1, tracking=store, progress=False,
    )  # fmt: skip
    assert len(result.run.runs) == len(result.record.arms)
    artifacts = MlflowClient(store).list_artifacts(result.run.parent_run, "results")
    assert [Path(file.path).name for file in artifacts] == ["study.csv", "study.json", "study_curves.csv"]
    assert "Does it overfit?" in result._repr_html_() and "prefers-color-scheme: dark" in result._repr_html_()
    assert result.figure("remedies")._repr_svg_().startswith("<?xml")
    result.to_html(tmp_path / "report.html")
    assert "<title>Does it overfit, and what helps? table</title>" in (tmp_path / "report.html").read_text()
    result.in_language("zh").to_html(tmp_path / "report.html")
    assert '<html lang="zh-CN">' in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert (
        "过拟合了吗？" in result.in_language("zh")._repr_html_()
        and "轮次" in result.in_language("zh").figure("baseline").svg
    )
    with pytest.raises(ValueError, match="language must be one of en, zh; got 'fr'"):
        result.in_language("fr")
    X, y = table.drop(columns="stays"), table["stays"]
    assert set(result.model.predict(X)) <= {"yes", "no"}
    again = fit(X, y, **result.recommendation.settings, progress=False)
    assert (again.model, again.train) == (result.model.model, result.model.train)
    with pytest.raises(ValueError, match="section must be one of peers, importance, baseline, remedies"):
        result.figure("seasons")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": "weight"}, "X has no column 'weight'; its columns are age, city"),
        ({}, "target must name the column of X to predict, or hold its values; got None"),
        (
            {"target": "age", "seeds": -1},
            "^run_study: seeds must be greater than or equal to 1 or a valid list; got -1$",
        ),
        ({"target": "age", "sections": ["remedis"]}, "must be one of remedies, peers, .* got 'remedis'"),
        ({"target": "age", "sections": ["remedies", "winner"]}, "needs the result of run_search"),
        ({"target": "age", "sections": ["capacity"]}, "must have remedies"),
        ({"target": "age", "language": "fr"}, "language must be one of en, zh; got 'fr'"),
    ],
)
def test_from_python_what_cannot_be_studied_is_a_value_error(arguments, message):
    table = pd.DataFrame({"age": range(40), "city": ["Ulm", "Bonn"] * 20})
    with pytest.raises(ValueError, match=message):
        run_study(table, **arguments)


def test_scores_are_those_of_the_rows_that_are_kept(project):
    rows = read_rows([1000, 1001, 1002], read_summary())
    record = {arm.name: arm for arm in read_study().section("remedies")}
    losses, judged = {}, (rows.ring.judges >= 0).any(axis=(0, 1))
    for name in ("baseline", "early stopping"):
        settings = record[name].settings
        job = study_jobs.Job(Model(**settings["model"]), Train(**settings["train"]), None, "true")
        result = study_jobs.read_result(
            study_jobs.cache_path(job, study_jobs.context([1000, 1001, 1002], read_summary()))
        )
        losses[name] = result.row_scores["cross_entropy"].astype(float)
        of_rows = np.nanmean(losses[name][..., judged], axis=(0, 1)).mean()
        assert of_rows == pytest.approx(record[name].scores["holdout"]["cross_entropy"].mean)
    by_row = np.nanmean((losses["early stopping"] - losses["baseline"])[..., judged], axis=(0, 1))
    assert record["early stopping"].difference.mean == pytest.approx(by_row.mean(), abs=1e-6)


def test_mlflow_has_a_run_for_each_arm_under_the_studys_own(project):
    record, run = read_study(), read_study_run()
    names = [(arm.section, arm.name) for arm in record.arms] + [("peers", peer.name) for peer in record.peers]
    assert set(run.runs) == {f"{section}/{name}" for section, name in names}
    assert run.runs.keys() <= run.seconds.keys() and min(run.seconds.values()) > 0
    looks = run.test_looks
    # The stage evaluate has looked before, with the same settings.
    assert (looks.looks, looks.settings_changed_after_a_look) == (2, False)


def test_one_strength_of_each_remedy_is_chosen_and_judged(project):
    strengths = [arm for arm in read_study().section("remedies") if arm.factor == "L2" and arm.group == "single"]
    assert len(strengths) == 2
    assert sum(arm.chosen for arm in strengths) == 1
    for arm in strengths:
        assert (arm.verdict is not None) == (arm.picks is not None) == arm.chosen
        assert not arm.chosen or sum(arm.picks.values()) == 5


def test_only_what_is_frozen_is_scored_on_the_test_set(project):
    record = read_study()
    tested = {(arm.section, arm.name) for arm in record.arms if "test" in arm.scores}
    allowed = {("remedies", "baseline"), (record.recommendation.section, record.recommendation.arm)}
    assert tested == allowed | {("winner", arm.name) for arm in record.section("winner")}
    assert record.recommendation.test["accuracy"].mean > 0.2
    assert record.optimism.promised == 0.5
    assert record.optimism.trials == 3  # those that were judged
    assert record.optimism.optimism_test == pytest.approx(record.optimism.test.mean - 0.5)
    assert [trial.trial for trial in record.overtuning] == [0, 1]


def without_test_scores(record: Study) -> dict:
    """Return the record without what was read off the test rows."""
    content = record.model_dump(mode="json")
    of_arms = (arm["scores"] for arm in [*content["arms"], *content["peers"]])
    for scores in (*of_arms, *content["overtuning"], content["ensemble"], content["further"]):
        scores.pop("test", None)
    for name in ("gain", "by_size"):
        content["ensemble"].pop(name)
    for name in ("recommendation", "optimism"):
        content[name] = {key: value for key, value in content[name].items() if not key.endswith("test")}
    content["about"]["knowing_nothing"].pop("test")
    return content


def test_nothing_is_trained_or_chosen_by_the_test_set(project, run):
    before, files = read_study(), {path: path.stat().st_mtime_ns for path in study_jobs.CACHE.iterdir()}
    test = read_arrays(split_file("test"))
    write_arrays(split_file("test"), test | {"x": -test["x"], "y": np.roll(test["y"], 1)})
    run()
    record = read_study()
    assert record.recommendation.test["accuracy"].mean != before.recommendation.test["accuracy"].mean
    assert without_test_scores(record) == without_test_scores(before)
    assert {path: path.stat().st_mtime_ns for path in study_jobs.CACHE.iterdir()} == files


@pytest.mark.reference  # a whole study more
def test_the_same_study_trained_anew_gives_the_same_bytes(project, run):
    files = (STUDY_FILE, STUDY_SEEDS_FILE, STUDY_CURVES_FILE)
    before = [path.read_bytes() for path in files]
    shutil.rmtree(study_jobs.CACHE)
    for path in files:
        path.unlink()
    run()
    assert [path.read_bytes() for path in files] == before


def test_what_is_trained_already_is_not_trained_again(project, run, change):
    before = {path: path.stat().st_mtime_ns for path in study_jobs.CACHE.iterdir()}
    change(study={"remedies": TINY["remedies"] | {"model.dropout": [0.1]}, "sections": ["remedies", "winner"]})
    run()
    after = {path: path.stat().st_mtime_ns for path in study_jobs.CACHE.iterdir()}
    again = after.keys() & before.keys()
    assert all(after[path] == before[path] for path in again)
    assert len(again) > 5
    assert named(read_study(), "remedies", "dropout 0.1").chosen
    # The other questions' are no longer needed.
    assert len(after) < len(before)


def test_the_cost_counts_each_training_once_and_those_from_before_too(project, run, change):
    before = read_study_run().cost
    assert before.runs == 3 * len(list(study_jobs.CACHE.iterdir()))
    assert before.seed_epochs > before.runs
    change(study={"sections": ["remedies"]})
    run()
    trained = sum(study_jobs.read_result(path).seconds for path in study_jobs.CACHE.iterdir())
    assert read_study_run().cost.seconds > trained


def test_an_interrupted_study_keeps_what_it_has_trained_and_goes_on(project, run, change, wait_until):
    before = STUDY_FILE.read_bytes()
    change(study={"epochs": 3, "sections": ["remedies"], "peers": ["linear"]})
    known = set(study_jobs.CACHE.iterdir())
    process = start()
    wait_until(lambda: set(study_jobs.CACHE.glob("[!.]*.npz")) - known)
    os.killpg(process.pid, signal.SIGINT)
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    told = "interrupted; what is finished is kept, and `dvc repro` goes on from there\n"
    assert (process.returncode, error) == (130, told)
    assert STUDY_FILE.read_bytes() == before
    trained = {path: path.stat().st_mtime_ns for path in set(study_jobs.CACHE.glob("[!.]*.npz")) - known}
    run()
    assert all(path.stat().st_mtime_ns == when for path, when in trained.items())


def test_a_killed_worker_costs_another_try_and_three_of_them_one_line(
    project, change, run, workers_of, wait_until, capsys
):
    change(study={"epochs": 100_000, "sections": ["remedies"], "remedies": {"model.l2": [1e-2]}})
    killed = set[int]()

    def kill_three() -> None:
        for _ in range(3):
            [worker] = wait_until(lambda: set(workers_of(os.getpid())) - killed)
            os.kill(worker, signal.SIGKILL)
            killed.add(worker)

    with ThreadPoolExecutor(1) as other, pytest.raises(SystemExit) as ended:
        kills = other.submit(kill_three)
        run()
    kills.result()
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "error: the worker of a training was killed 3 times, perhaps for lack of memory; start again to go on, with "
        "fewer engine.workers\n"
    )


def test_a_regression_is_studied_in_the_targets_unit(diabetes_project, change, run):
    change(study=TINY | {"sections": ["remedies", "learning_curve", "memorization"]})
    run()
    record = read_study()
    assert record.about.loss == "rmse"
    baseline = named(record, "remedies", "baseline")
    assert 40 < baseline.scores["test"]["rmse"].mean < 200
    assert baseline.scores["holdout"]["rmse"].low > 40 and baseline.scores["holdout"]["r2"].high <= 1
    assert record.about.knowing_nothing["holdout"]["rmse"] == pytest.approx(77, abs=4)
    for arm in record.section("remedies"):
        if arm.difference is not None:
            reference = named(record, "remedies", arm.reference)
            ours, theirs = (scored.scores["holdout"]["rmse"].mean for scored in (arm, reference))
            assert arm.difference.mean == pytest.approx(ours - theirs, abs=0.2)
    assert not record.section("memorization")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"remedies": {"model.l22": [0.1]}}, "study.remedies.model.l22: unknown setting model.l22; known here: l2"),
        ({"sections": ["remedy"]}, "study.sections.0 must be one of remedies"),
        ({"sections": ["winner"]}, "study.sections must have remedies"),
        ({"seeds": 0}, "study.seeds must be"),
        ({"resplit": True}, "study.resplit"),
    ],
)
def test_a_wrong_setting_is_told_in_one_line(project, change, run, capsys, settings, message):
    before = STUDY_FILE.read_bytes()
    change(study=settings)
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert STUDY_FILE.read_bytes() == before


def test_seeds_of_a_study_cannot_stop_together(project, change, run, capsys):
    change(
        train={"early_stopping": {"patience": 2, "unit": "ensemble"}}, study={"sections": ["remedies", "optimizers"]}
    )
    with pytest.raises(SystemExit) as ended:
        run()
    error = capsys.readouterr().err
    assert (ended.value.code, error.count("\n")) == (2, 1)
    assert "train.early_stopping.unit ensemble needs validation rows that all seeds share" in error


def test_without_a_search_the_sections_that_need_none_can_be_studied(project, change, run, capsys):
    Path("experiments/results/search.json").unlink()
    with pytest.raises(SystemExit):
        run()
    assert "search.json is missing; run `dvc repro`" in capsys.readouterr().err
    change(study={"sections": ["remedies"]})
    run()
    assert read_study().optimism is None


def test_the_winner_is_judged_by_test_rows_where_the_search_has_chosen_by_all_others(project, change, run):
    path = Path("experiments/results/search.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"folds": 5}))
    change(study={"sections": ["remedies", "winner"]})
    run()
    record = read_study()
    assert record.optimism.judged_on == "test"
    assert (record.optimism.fresh, record.optimism.optimism_fresh) == (None, None)
    assert record.optimism.test.mean > 0
    winner = named(record, "winner", "winner")
    assert winner.verdict == record.optimism.beats_default == "no detectable difference"  # the same settings
    assert "holdout" not in winner.scores


def test_one_seed_measures_and_detects_nothing(project, change, run):
    change(study={"seeds": [5], "sections": ["remedies", "learning_curve"]})
    run()
    record = read_study()
    assert record.about.seeds == [5]
    compared = [arm for arm in record.arms if arm.difference and arm.difference.mean]
    assert compared and all((arm.verdict, arm.difference.low) == (None, None) for arm in compared)
    assert all(arm.scores["holdout"]["cross_entropy"].mean > 0 for arm in record.arms)
    assert record.overfits.answer is None
    assert not record.recommendation.helps


def test_training_rows_that_are_not_scored_are_told_before_anything_is_trained(project, change, run, capsys):
    change(train={"train_score_rows": 0})
    with pytest.raises(SystemExit):
        run()
    assert "set train.train_score_rows above 0" in capsys.readouterr().err
