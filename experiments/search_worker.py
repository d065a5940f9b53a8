"""A worker of a search: takes trials from the queue until none waits."""

import json
import signal
import time
from collections.abc import Callable

import optuna
from optuna.storages import BaseStorage
from optuna.trial import Trial, TrialState

from experiments import search_space as space
from experiments import search_storage as storage
from experiments.search_trial import run_trial
from pipeline.errors import InputError
from pipeline.examples import Examples
from pipeline.optimizers import default_learning_rate
from pipeline.params import Settings, parse_settings, seed_list
from pipeline.splits import Summary, read_split, read_summary


def work(url: str | None, name: str, number: int = 0) -> None:
    """Work at the study of this name until its queue is empty or the search is asked to stop.

    Args:
        url: its storage, as `search.storage`.
        number: of this worker among others; each draws from a seed of its own.

    Raises:
        InputError: no such study, or the data here is not what it searches on.
    """
    kept = storage.open_storage(url)
    try:
        attributes = optuna.load_study(storage=kept, study_name=name).user_attrs
    except KeyError:
        raise InputError(f"the storage has no study {name}; start the search first") from None
    settings = parse_settings(json.loads(attributes["settings"]), f"the study {name}")
    study = storage.open_study(kept, name, settings.search, settings.train.epochs, number)
    examples = read_examples(attributes["data"])
    stop = _stop_when_asked()
    while not stop() and time.time() < attributes.get("deadline", float("inf")):
        trial = storage.take(study, kept)
        if trial is None:
            return
        run(study, kept, trial, settings, examples)


def read_examples(digests: dict[str, str]) -> Examples:
    """The prepared training and validation rows.

    Raises:
        InputError: they are not those of the study.
    """
    summary: Summary = read_summary()
    found = {name: summary.digest[name] for name in digests}
    if found != digests:
        raise InputError("data/prepared is not the data that this study searches on; prepare the same here first")
    return Examples.of_splits(
        summary.problem, read_split("train"), read_split("validation"), summary.target_scale or 1.0
    )


def run(study: optuna.Study, kept: BaseStorage, trial: Trial, settings: Settings, examples: Examples) -> None:
    """Run one trial and tell the study how it ended; an error in it is the trial's, not the worker's."""
    began = time.monotonic()
    with storage.alive(trial, kept):
        try:
            chosen = choose(study, kept, trial, settings)
            outcome = run_trial(examples, chosen, seed_list(settings.search.seeds), _reporter(trial, settings))
        except optuna.TrialPruned:
            trial.set_user_attr("seconds", time.monotonic() - began)
            study.tell(trial.number, state=TrialState.PRUNED)
        except Exception as error:
            trial.set_user_attr("error", f"{type(error).__name__}: {error}"[:2000])
            study.tell(trial.number, state=TrialState.FAIL)
        else:
            trial.set_user_attr("facts", outcome.facts)
            trial.set_user_attr("seconds", time.monotonic() - began)
            study.tell(trial.number, outcome.values)


def choose(study: optuna.Study, kept: BaseStorage, trial: Trial, settings: Settings) -> Settings:
    """The trial's settings; those of the first are the configured ones, as far as the space has them recorded."""
    dimensions = settings.search.space
    if trial.user_attrs["slot"] > 0:
        chosen = space.suggest(trial, dimensions, settings)
        trial.set_user_attr("settings", _shown(chosen))
        return chosen
    known = space.represent(settings, dimensions, default_learning_rate(settings.train))
    kept.set_trial_system_attr(trial._trial_id, "fixed_params", known)
    space.record(Trial(study, trial._trial_id), dimensions, known)
    trial.set_user_attr("settings", _shown(settings))
    return settings


def _shown(settings: Settings) -> dict[str, object]:
    return settings.model_dump(include={"model", "train"})


def _reporter(trial: Trial, settings: Settings) -> Callable[[int, float], None]:
    def report(epoch: int, value: float) -> None:
        if len(settings.search.objectives) > 1:  # Optuna prunes by one objective only
            return
        trial.report(value, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    return report


def _stop_when_asked() -> Callable[[], bool]:
    """Ctrl-C reaches all processes of a terminal; the search answers it, and asks its workers to stop by SIGTERM."""
    asked = []
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: asked.append(True))
    return lambda: bool(asked)
