"""From a table or small images to a trained, tracked and evaluated MLP, one stage a file.

From Python: `from pipeline import fit, MLPClassifier, MLPRegressor, Model, Train`. Each name is imported when it is
first used, so that importing the package takes no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.estimators import MLPClassifier, MLPRegressor
    from pipeline.fitting import FittedModel, fit
    from pipeline.settings import Data, EarlyStopping, Model, Schedule, Search, Study, Train

__all__ = [
    "Data", "EarlyStopping", "FittedModel", "MLPClassifier", "MLPRegressor", "Model", "Schedule", "Search", "Study",
    "Train", "fit",
]  # fmt: skip
MODULES = {
    "pipeline.estimators": ("MLPClassifier", "MLPRegressor"),
    "pipeline.fitting": ("FittedModel", "fit"),
    "pipeline.settings": ("Data", "EarlyStopping", "Model", "Schedule", "Search", "Study", "Train"),
}


def __getattr__(name: str) -> Any:
    for module, names in MODULES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
