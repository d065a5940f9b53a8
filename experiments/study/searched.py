"""The schema of `search.json`, from which the section on the search's winner is made."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from pipeline.files import read_json, read_of
from pipeline.paths import RESULTS
from pipeline.settings import TrialSettings
from pipeline.statistics.intervals import Interval

SEARCH_FILE = RESULTS / "search.json"


class SearchedTrial(BaseModel):
    """A complete trial of a search; `value` is that of the first objective, over the seeds."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    trial: int
    values: list[float]
    value: Interval
    seeds: int
    facts: dict[str, Any]
    params: dict[str, Any]
    settings: TrialSettings


class Search(BaseModel):
    """The part of `search.json` that others read; a file of an earlier version may have more."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    study: str
    objectives: list[str]
    folds: int | None
    counts: dict[Literal["running", "complete", "pruned", "fail", "waiting"], int]
    all_diverged: bool
    best: SearchedTrial | None
    default: SearchedTrial | None
    incumbents: list[SearchedTrial]
    best_of_each_optimizer: dict[str, SearchedTrial]
    importance: dict[str, float]
    pareto_front: list[SearchedTrial] | None = None  # of a search by two objectives


def read_search() -> dict[str, Any]:
    """Read `search.json`, as plain data.

    Raises:
        InputError: the file is missing or not what the stage search writes.
    """

    def checked(content: dict[str, Any]) -> dict[str, Any]:
        Search.model_validate(content)
        return content

    return read_of("search", SEARCH_FILE, lambda path: checked(read_json(path)))
