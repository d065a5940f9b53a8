"""The schema of what the study and the check read of `search.json`."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.files import read_json, read_of
from pipeline.paths import SEARCH_FILE
from pipeline.settings import TrialSettings


class SearchedTrial(BaseModel):
    """A complete trial of a search; the first of its values is of the objective by which it is the best."""

    model_config = ConfigDict(frozen=True)

    trial: int
    values: Annotated[list[float], Field(min_length=1)]
    facts: dict[str, Any]
    settings: TrialSettings


class Search(BaseModel):
    """The part of `search.json` that the study and the check read; the file has more."""

    model_config = ConfigDict(frozen=True)

    study: str
    folds: int | None
    counts: dict[Literal["running", "complete", "pruned", "fail", "waiting"], int]
    best: SearchedTrial | None
    default: SearchedTrial | None
    incumbents: list[SearchedTrial]
    best_of_each_optimizer: dict[str, SearchedTrial]
    pareto_front: list[SearchedTrial] = []  # of a search by two objectives


def read_search() -> dict[str, Any]:
    """Read `search.json`, as plain data.

    Raises:
        InputError: the file is missing or not what the stage search writes.
    """

    def checked(content: dict[str, Any]) -> dict[str, Any]:
        Search.model_validate(content)
        return content

    return read_of("search", SEARCH_FILE, lambda path: checked(read_json(path)))
