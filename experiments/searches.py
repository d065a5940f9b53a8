"""The search from Python: a data frame in, the Optuna study and the best settings out."""

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import optuna
import pandas as pd
from numpy.typing import ArrayLike
from optuna.storages import InMemoryStorage
from rich.console import Console

from experiments.defaults import MODEL, SEARCH, TRAIN
from experiments.prepared import Subject, given
from experiments.search.conduct import Observer, StageObserver, conduct, log_outcome
from experiments.search.output import copy_of
from experiments.search.plan import check_searchable, study_name, trial_settings
from experiments.search.results import summarize, trial_rows
from experiments.search.rows import examples_of
from experiments.search.storage import open_study
from experiments.search.trials import Trials
from pipeline.errors import value_errors
from pipeline.params import section_of
from pipeline.settings import Data, Engine, Model, Search, Settings, Train
from pipeline.tracking.parent import ParentRun
from pipeline.tracking.store import tracked


@dataclass(frozen=True, eq=False, repr=False)
class SearchResult:
    """A finished search.

    Attributes:
        study: Optuna's study, with all trials.
        settings: what was searched, and how.
        summary: all that the search says, as `search.json` holds it.
    """

    study: optuna.Study
    settings: Settings
    summary: dict[str, Any]

    @property
    def model(self) -> Model:
        """Return the best trial's settings of the network."""
        return Model.model_validate(self._best["model"])

    @property
    def train(self) -> Train:
        """Return the best trial's settings of the training, for as many seeds as the search began with."""
        return Train.model_validate(self._best["train"] | {"seeds": self.settings.train.seeds})

    @cached_property
    def trials(self) -> pd.DataFrame:
        """Return a row per trial: its state, values, scores and parameters."""
        return trial_rows(self.study.get_trials(deepcopy=False))

    def __repr__(self) -> str:
        best = "none is the best" if self.summary["best"] is None else f"the best is {self.summary['best']['trial']}"
        return f"SearchResult({self.study.study_name}: {len(self.study.trials)} trials, {best})"

    @property
    def _best(self) -> dict[str, Any]:
        if self.summary["best"] is None:
            raise ValueError("no trial is complete with a seed that did not diverge, so none is the best")
        return self.summary["best"]["settings"]


def run_search(
    X: Any,
    target: str | ArrayLike | None = None,
    *,
    trials: int | None = None,
    model: Model = MODEL,
    train: Train = TRAIN,
    search: Search = SEARCH,
    data: Data | None = None,
    groups: ArrayLike | None = None,
    workers: int = 2,
    tracking: str | None = None,
    progress: bool = True,
) -> SearchResult:
    """Search settings of optimizers and regularization; the trials are those of the stage for the same settings.

    Args:
        X, target, data, groups, workers, tracking, progress: see `run_study`.
        trials: in place of `search.trials`.
        model, train: the configuration of the first trial.
        search: what is searched, and how.

    Raises:
        ValueError: data or settings that cannot be searched with.
    """
    with value_errors(), tracked(tracking):
        subject = Subject.of(X, target, data, groups)
        search = section_of(Search, search, "run_search", trials=trials)
        model, train = section_of(Model, model, "run_search"), section_of(Train, train, "run_search")
        settings = Settings(data=subject.data, model=model, train=train, search=search, engine=Engine(workers=workers))
        splits, summary = subject.prepared.splits, subject.prepared.summary
        check_searchable(settings, summary)
        start = trial_settings(settings, summary)
        study = open_study(InMemoryStorage(), study_name(start, summary), start.search)
        examples = examples_of(summary.problem, splits["train"], splits["validation"], search)
        at_work = Trials(study, start)
        console = None if progress else Console(quiet=True)
        log = None if tracking is None else ParentRun("search", study.study_name)
        observer = Observer() if log is None else StageObserver(log, study)
        conduct(at_work, partial(given, examples), observer, console)
        outcome = summarize(copy_of(study, at_work.recorded), at_work.recorded, settings)
        if log is not None:
            log_outcome(log, outcome, settings)
    return SearchResult(study, settings, outcome)
