"""Studies whose answer is known: on few digits, and where nothing can help. `make reference` runs them."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments.records import Arm, Study, read_study
from experiments.study import choices as study_choose
from experiments.study.arm_records import records
from experiments.study.jobs import Job, Result
from experiments.study.rows import read_rows
from experiments.study.sections import Sections
from experiments.study.worker import train
from pipeline.data.splits import read_summary
from pipeline.files import write_arrays
from pipeline.params import read_settings

pytestmark = pytest.mark.reference

MNIST_FILE = Path(__file__).parents[2] / "data" / "raw" / "mnist.npz"


def run(module: str) -> None:
    subprocess.run([sys.executable, "-m", module], check=True)


@pytest.fixture(scope="module")
def few_digits(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Return a study on 2,000 training examples of MNIST."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("few_digits"))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        Path("data/raw").mkdir(parents=True)
        Path("data/raw/mnist.npz").symlink_to(MNIST_FILE)
        settings = {
            "data": {"source": "mnist", "train_fraction": 2000 / 48000},
            "model": {"hidden_units": [128]},
            "train": {"batch_size": 32, "epochs": 60, "train_score_rows": 1000},
            "study": {
                "sections": ["remedies", "learning_curve", "memorization"],
                "remedies": {
                    "model.dropout": [0.5],
                    "model.l2": [1e-3],
                    "model.gaussian_noise": [0.3],
                    "train.early_stopping.patience": [10],
                },
                "half_width": False,
                "sizes": 2,
            },
        }
        Path("params.yaml").write_text(json.dumps(settings))
        for module in ("pipeline.source", "pipeline.prepare", "experiments.study"):
            run(module)
        return read_study()


def named(study: Study, name: str) -> Arm:
    arm = next(arm for arm in study.arms if arm.name == name)
    print(f"{name}: {arm.difference}, adjusted p {arm.p_adjusted}, {arm.verdict}")
    return arm


def test_the_baseline_overfits(few_digits):
    print(few_digits.overfits)
    assert few_digits.overfits.answer
    assert few_digits.overfits.gap["accuracy"].low > 0
    # And training on makes the loss on new rows worse.
    assert few_digits.overfits.rises
    assert few_digits.overfits.onset_epoch < 30


def test_early_stopping_and_regularizers_help(few_digits):
    assert named(few_digits, "early stopping").verdict == "helps"
    assert named(few_digits, "dropout 0.5").verdict == "helps"


def test_twice_the_data_helps(few_digits):
    assert named(few_digits, "2000 rows, without").verdict == "helps"
    assert few_digits.power_law["without"] is not None


def test_what_is_recommended_beats_knowing_nothing(few_digits):
    assert few_digits.recommendation.helps
    assert few_digits.recommendation.beats_nothing


def test_row_6_shuffled_labels_are_memorized(few_digits):
    shuffled = named(few_digits, "shuffled labels").scores
    print(shuffled["train"]["accuracy"], shuffled["holdout"]["accuracy"])
    assert shuffled["train"]["accuracy"].mean > 0.9
    assert shuffled["holdout"]["accuracy"].mean == pytest.approx(0.1, abs=0.03)


class InThisProcess:
    """A stand-in for `Trainings`, without the start of workers for each of twenty studies."""

    def __init__(self, rows, seeds: list[int]):
        self.rows, self.seeds = rows, seeds
        self.results: dict[Job, Result] = {}

    def run(self, jobs: list[Job], label: str) -> None:
        for job in jobs:
            if job not in self.results:
                [self.results[job]] = train([job], self.rows, self.seeds)


REPETITIONS = 20


def test_where_nothing_can_help_no_remedy_helps_or_hurts_and_no_model_beats_knowing_nothing(folder):
    found_help = 0
    for repetition in range(REPETITIONS):
        rng = np.random.default_rng(repetition)
        x, y = rng.normal(size=(400, 10)).astype(np.float32), rng.integers(0, 3, 400).astype(np.int32)
        write_arrays("random.npz", {"x": x, "y": y})
        settings = {
            "data": {"source": "random.npz"},
            "model": {"hidden_units": [32]},
            "train": {"batch_size": 32, "epochs": 40, "learning_rate": 0.01},
            "study": {
                "sections": ["remedies"],
                "remedies": {
                    "model.l1": [1e-3],
                    "model.l2": [1e-2, 1e-1],
                    "model.dropout": [0.2, 0.5],
                    "model.gaussian_noise": [0.3],
                    "model.max_norm": [1.0],
                    "train.label_smoothing": [0.1],
                    "train.ema": [0.99],
                    "train.early_stopping.patience": [5],
                },
            },
        }
        Path("params.yaml").write_text(json.dumps(settings))
        for module in ("pipeline.source", "pipeline.prepare"):
            run(module)
        settings, summary, seeds = read_settings(), read_summary(), list(range(1000, 1010))
        rows = read_rows(seeds, summary)
        remedies = Sections(settings, rows, seeds, {}, InThisProcess(rows, seeds)).run()["remedies"]
        base = remedies.arms[0]
        compared = [arm for arm in records(remedies, base, {}) if arm.reference == "baseline" and arm.chosen]
        assert len(compared) >= 9
        wrong = [(arm.name, arm.verdict, arm.p_adjusted) for arm in compared if arm.verdict in ("helps", "hurts")]
        recommended, by_others = study_choose.recommended({"remedies": remedies}, base)
        recommendation = study_choose.recommendation(recommended, by_others, base, None)
        found_help += bool(wrong or recommendation.helps or recommendation.beats_nothing)
        print(repetition, wrong, recommendation.arm, recommendation.over_nothing)
    print(f"{REPETITIONS - found_help} of {REPETITIONS} repetitions found nothing that helps")
    assert found_help <= 1
