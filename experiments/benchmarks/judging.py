"""How far the study's intervals and verdicts can be trusted: pools with known truth, judged as the study judges.

    python -m experiments.benchmarks.judging --population classes --rows 1000 --pools 100 [--seeds 10] [--to FOLDER]
    python -m experiments.benchmarks.judging --table [--to FOLDER]

The first trains a baseline and several arms on pools that are drawn from a population, by the code of the study, and
keeps a file a pool; what is kept is not trained again. Two arms are the baseline with other seeds, so that no
difference is the truth; for the others it is the mean over all pools of the difference on 10,000 new rows. The second
prints, and writes to `experiments/results/judging.md`, what the kept pools show. The populations of classes are digits
of MNIST, read from `data/raw/mnist.npz`.
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
from pipeline.statistics.intervals import SIGNIFICANCE
from pipeline.statistics.ring import Ring

KEPT = Path("models/judging")
REPORT_FILE = RESULTS / "judging.md"
BASE_MODEL = {"hidden_units": [64]}
BASE_TRAIN = {"batch_size": 32, "epochs": 16, "learning_rate": 0.005, "train_score_rows": 100}
OTHER_SEEDS = 1_000_000
NULLS = ("null", "null 2")
# Each arm changes these settings of the model and of the training, and adds this number to the baseline's seeds.
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
# With few rows it stops next to no training before its end: what it changes is rare, and no interval can know it.
IS_STOPPING = np.array([name == "early stopping" for name in NAMES])


@dataclass(frozen=True)
class Setting:
    """One simulation: a population, the number of rows in a pool, and the number of seeds."""

    population: str
    rows: int
    seeds: int

    @property
    def folder(self) -> str:
        """The folder of its pools."""
        return f"{self.population.replace(' ', '_')}-{self.rows}-{self.seeds}"


def simulate_pool(population: Population, rows: int, seeds: int, number: int) -> dict[str, np.ndarray]:
    """Train every arm on one pool.

    Returns:
        fold and groups (empty for none) of the ring; losses of each arm, `[arms, rings, 2, n]`; and its mean loss on
        new rows, `[arms]`.
    """
    from experiments.study.worker import train  # with TensorFlow

    rng = np.random.default_rng([number, rows])
    drawn = population.draw(rng, rows)
    first = 100 * number
    held = rows // 5
    parts = [
        Split(drawn.x[part], drawn.y[part], None if drawn.groups is None else drawn.groups[part])
        for part in (slice(held, None), slice(None, held))
    ]
    numbers = [first + k for k in range(seeds)]
    pool = pooled(*parts, numbers, population.problem, 1.0)
    losses, truth = [], []
    for of_model, of_training, away in ARMS.values():
        model = Model.model_validate(BASE_MODEL | of_model)
        job = Job(model, Train.model_validate(BASE_TRAIN | of_training), None, "true")
        result = train(job, pool, [seed + away for seed in numbers])
        losses.append(result.row_scores[_loss(population)])
        truth.append(_true_loss(pool, job, result.weights, drawn.new_x, drawn.new_y))
    groups = np.empty(0, int) if pool.ring.groups is None else pool.ring.groups
    return {"fold": pool.ring.fold, "groups": groups, "losses": np.stack(losses), "truth": np.array(truth)}


def _loss(population: Population) -> str:
    return scores.row_score_of(scores.METRICS[population.problem.task][0])


def _true_loss(pool: Rows, job: Job, weights: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray) -> float:
    from pipeline.training.model import predict

    outputs = predict(job.model, pool.problem, weights, x)
    if pool.problem.is_classification:
        return float(scores.by_row("classification", outputs, y)["cross_entropy"].mean())
    return float(scores.by_row("regression", outputs[..., 0], y)["squared_error"].mean())


def simulate(setting: Setting, pools: int, kept: Path) -> None:
    """Train the pools that are not kept yet."""
    for number in range(pools):
        path, began = kept / setting.folder / f"{number:04d}.npz", time.monotonic()
        if not path.exists():
            write_arrays(path, simulate_pool(POPULATIONS[setting.population], setting.rows, setting.seeds, number))
            print(f"{setting.folder}, pool {number}: {time.monotonic() - began:.1f} s", flush=True)


def summarize(pools: list[dict[str, np.ndarray]], seeds: int) -> dict[str, float]:
    """Return what the pools of one setting show, as shares of pools and arms.

    Returns:
        covered: of the intervals of single arms that hold the true difference, also without those of early stopping,
            and of the worst arm's.
        all_covered: of pools whose intervals hold together, as they stand beside the verdicts.
        false: of the arms without a difference that were detected alone; any_false of pools with one or more of them
            detected after Holm.
        power, power_holm: of the arms with a difference that were detected, with its sign, alone and after Holm.
        width: of an interval of one arm.
    """
    losses = np.stack([pool["losses"] for pool in pools]).astype(float)
    true = np.stack([pool["truth"] for pool in pools])
    expected = np.where(IS_NULL, 0.0, (true[:, 1:] - true[:, :1]).mean(axis=0))
    rows = []
    for pool, values in zip(pools, losses, strict=True):
        ring = Ring(pool["fold"], seeds, pool["groups"] if len(pool["groups"]) else None)
        found = estimates(list(values[1:] - values[:1]), ring)
        intervals, verdicts = [each.interval() for each in found], judge(found, [None] * len(found))
        together = [each.difference for each in verdicts]
        rows.append(
            [
                [each.low <= truth <= each.high for each, truth in zip(intervals, expected, strict=True)],
                [each.low <= truth <= each.high for each, truth in zip(together, expected, strict=True)],
                [each.p < SIGNIFICANCE for each in verdicts],
                [each.p_adjusted < SIGNIFICANCE for each in verdicts],
                [np.sign(each.mean) == np.sign(truth) for each, truth in zip(found, expected, strict=True)],
                [each.high - each.low for each in intervals],
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


def table(kept: Path) -> pd.DataFrame:
    """Return a row for each setting of which pools are kept."""
    rows = {}
    for folder in sorted(path for path in kept.iterdir() if path.is_dir()):
        population, count, seeds = folder.name.rsplit("-", 2)
        pools = [read_arrays(path) for path in sorted(folder.glob("*.npz"))]
        if pools:
            rows[f"{population.replace('_', ' ')}, {count} rows, {seeds} seeds"] = summarize(pools, int(seeds))
    return pd.DataFrame(rows).T


def main() -> None:
    """Simulate, or show what was simulated."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--population", choices=POPULATIONS, default="classes")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--pools", type=int, default=100)
    parser.add_argument("--to", type=Path, default=KEPT, help="the folder of the pools")
    parser.add_argument("--table", action="store_true", help="show what the kept pools say")
    given = parser.parse_args()
    if not given.table:
        simulate(Setting(given.population, given.rows, given.seeds), given.pools, given.to)
        return
    text = as_markdown(table(given.to))
    with written_whole(REPORT_FILE) as beside:
        beside.write_text(text, encoding="utf-8")
    print(text)


def as_markdown(found: pd.DataFrame) -> str:
    """Return the table as Markdown, with three decimals."""
    lines = [f"| setting | {' | '.join(found)} |", "| --- |" + " ---: |" * found.shape[1]]
    for name, row in found.iterrows():
        cells = [f"{value:.0f}" if column == "pools" else f"{value:.3f}" for column, value in row.items()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    run_stage(main)
