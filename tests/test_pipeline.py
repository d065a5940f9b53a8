"""The stages under the real DVC, on a user's own table, from the first run to an interrupted one."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parent.parent
COPIED = (
    "pipeline",
    "experiments/*.py",
    "experiments/check",
    "experiments/engine",
    "experiments/records",
    "experiments/report",
    "experiments/search",
    "experiments/study",
    "dvc.yaml",
    "networks",
    ".dvc/config",
    ".dvc/.gitignore",
    ".dvcignore",
    ".gitignore",
)
PARAMS = {
    "data": {"source": "patients.csv", "target": "ill", "drop": ["name"]},
    "model": {"hidden_units": [8], "dropout": 0.0},
    "train": {"optimizer": "adam", "learning_rate": 0.01, "epochs": 3, "seeds": 2, "early_stopping": None},
}
SEARCH = {
    "trials": 3,
    "seeds": 1,
    "space": {"train.optimizer": {"choices": ["adam", "sgd"]}, "model.l2": {"low": 1e-4, "high": 0.1, "switch": True}},
}
STUDY = {
    "seeds": 3,
    "remedies": {"model.l2": [1e-2], "train.early_stopping.patience": [1]},
    "sizes": 2,
    "widths": [2],
    "depths": [1],
    "optimizers": ["sgd"],
    "activations": ["tanh"],
}
RESULTS = Path("experiments/results")
STAGES = ["source", "prepare", "build", "train", "evaluate"]


def write_patients(path: Path, seed: int) -> None:
    """A table with numbers, words, truth values and gaps."""
    rng, rows = np.random.default_rng(seed), 120
    age = rng.normal(50, 15, rows).round(1)
    table = pd.DataFrame(
        {
            "name": [f"patient {number}" for number in range(rows)],
            "age": np.where(rng.random(rows) < 0.1, np.nan, age),
            "city": pd.Series(rng.choice(["Bonn", "Kiel", "Ulm"], rows)).where(rng.random(rows) < 0.9),
            "smoker": rng.random(rows) < 0.4,
            "ill": np.where(age + rng.normal(0, 5, rows) > 50, "yes", "no"),
            "weight": (50 + age / 2 + rng.normal(0, 3, rows)).round(1),
        }
    )
    table.to_csv(path, index=False)


def environment(root: Path) -> dict[str, str]:
    # DVC finds the python of the tests first, and leaves nothing outside of the project.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "DVC_SITE_CACHE_DIR": f"{root}/.dvc/site", "DVC_NO_ANALYTICS": "1"}


def dvc(*arguments: str, succeeds: bool = True) -> str:
    """Return what DVC prints, standard error included."""
    command = [sys.executable, "-m", "dvc", *arguments]
    ended = subprocess.run(
        command, env=environment(Path.cwd()), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert (ended.returncode == 0) == succeeds, ended.stdout
    return ended.stdout


def stages_run(output: str) -> list[str]:
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]


def outputs() -> dict[Path, bytes]:
    """Return what the stages have left."""
    folders = (Path("data/prepared"), Path("models"), RESULTS)
    return {path: path.read_bytes() for folder in folders for path in sorted(folder.iterdir()) if path.is_file()}


def set_params(**sections: dict[str, object]) -> None:
    content = {name: PARAMS.get(name, {}) | sections.get(name, {}) for name in {**PARAMS, **sections}}
    Path("params.yaml").write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory: pytest.TempPathFactory, empty_store: Path, stage: Callable[..., None]) -> Path:
    """A git repository with the project's files and a user's table, whose stages have run here and are in `dvc.lock`.

    That costs less than processes of their own, which the tests below start.
    """
    root = tmp_path_factory.mktemp("project")
    for path in [path for pattern in COPIED for path in ROOT.glob(pattern)]:
        (root / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if path.is_dir() else shutil.copyfile)(path, root / path.relative_to(ROOT))
    (root / "mlruns").mkdir()
    shutil.copyfile(empty_store, root / "mlruns" / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        write_patients(Path("patients.csv"), seed=0)
        set_params()
        for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
            subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *command], check=True)
        for name in STAGES:
            stage(name)
        dvc("commit", "--force", *STAGES)
    return root


@pytest.fixture
def repository(reproduced: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder is a copy of it."""
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "a")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "a@example.org")
    return shutil.copytree(reproduced, folder, dirs_exist_ok=True)


def test_metrics_are_the_numbers_of_the_evaluation_and_the_plots_are_drawn(repository):
    shown = json.loads(dvc("metrics", "show", "--json"))[""]["data"]
    evaluation = json.loads((RESULTS / "evaluation.json").read_text())
    assert shown[f"{RESULTS}/evaluation.json"]["data"] == evaluation
    assert evaluation["test"]["accuracy"]["mean"] > 0.5
    dvc("plots", "show", "-o", "plots")
    page = Path("plots/index.html").read_text()
    for name in ("loss", "score", "gap", "errors"):
        assert f"{name}.svg" in page


def test_repeating_runs_nothing_but_the_look_at_the_source_until_the_users_file_has_other_content(repository):
    before = outputs()
    Path("patients.csv").touch()
    assert stages_run(dvc("repro", "evaluate")) == ["source"]
    assert outputs() == before
    write_patients(Path("patients.csv"), seed=1)
    assert stages_run(dvc("repro", "prepare")) == ["source", "prepare"]
    assert outputs()[Path("data/prepared/train.npz")] != before[Path("data/prepared/train.npz")]


def test_experiment_with_other_settings_gives_another_result_and_is_listed(repository):
    before = json.loads((RESULTS / "evaluation.json").read_text())
    output = dvc("exp", "run", "evaluate", "--name", "other", "-S", "train.optimizer=momentum", "-S", "train.epochs=2")
    assert stages_run(output) == ["source", "train", "evaluate"]
    after = json.loads((RESULTS / "evaluation.json").read_text())
    assert after["test"] != before["test"]
    [listed] = [e for base in json.loads(dvc("exp", "show", "--json")) for e in base["experiments"] or []]
    data = listed["revs"][0]["data"]
    settings = data["params"]["params.yaml"]["data"]
    assert (settings["train"]["optimizer"], settings["train"]["epochs"]) == ("momentum", 2)
    assert data["metrics"][f"{RESULTS}/evaluation.json"]["data"] == after


def test_stage_that_fails_leaves_every_result_of_before(repository):
    before = outputs()
    set_params(data={"target": "il"})
    output = dvc("repro", "evaluate", succeeds=False)
    assert [line for line in output.splitlines() if line.startswith("error: ")] != []
    assert "Traceback" not in output
    assert stages_run(output) == ["source", "prepare"]
    assert outputs() == before


def test_interrupted_training_leaves_every_result_of_before_and_its_checkpoint(repository):
    before, checkpoint = outputs(), Path("models/checkpoint.npz")
    set_params(train={"epochs": 10**6})
    process = subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro", "evaluate"],
        env=environment(repository),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    for _ in range(600):
        if checkpoint.exists():
            break
        time.sleep(0.1)
    # Ctrl-C reaches DVC and the stage alike.
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "`dvc repro` goes on from there" in output
    assert "Traceback" not in output
    after = outputs()
    assert after.pop(checkpoint)
    assert after == before


@pytest.mark.parametrize(
    ("target", "drop", "named"),
    [
        ("ill", "weight", ["no", "yes"]),
        ("weight", "ill", []),
    ],
)
@pytest.mark.reference  # a minute each
def test_every_stage_runs_on_a_users_table_and_the_report_names_its_columns(repository, target, drop, named):
    others = {"search": SEARCH, "study": STUDY, "engine": {"workers": 1}, "report": {"language": "zh"}}
    set_params(data={"target": target, "drop": [drop, "name"]}, **others)
    assert stages_run(dvc("repro"))[-3:] == ["search", "study", "report"]
    report = (RESULTS / "report.html").read_text(encoding="utf-8")
    for name in ("过拟合了吗？", "patients.csv", target, "city=Kiel", "smoker", *named):
        assert name in report
    checked = subprocess.run(
        [sys.executable, "-m", "experiments.check"], env=environment(repository), capture_output=True, text=True
    )
    assert (checked.returncode, checked.stderr) == (0, "")
    assert stages_run(dvc("repro")) == ["source"]


def test_a_queued_experiment_reads_a_file_that_neither_git_nor_dvc_know(repository, git, stage):
    """DVC runs it in a copy of the project, which has no such file."""
    write_patients(Path("mine.csv"), seed=1)
    output = dvc("exp", "run", "prepare", "--temp", "--name", "apart", "-S", "data.source=mine.csv")
    assert "mine.csv: 2 classes, 8 features" in output
    assert "note: " not in output
    [name] = [ref for ref in git("for-each-ref", "--format=%(refname)", "refs/exps").split() if ref.endswith("/apart")]
    of_copy = YAML(typ="safe").load(git("show", f"{name}:dvc.lock"))["stages"]
    set_params(data={"source": "mine.csv"})
    for name in ("source", "prepare"):
        stage(name)
        for out in of_copy[name]["outs"]:
            assert hashlib.md5(Path(out["path"]).read_bytes()).hexdigest() == out["md5"], out
