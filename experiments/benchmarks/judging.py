"""How far the study's intervals and verdicts can be trusted: pools with known truth, judged as the study judges.

    python -m experiments.benchmarks.judging --population classes --rows 1000 --pools 100 [--seeds 10] [--to FOLDER]
    python -m experiments.benchmarks.judging --table [--to FOLDER]

The first form draws pools from a population, trains a baseline and several arms on each by the code of the study, and
writes a file per pool; pools with a file are not trained again. Two arms are the baseline with other seeds, so their
true difference is 0; that of the other arms is the mean over all pools of the difference on 10,000 new rows. The second
form summarizes the pools, and prints the table and writes it to `experiments/results/judging.md`. The populations of
classes are digits of MNIST, read from `data/raw/mnist.npz`.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.benchmarks.populations import POPULATIONS, Population
from experiments.study.jobs import Job
from experiments.study.rows import Rows, pooled
from pipeline.data.examples import Split
from pipeline.errors import run_stage
from pipeline.files import read_arrays, write_arrays, written_whole
from pipeline.paths import RESULTS
from pipeline.settings import Model, Train
from pipeline.statistics import scores
from pipeline.statistics.comparisons import estimates, judge
from pipeline.statistics.intervals import SIGNIFICANCE, Interval
from pipeline.statistics.ring import Ring

POOLS = Path("models/judging")
REPORT_FILE = RESULTS / "judging.md"
BASE_MODEL = {"hidden_units": [64]}
BASE_TRAIN = {"batch_size": 32, "epochs": 16, "learning_rate": 0.005, "train_score_rows": 100}
OTHER_SEEDS = 1_000_000
NULLS = ("null", "null 2")
# Each arm has changes to the settings of the model and of the training, and a number that is added to the seeds.
ARMS: dict[str, tuple[dict, dict, int]] = {
    "baseline": ({}, {}, 0),
    "null": ({}, {}, OTHER_SEEDS),
    "null 2": ({}, {}, 2 * OTHER_SEEDS),
    "dropout": ({"dropout": 0.5}, {}, 0),
    "batch normalization": ({"batch_norm": True}, {}, 0),
    "noise": ({"gaussian_noise": 0.05}, {}, 0),
    "half the width": ({"hidden_units": [32]}, {}, 0),
    "early stopping": ({}, {"early_stopping": {"patience": 4}}, 0),
}
NAMES = [name for name in ARMS if name != "baseline"]
IS_NULL = np.array([name in NULLS for name in NAMES])
# With few rows, early stopping ends hardly any training early. Its effect is so rare that no interval can reflect it.
IS_STOPPING = np.array([name == "early stopping" for name in NAMES])


@dataclass(frozen=True)
class Setting:
    """One simulation: a population, the number of rows in a pool, and the number of seeds."""

    population: str
    rows: int
    seeds: int

    @property
    def folder(self) -> str:
        """Return the name of the folder of its pools."""
        return f"{self.population.replace(' ', '_')}-{self.rows}-{self.seeds}"


def simulate_pool(population: Population, rows: int, seeds: int, number: int) -> dict[str, np.ndarray]:
    """Train every arm on one pool.

    Returns:
        `fold` and `groups` (empty for none) of the ring; `losses` of each arm, `[arms, rings, 2, n]`; and `truth`, its
        mean loss on new rows, `[arms]`.
    """
    from experiments.study.worker import train  # with TensorFlow

    rng = np.random.default_rng([number, rows])
    drawn = population.draw(rng, rows)
    first = 100 * number
    held = rows // 5
    rest, held_out = (
        Split(drawn.x[part], drawn.y[part], None if drawn.groups is None else drawn.groups[part])
        for part in (slice(held, None), slice(None, held))
    )
    seed_numbers = [first + k for k in range(seeds)]
    pool = pooled(rest, held_out, seed_numbers, population.problem)
    losses, truth = [], []
    for model_changes, train_changes, seed_shift in ARMS.values():
        model = Model.model_validate(BASE_MODEL | model_changes)
        job = Job(model, Train.model_validate(BASE_TRAIN | train_changes), None, "true")
        [result] = train([job], pool, [seed + seed_shift for seed in seed_numbers])
        losses.append(result.row_scores[_loss(population)])
        truth.append(_true_loss(pool, job, result.fitted.weights, drawn.new_x, drawn.new_y))
    groups = np.empty(0, int) if pool.ring.groups is None else pool.ring.groups
    return {"fold": pool.ring.fold, "groups": groups, "losses": np.stack(losses), "truth": np.array(truth)}


def _loss(population: Population) -> str:
    return scores.row_score_of(scores.METRICS[population.problem.task][0])


def _true_loss(pool: Rows, job: Job, weights: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray) -> float:
    from pipeline.training.predict import predict

    outputs = predict(job.model, pool.problem, weights, x)
    if pool.problem.is_classification:
        return float(scores.by_row("classification", outputs, y)["cross_entropy"].mean())
    return float(scores.by_row("regression", outputs[..., 0], y)["squared_error"].mean())


def simulate(setting: Setting, pools: int, pools_folder: Path) -> None:
    """Train the pools that have no file yet."""
    for number in range(pools):
        path, began = pools_folder / setting.folder / f"{number:04d}.npz", time.monotonic()
        if not path.exists():
            write_arrays(path, simulate_pool(POPULATIONS[setting.population], setting.rows, setting.seeds, number))
            print(f"{setting.folder}, pool {number}: {time.monotonic() - began:.1f} s", flush=True)


def summarize(pools: list[dict[str, np.ndarray]], seeds: int) -> dict[str, float]:
    """Summarize the pools of one setting.

    Returns:
        pools: the number of pools.
        covered: the share of intervals of single arms that contain the true difference; then the same without early
            stopping, and for the worst arm.
        all covered: the share of pools in which all simultaneous intervals, those of the verdicts, do.
        false, any false: the share of null arms that are detected without adjustment, and of pools with such an arm
            after Holm's adjustment.
        power, power after Holm: the share of other arms that are detected with the right sign, without and with
            adjustment; then the latter for each arm, by name.
        width: the mean width of an interval of a single arm.
    """
    losses = np.stack([pool["losses"] for pool in pools]).astype(float)
    true = np.stack([pool["truth"] for pool in pools])
    expected = np.where(IS_NULL, 0.0, (true[:, 1:] - true[:, :1]).mean(axis=0))
    rows = []
    for pool, values in zip(pools, losses, strict=True):
        ring = Ring(pool["fold"], seeds, pool["groups"] if len(pool["groups"]) else None)
        arms = estimates(list(values[1:] - values[:1]), ring)
        verdicts = judge(arms, [None] * len(arms))
        low, high = _ends([arm.interval() for arm in arms])
        together_low, together_high = _ends([verdict.difference for verdict in verdicts])
        rows.append(
            [
                (low <= expected) & (expected <= high),
                (together_low <= expected) & (expected <= together_high),
                np.array([verdict.p for verdict in verdicts], float) < SIGNIFICANCE,
                np.array([verdict.p_adjusted for verdict in verdicts], float) < SIGNIFICANCE,
                np.sign([arm.mean for arm in arms]) == np.sign(expected),
                high - low,
            ]
        )
    covered, together, alone, adjusted, sign, width = np.array(rows, float).transpose(1, 0, 2)
    return {
        "pools": len(pools),
        "covered": covered[:, ~IS_NULL].mean(),
        "without early stopping": covered[:, ~IS_NULL & ~IS_STOPPING].mean(),
        "worst arm": covered.mean(axis=0).min(),
        "all covered": together.all(axis=1).mean(),
        "false": alone[:, IS_NULL].mean(),
        "any false": adjusted[:, IS_NULL].any(axis=1).mean(),
        "power": (alone * sign)[:, ~IS_NULL].mean(),
        "power after Holm": (adjusted * sign)[:, ~IS_NULL].mean(),
        "width": width[:, ~IS_NULL].mean(),
        **{name: (adjusted * sign)[:, place].mean() for place, name in enumerate(NAMES) if name not in NULLS},
    }


def _ends(intervals: list[Interval]) -> np.ndarray:
    """Return the lower ends of intervals, and the upper ends, `[2, n]`; NaN where they are not known."""
    return np.array([[interval.low, interval.high] for interval in intervals], float).T


def table(pools_folder: Path) -> pd.DataFrame:
    """Return a table with a row for each setting that has pools."""
    rows = {}
    for folder in sorted(path for path in pools_folder.iterdir() if path.is_dir()):
        population, count, seeds = folder.name.rsplit("-", 2)
        pools = [read_arrays(path) for path in sorted(folder.glob("*.npz"))]
        if pools:
            rows[f"{population.replace('_', ' ')}, {count} rows, {seeds} seeds"] = summarize(pools, int(seeds))
    return pd.DataFrame(rows).T


def main() -> None:
    """Simulate pools, or summarize those that were simulated."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--population", choices=POPULATIONS, default="classes")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--pools", type=int, default=100)
    parser.add_argument("--to", type=Path, default=POOLS, help="the folder of the pools")
    parser.add_argument("--table", action="store_true", help="show what the kept pools say")
    options = parser.parse_args()
    if not options.table:
        simulate(Setting(options.population, options.rows, options.seeds), options.pools, options.to)
        return
    text = as_markdown(table(options.to))
    with written_whole(REPORT_FILE) as beside:
        beside.write_text(text, encoding="utf-8")
    print(text)


def as_markdown(shares: pd.DataFrame) -> str:
    """Return a table as Markdown, with three decimals."""
    lines = [f"| setting | {' | '.join(map(str, shares))} |", "| --- |" + " ---: |" * shares.shape[1]]
    for name, row in shares.iterrows():
        cells = [f"{value:.0f}" if column == "pools" else f"{value:.3f}" for column, value in row.items()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    run_stage(main)
