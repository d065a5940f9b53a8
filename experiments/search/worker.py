"""A worker of a search: takes trials from the queue until none waits or the search is over."""

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
from pipeline.settings import Settings, parse_settings, seed_list
from pipeline.training.fast.compiler import compile_for
from pipeline.training.optimizers import default_learning_rate
from pipeline.training.trainer import Epoch

# Until it ends, a process keeps what XLA compiled for each trial: about 7 MB, and 24 to 75 of the 65,530 memory maps
# that Linux allows it.
TRIALS_PER_PROCESS = 100


def work(url: str | None, name: str, is_orphan: Callable[[], bool] = lambda: False) -> bool:
    """Work at the study of this name until its queue is empty, the search is over or this process has grown large.

    Args:
        url: its storage, as `search.storage`.
        is_orphan: whether the process that started this one is gone, and this one is to end after its trial.

    Returns:
        Whether a new process is to go on in its place.

    Raises:
        InputError: no such study, or the data here is not what it searches on, or has too few rows for its folds.
    """
    asked_to_stop = stop_when_asked()
    kept, attributes = open_search(url, name)
    settings = parse_settings(json.loads(attributes["settings"]), f"the study {name}")
    study = storage.open_study(kept, name, settings.search, settings.train.epochs)
    examples = read_examples(attributes["data"], settings.search)
    compile_for(examples.train_rows.shape[1] * settings.train.epochs * len(seed_list(settings.search.seeds)))
    done, idle_since = 0, time.monotonic()
    with queue.sign_of_life(url) as worker:
        while not asked_to_stop() and not is_orphan():
            attributes = study.user_attrs
            if not attributes["open"] or time.time() > attributes["deadline"]:
                return False
            if done == TRIALS_PER_PROCESS:
                return True
            trial = queue.take(study, kept, settings.search, worker)
            if trial is not None:
                run(study, kept, trial, settings, examples, attributes["deadline"])
                done, idle_since = done + 1, time.monotonic()
            elif queue.is_filled(study) or time.monotonic() - idle_since > queue.IDLE_SECONDS:
                return False
            else:
                time.sleep(0.2)
    return False


def open_search(url: str | None, name: str) -> tuple[BaseStorage, dict]:
    """The storage, and what the search has left in it for its workers.

    Raises:
        InputError: there is no such study.
    """
    unknown = InputError(f"{storage.without_password(url)} has no study {name}; start the search first")
    path = storage.journal_path(url)
    if path and not path.exists():
        raise unknown
    kept = storage.open_storage(url)
    try:
        attributes = optuna.load_study(storage=kept, study_name=name).user_attrs
    except KeyError:
        raise unknown from None
    if "open" not in attributes:  # it is being made, or is none of ours
        raise unknown
    return kept, attributes


def run(
    study: optuna.Study,
    kept: BaseStorage,
    trial: Trial,
    settings: Settings,
    examples: Examples,
    deadline: float = float("inf"),
) -> None:
    """Run one trial and tell the study how it ended; an error in it is the trial's, not the worker's."""
    try:
        with queue.alive(trial, kept):
            _run(study, kept, trial, settings, examples, deadline)
    except queue.OutOfTime:
        queue.put_back(kept, trial._trial_id)
    except (UpdateFinishedTrialError, queue.TakenAway):
        print(f"trial {trial.number} was given to another worker meanwhile", file=sys.stderr)


def _run(
    study: optuna.Study, kept: BaseStorage, trial: Trial, settings: Settings, examples: Examples, deadline: float
) -> None:
    began = time.monotonic()

    def check_time(_: Epoch) -> None:
        if time.time() > deadline:
            raise queue.OutOfTime

    def tell(state: TrialState, values: list[float] | None = None, **attributes: object) -> None:
        if kept.get_trial(trial._trial_id).state != TrialState.RUNNING:
            raise queue.TakenAway
        for name, value in (attributes | {"seconds": time.monotonic() - began}).items():
            trial.set_user_attr(name, value)
        study.tell(trial, values, state)

    seeds = seed_list(settings.search.seeds)
    try:
        chosen = choose(study, kept, trial, settings)
        reporter = _reporter(trial, settings, kept.get_trial(trial._trial_id).intermediate_values)
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


def choose(study: optuna.Study, kept: BaseStorage, trial: Trial, settings: Settings) -> Settings:
    """The trial's settings; those of the first are the configured ones, recorded as far as the space has them."""
    dimensions = settings.search.space
    if trial.number > 0:
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


def _reporter(trial: Trial, settings: Settings, before: dict[int, float]) -> Callable[[int, float], None]:
    def report(epoch: int, value: float) -> None:
        if len(settings.search.objectives) > 1:  # Optuna prunes by one objective only
            return
        if epoch not in before:  # a trial whose worker died reports the same again, which Optuna warns of
            trial.report(value, epoch)
        # The first is what all others are compared to.
        if trial.number > 0 and trial.should_prune():
            trial.set_user_attr("facts", {"epochs": epoch, "value_so_far": value})
            raise optuna.TrialPruned

    return report
