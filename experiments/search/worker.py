"""A worker of a search, which takes trials from the queue until none waits or the search is over."""

# ruff: noqa: E402 (the process is configured before anything imports TensorFlow)
from pipeline.training.fast.process import compile_for, configure

configure()

import json
import sys
import time
from collections.abc import Callable

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import Trial, TrialState

from experiments.processes import stop_when_asked
from experiments.search import queue, space, storage
from experiments.search.rows import read_examples
from experiments.search.trial import run_trial
from pipeline.data.examples import Examples
from pipeline.errors import InputError
from pipeline.params import parse_settings
from pipeline.settings import Settings, seed_list
from pipeline.training.optimizers import default_learning_rate
from pipeline.training.trainer import Epoch

# Until it ends, a process keeps the code that XLA compiled for each trial: about 7 MB, and 24 to 75 of the 65,530
# memory maps that Linux allows a process.
TRIALS_PER_PROCESS = 100


def work(url: str | None, name: str, is_orphan: Callable[[], bool] = lambda: False) -> bool:
    """Work at the study of this name until its queue is empty, the search is over or this process has grown large.

    Args:
        url: the study's storage, as in `search.storage`.
        is_orphan: tells whether the process that started this one is gone, so that this one ends after its trial.

    Returns:
        Whether a new process is to go on in place of this one.

    Raises:
        InputError: there is no such study, the data here is not the study's, or it has too few rows for the folds.
    """
    asked_to_stop = stop_when_asked()
    study_storage, attributes = open_search(url, name)
    settings = parse_settings(json.loads(attributes["settings"]), f"the study {name}")
    study = storage.open_study(study_storage, name, settings.search, settings.train.epochs)
    examples = read_examples(attributes["data"], settings.search)
    compile_for(examples.train_rows.shape[1] * settings.train.epochs)
    done, idle_since = 0, time.monotonic()
    with queue.sign_of_life(url) as worker:
        while not asked_to_stop() and not is_orphan():
            attributes = study.user_attrs
            if not attributes["open"] or time.time() > attributes["deadline"]:
                return False
            if done == TRIALS_PER_PROCESS:
                return True
            trial = queue.take(study, study_storage, settings.search, worker)
            if trial is not None:
                run(study, study_storage, trial, settings, examples, attributes["deadline"])
                done, idle_since = done + 1, time.monotonic()
            elif queue.is_filled(study) or time.monotonic() - idle_since > queue.IDLE_SECONDS:
                return False
            else:
                time.sleep(0.2)
    return False


def open_search(url: str | None, name: str) -> tuple[BaseStorage, dict]:
    """Return the study's storage, and the attributes that the search set for its workers.

    Raises:
        InputError: there is no such study.
    """
    unknown = InputError(f"{storage.name_of(url)} has no study {name}; start the search first")
    path = storage.journal_path(url)
    if path and not path.exists():
        raise unknown
    study_storage = storage.open_storage(url)
    try:
        attributes = optuna.load_study(storage=study_storage, study_name=name).user_attrs
    except KeyError:
        raise unknown from None
    if "open" not in attributes:  # the study is still being set up, or is not this project's
        raise unknown
    return study_storage, attributes


def run(
    study: optuna.Study,
    study_storage: BaseStorage,
    trial: Trial,
    settings: Settings,
    examples: Examples,
    deadline: float = float("inf"),
) -> None:
    """Run one trial and tell the study how it ended; an error in it fails the trial, not the worker."""
    try:
        with queue.alive(trial, study_storage):
            _run(study, study_storage, trial, settings, examples, deadline)
    except queue.OutOfTime:
        queue.put_back(study_storage, trial._trial_id)
    except (UpdateFinishedTrialError, queue.TakenAway):
        print(f"trial {trial.number} was given to another worker meanwhile", file=sys.stderr)


def _run(
    study: optuna.Study,
    study_storage: BaseStorage,
    trial: Trial,
    settings: Settings,
    examples: Examples,
    deadline: float,
) -> None:
    began = time.monotonic()

    def check_time(_: Epoch) -> None:
        if time.time() > deadline:
            raise queue.OutOfTime

    def tell(state: TrialState, values: list[float] | None = None, **attributes: object) -> None:
        if study_storage.get_trial(trial._trial_id).state != TrialState.RUNNING:
            raise queue.TakenAway
        for name, value in (attributes | {"seconds": time.monotonic() - began}).items():
            trial.set_user_attr(name, value)
        study.tell(trial, values, state)

    seeds = seed_list(settings.search.seeds)
    try:
        chosen = choose(study, study_storage, trial, settings)
        reporter = _reporter(trial, settings, study_storage.get_trial(trial._trial_id).intermediate_values)
        training_began = time.monotonic()
        outcome = run_trial(examples, chosen, seeds, reporter, [check_time])
        trained = time.monotonic() - training_began
    except optuna.TrialPruned:
        tell(TrialState.PRUNED)
    except (UpdateFinishedTrialError, queue.OutOfTime, *storage.LOST):
        raise
    except Exception as error:
        message = " ".join(str(error).split())
        tell(TrialState.FAIL, error=f"{type(error).__name__}: {message}"[:2000])
    else:
        tell(TrialState.COMPLETE, outcome.values, facts=outcome.facts, training_seconds=trained)


def choose(study: optuna.Study, study_storage: BaseStorage, trial: Trial, settings: Settings) -> Settings:
    """Return the trial's settings; the first has the configured ones, recorded as far as the space has them."""
    dimensions = settings.search.space
    if trial.number > 0:
        chosen = space.suggest(trial, dimensions, settings)
        trial.set_user_attr("settings", _shown(chosen))
        return chosen
    known = space.represent(settings, dimensions, default_learning_rate(settings.train))
    study_storage.set_trial_system_attr(trial._trial_id, "fixed_params", known)
    space.record(Trial(study, trial._trial_id), dimensions, known)
    trial.set_user_attr("settings", _shown(settings))
    return settings


def _shown(settings: Settings) -> dict[str, object]:
    return settings.model_dump(include={"model", "train"})


def _reporter(trial: Trial, settings: Settings, reported: dict[int, float]) -> Callable[[int, float], None]:
    def report(epoch: int, value: float) -> None:
        if len(settings.search.objectives) > 1:  # Optuna prunes by one objective only
            return
        # A trial whose worker died reports the same values again, which Optuna would warn of.
        if epoch not in reported:
            trial.report(value, epoch)
        # The first trial is the default that all others are compared with, so it is never pruned.
        if trial.number > 0 and trial.should_prune():
            trial.set_user_attr("facts", {"epochs": epoch, "value_so_far": value})
            raise optuna.TrialPruned

    return report
