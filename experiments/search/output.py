"""The files of the stage search: what its trials were, what came out of them, and the pictures."""

from typing import Any

import optuna
from optuna.trial import FrozenTrial

from experiments.search.results import summarize, trial_rows
from experiments.search.storage import FINISHED
from pipeline.files import write_json, written_whole
from pipeline.paths import RESULTS, SEARCH_FILE
from pipeline.settings import Settings
from pipeline.training.history import DIGITS

TRIALS_FILE = RESULTS / "trials.csv"

PICTURES = ("history", "parallel", "importance", "optimizers", "front")

FIGURES = {name: RESULTS / f"search_{name}.svg" for name in PICTURES}


def copy_of(study: optuna.Study, trials: list[FrozenTrial]) -> optuna.Study:
    """Return a copy of the study in memory, with those of the given trials that have ended."""
    copy = optuna.create_study(study_name=study.study_name, directions=study.directions)
    copy.set_user_attr("trials", study.user_attrs.get("trials", 0))
    copy.add_trials(trial for trial in trials if trial.state in FINISHED)
    return copy


def get_ready() -> None:
    """Import what `write` needs ahead of time, since that takes three seconds and the last trials leave a core free."""
    import matplotlib
    import optuna_dashboard  # noqa: F401

    from experiments.search import figures  # noqa: F401
    from pipeline.statistics import intervals  # noqa: F401

    matplotlib.use("Agg")
    optuna.importance.FanovaImportanceEvaluator  # noqa: B018 (Optuna imports it on first use)


def write(study: optuna.Study, trials: list[FrozenTrial], settings: Settings) -> dict[str, Any]:
    """Write the stage's files about these trials of the study, and return the content of `search.json`."""
    get_ready()
    from experiments.search import figures
    from pipeline.figures.style import save

    study = copy_of(study, trials)
    summary = summarize(study, trials, settings)
    with written_whole(TRIALS_FILE) as beside:
        trial_rows([t for t in trials if t.state in FINISHED]).to_csv(beside, index=False, float_format=DIGITS)
    for name, figure in figures.draw(study, trials, settings, summary["importance"]).items():
        save(figure, FIGURES[name])
    write_json(SEARCH_FILE, summary)
    return summary
