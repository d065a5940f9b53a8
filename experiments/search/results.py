"""The results of a search, made from its study alone: `search.json`, `trials.csv` and the pictures."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal

import optuna
import pandas as pd
from optuna.trial import FrozenTrial, TrialState

from experiments.search.objectives import as_losses, title
from pipeline.choices import Objective
from pipeline.settings import Settings
from pipeline.tracking.parent import ChildRecord
from pipeline.wording import significant

# Matplotlib and SciPy take a second each to import, so this happens where they are used, at the end of a search.

Objectives = Sequence[Objective]

DOUBT = "the best of many is too good to be true: score it on fresh seeds before you believe it"
DOUBT_OF_FOLDS = (
    "the best of many is too good to be true: all training and validation rows have chosen it, so only test rows can "
    "judge it"
)

STATUS: dict[TrialState, Literal["FINISHED", "KILLED", "FAILED"]] = {
    TrialState.COMPLETE: "FINISHED",
    TrialState.PRUNED: "KILLED",
    TrialState.FAIL: "FAILED",
}


def complete(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    """Return the complete trials."""
    return [trial for trial in trials if trial.state == TrialState.COMPLETE]


def has_diverged(trial: FrozenTrial) -> bool:
    """Return whether every seed of a complete trial diverged at some epoch."""
    facts = trial.user_attrs["facts"]
    return facts["diverged"] == len(facts["per_seed"])


def ranked(trials: list[FrozenTrial], objectives: Objectives) -> list[FrozenTrial]:
    """Return the complete trials that have not diverged with every seed, the best by the first objective first."""
    sound = [trial for trial in complete(trials) if not has_diverged(trial)]
    return sorted(sound, key=lambda trial: as_losses(trial, objectives)[0])


def optimizer_of(trial: FrozenTrial) -> str:
    """Return the optimizer that the trial trained with."""
    return trial.user_attrs["settings"]["train"]["optimizer"]


def progress_text(trials: list[FrozenTrial], objectives: Objectives) -> str:
    """Return a text with the best value so far, and how many trials diverged, were pruned or failed."""
    best, states = ranked(trials, objectives), [trial.state for trial in trials]
    counts = {
        "diverged": len(complete(trials)) - len(best),
        "pruned": states.count(TrialState.PRUNED),
        "failed": states.count(TrialState.FAIL),
    }
    shown = [f"{count} {name}" for name, count in counts.items() if count]
    return ", ".join(([f"best {significant(best[0].values[0])}"] if best else []) + shown)


def trial_record(trial: FrozenTrial) -> ChildRecord:
    """Return a finished trial as it is logged in MLflow.

    Raises:
        ValueError: the trial has not ended.
    """
    if trial.datetime_start is None or trial.datetime_complete is None:
        raise ValueError(f"trial {trial.number} has not ended")
    facts = trial.user_attrs.get("facts", {})
    numbers = {name: value for name, value in facts.items() if isinstance(value, int | float)}
    if trial.user_attrs.get("seconds") is not None:
        numbers["seconds"] = trial.user_attrs["seconds"]
    curves = {"epoch.validation_loss": facts["curve"]} if "curve" in facts else {}
    if trial.state == TrialState.PRUNED:  # the values that it reported to the pruner, by epoch
        reported = trial.intermediate_values
        curves["epoch.lowest_validation_loss"] = [
            reported.get(epoch) for epoch in range(1, max(reported, default=0) + 1)
        ]
    tags = {"optuna.state": trial.state.name, "optuna.trial": str(trial.number)}
    if "error" in trial.user_attrs:
        tags["error"] = trial.user_attrs["error"]
    return ChildRecord(
        key=str(trial.number),
        name=f"trial {trial.number}" + (" (default)" if trial.number == 0 else ""),
        status=STATUS[trial.state],
        params=trial.params,
        scores={f"value_{place}": value for place, value in enumerate(trial.values or [])} | numbers,
        curves=curves,
        tags=tags,
        began=int(trial.datetime_start.timestamp() * 1000),
        ended=int(trial.datetime_complete.timestamp() * 1000),
    )


def trial_rows(trials: list[FrozenTrial]) -> pd.DataFrame:
    """Return a row per trial: state, values, facts, parameters."""
    rows = []
    for trial in trials:
        facts = {k: v for k, v in trial.user_attrs.get("facts", {}).items() if not isinstance(v, list)}
        rows.append(
            {"trial": trial.number, "state": trial.state.name}
            | {f"value_{place}": value for place, value in enumerate(trial.values or [])}
            | {"error": trial.user_attrs.get("error")}
            | facts
            | trial.params
        )
    return pd.DataFrame(rows, columns=None if rows else ["trial", "state", "value_0", "error"])


def describe(trial: FrozenTrial) -> dict[str, Any]:
    """Return a trial's values, the first with its interval over the seeds, and its settings as in `params.yaml`."""
    from pipeline.statistics.intervals import over_seeds

    facts = trial.user_attrs["facts"]
    return {
        "trial": trial.number,
        "values": trial.values,
        "value": asdict(over_seeds(facts["per_seed"])),
        "seeds": len(facts["per_seed"]),
        "facts": {name: value for name, value in facts.items() if not isinstance(value, list)},
        "params": trial.params,
        "settings": trial.user_attrs["settings"],
    }


def incumbents(trials: list[FrozenTrial], objectives: Objectives) -> list[FrozenTrial]:
    """Return each trial that was better than all ranked trials before it, in order of their numbers."""
    best_so_far: list[FrozenTrial] = []
    for trial in sorted(ranked(trials, objectives), key=lambda trial: trial.number):
        if not best_so_far or as_losses(trial, objectives)[0] < as_losses(best_so_far[-1], objectives)[0]:
            best_so_far.append(trial)
    return best_so_far


def best_of_each_optimizer(trials: list[FrozenTrial], objectives: Objectives) -> dict[str, FrozenTrial]:
    """Return the best trial of each optimizer that has one, by the optimizer's name."""
    best: dict[str, FrozenTrial] = {}
    for trial in ranked(trials, objectives):
        best.setdefault(optimizer_of(trial), trial)
    return dict(sorted(best.items()))


def front(trials: list[FrozenTrial], objectives: Objectives) -> list[FrozenTrial]:
    """Return the ranked trials that none beats in one objective without losing in the other, by number."""
    undominated: list[FrozenTrial] = []
    for trial in sorted(ranked(trials, objectives), key=lambda trial: as_losses(trial, objectives)):
        if not undominated or as_losses(trial, objectives)[1] < as_losses(undominated[-1], objectives)[1]:
            undominated.append(trial)
    return sorted(undominated, key=lambda trial: trial.number)


def importance(study: optuna.Study, trials: list[FrozenTrial]) -> dict[str, float]:
    """Return Optuna's importance of each parameter for the first objective; none where the trials are too few."""
    if len(complete(trials)) < 4:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    target = (lambda trial: trial.values[0]) if len(study.directions) > 1 else None
    try:
        return optuna.importance.get_param_importances(study, evaluator=evaluator, target=target)
    except (ValueError, RuntimeError):  # all values are equal, or no parameter was searched in every trial
        return {}


def summarize(study: optuna.Study, trials: list[FrozenTrial], settings: Settings) -> dict[str, Any]:
    """Return the content of `search.json`."""
    objectives = settings.search.objectives
    ended, best = complete(trials), ranked(trials, objectives)
    counts = {state.name.lower(): sum(trial.state == state for trial in trials) for state in TrialState}
    counts["waiting"] += max(0, study.user_attrs.get("trials", 0) - len(trials))  # not asked for yet
    summary = {
        "study": study.study_name,
        "objectives": list(objectives),
        "folds": settings.search.folds,
        "counts": counts,
        "all_diverged": bool(ended) and not best,
        "best": describe(best[0]) if best else None,
        "default": next((describe(trial) for trial in ended if trial.number == 0), None),
        "incumbents": [describe(trial) for trial in incumbents(trials, objectives)],
        "best_of_each_optimizer": {
            name: describe(trial) for name, trial in best_of_each_optimizer(trials, objectives).items()
        },
        "importance": importance(study, trials),
    }
    if len(study.directions) > 1:
        summary["pareto_front"] = [describe(trial) for trial in front(trials, objectives)]
    return summary


def report(summary: dict[str, Any], seconds: float) -> str:
    """Return the outcome of the search in a few lines."""
    counts = ", ".join(f"{count} {state}" for state, count in summary["counts"].items() if count)
    lines = [f"{counts} in {seconds:.0f} s"]
    if summary["all_diverged"]:
        return "\n".join([*lines, _all_diverged(summary["counts"]["complete"])])
    if not summary["best"]:
        return lines[0]
    objective = title(summary["objectives"][0])
    lines += [_line(name, summary[name], objective) for name in ("default", "best") if summary[name]]
    return "\n".join([*lines, DOUBT if summary["folds"] is None else DOUBT_OF_FOLDS])


def _all_diverged(trials: int) -> str:
    which = f"all {trials} complete trials" if trials > 1 else "the only complete trial"
    return (
        f"every seed of {which} diverged, so none is the best: lower the range of train.learning_rate in search.space, "
        "or train.learning_rate itself where it is not searched"
    )


def _line(name: str, trial: dict[str, Any], objective: str) -> str:
    value, seeds, diverged = trial["value"], trial["seeds"], trial["facts"]["diverged"]
    interval = "" if value["low"] is None else f" [{significant(value['low'])}, {significant(value['high'])}]"
    line = f"{name}: trial {trial['trial']}, validation {objective} {significant(value['mean'])}{interval}"
    line += f", {trial['settings']['train']['optimizer']}"
    return f"{line}, {diverged} of {seeds} seeds diverged" if diverged else line
