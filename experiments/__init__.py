"""Uses of the library: searches, studies, their report, benchmarks.

From Python: `from experiments import run_search, run_study`; each is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.searches import SearchResult, run_search
    from experiments.studies import StudyResult, run_study

__all__ = ["SearchResult", "StudyResult", "run_search", "run_study"]
MODULES = {
    "experiments.searches": ("SearchResult", "run_search"),
    "experiments.studies": ("StudyResult", "run_study"),
}


def __getattr__(name: str) -> Any:
    for module, names in MODULES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
