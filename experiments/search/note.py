"""The note and the names that Optuna's dashboard shows with a study."""

import warnings
from collections.abc import Sequence

import optuna
from optuna.exceptions import ExperimentalWarning

from experiments.search.objectives import title
from pipeline.choices import OBJECTIVES, Objective


def name_objectives(study: optuna.Study, objectives: Sequence[Objective]) -> None:
    """Give the objectives the names that plots and the dashboard show."""
    names = [title(objective) for objective in objectives]
    if study.metric_names != names:
        with warnings.catch_warnings():  # Optuna has called this an experiment since 2023
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names(names)


def write_note(study: optuna.Study, objectives: Sequence[Objective], seeds: int, outcome: str, run: str | None) -> None:
    """Write the note: what is searched, what came out, and the run in MLflow.

    Args:
        outcome: see `results.report`.
        run: the id of the search's run in MLflow.
    """
    from optuna_dashboard import save_note  # takes a second

    goals = [
        f"the {title(name)} ({'higher' if OBJECTIVES[name].is_maximized else 'lower'} is better)" for name in objectives
    ]
    lines = [
        f"Objective: {' and '.join(goals)}; means over {seeds} seeds, scores of the validation rows. Trial 0 is the "
        "configuration of `params.yaml`.",
        *outcome.splitlines(),
        *([f"MLflow run: {run}"] if run else []),
    ]
    save_note(study, "\n\n".join(lines))
