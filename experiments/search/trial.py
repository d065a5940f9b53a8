"""One trial of a search: several seeds trained side by side with its settings, and judged by the objectives."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.data.examples import Examples, Problem
from pipeline.settings import Settings
from pipeline.statistics import scores
from pipeline.statistics.floor import knowing_nothing
from pipeline.training.fitted import Fitted
from pipeline.training.trainer import Epoch, fit, with_train_scores

REPORTS = 10  # how often, at most, a trial asks the pruner


@dataclass(frozen=True)
class Outcome:
    """The outcome of a trial.

    Attributes:
        values: one for each objective.
        facts: plain data that is stored with the trial: each seed's value, means and standard deviations over the seeds
            of the scores at their best epochs, and the mean curve of the validation loss.
    """

    values: list[float]
    facts: dict[str, Any]


def run_trial(
    examples: Examples,
    settings: Settings,
    seeds: list[int],
    report: Callable[[int, float], None],
    callbacks: Iterable[Callable[[Epoch], None]] = (),
) -> Outcome:
    """Train one configuration on several seeds and judge it by each seed's best epoch.

    Args:
        examples: rows that all seeds share, or separate rows for each seed, in the order of `seeds`.
        report: called at most `REPORTS` times, with the epoch and the mean over the seeds of the lowest validation loss
            so far; it may raise to end the trial.
        callbacks: called after each epoch, as by `trainer.fit`.
    """
    chance = chance_level(examples)
    period = -(-settings.train.epochs // REPORTS)  # rounded up

    def callback(event: Epoch) -> None:
        if event.number % period == 0 and event.number < event.of:
            report(event.number, float(np.minimum(event.best, chance).mean()))

    fitted = _fit(examples, settings, seeds, [*callbacks, callback])
    return judge(fitted, examples.problem, settings.search.objectives, chance)


def _fit(examples: Examples, settings: Settings, seeds: list[int], callbacks: list[Callable[[Epoch], None]]) -> Fitted:
    """Train, and with early stopping score the training rows only once, with the weights of the best epochs."""
    model, train = settings.model, settings.train
    if not train.early_stopping or train.train_score_rows == 0:
        return fit(examples, model, train, seeds, callbacks)
    fitted = fit(examples, model, train.model_copy(update={"train_score_rows": 0}), seeds, callbacks)
    return with_train_scores(examples, model, train, fitted)


def chance_level(examples: Examples) -> np.ndarray:
    """Return the validation loss of knowing nothing, which stands for a seed that never had a finite loss.

    Its shape is `[R]`, one loss for each seed; `[1]` where all seeds share it.
    """
    problem, loss = examples.problem, scores.METRICS[examples.problem.task][0]
    nothing = knowing_nothing(examples.y[examples.train_rows], problem.n_outputs if problem.is_classification else None)
    actual = examples.y[examples.val_rows]
    by_row = scores.by_row(problem.task, nothing[:, None] if problem.is_classification else nothing, actual)
    losses = scores.from_mean(loss, by_row[scores.row_score_of(loss)].mean(axis=1, dtype=float))
    return losses * problem.target_scale


def judge(fitted: Fitted, problem: Problem, objectives: Sequence[str], chance: np.ndarray) -> Outcome:
    """Return the objectives and the facts of a finished training.

    Args:
        chance: see `chance_level`.
    """
    loss, score = scores.METRICS[problem.task]
    best = at_best_epoch(fitted)
    best[f"validation_{loss}"] = np.where(best[f"validation_{loss}"].isna(), chance, best[f"validation_{loss}"])
    if f"train_{loss}" in best:  # a seed that counts as knowing nothing has no gap
        gap = scores.gap(loss, best[f"train_{loss}"], best[f"validation_{loss}"])
        best["gap"] = gap.where(np.isfinite(gap), 0.0)
    else:
        best["gap"] = math.nan
    means = {name: float(best[name].mean()) for name in (f"validation_{loss}", f"validation_{score}", "gap")}
    facts = {
        "per_seed": best[f"validation_{loss}"].tolist(),
        "best_epoch": _finite(best["epoch"].mean()),
        "epochs": int(fitted.history["epoch"].max()),
        "seed_epochs": len(fitted.history),
        "diverged": int(fitted.diverged.sum()),
        "curve": [_finite(value) for value in fitted.history.groupby("epoch")[f"validation_{loss}"].mean()],
        **{name: _finite(mean) for name, mean in means.items()},
        **{f"{name}_sd": scores.spread(best[name]) for name in means},
    }
    weights = sum(value[0].size for value in fitted.weights.values())
    by_objective = {"cross_entropy": means[f"validation_{loss}"], "gap": means["gap"], "weights": float(weights)}
    return Outcome([by_objective[name] for name in objectives], facts | {"weights": weights})


def at_best_epoch(fitted: Fitted) -> pd.DataFrame:
    """Return a row per seed: its history at its best epoch, NaN where it has none."""
    best = pd.DataFrame({"seed": fitted.seeds, "epoch": fitted.best_epoch})
    return best.merge(fitted.history, how="left", on=["seed", "epoch"])


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
