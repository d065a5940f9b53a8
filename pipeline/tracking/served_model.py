"""The champion as MLflow runs it, a model from code: this file and `serving.py` are copied beside the model.

It runs where this project is not, and is executed by MLflow alone, once when the model is logged.
"""

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

try:
    from serving import Champion  # the copy beside the model
except ModuleNotFoundError:
    from pipeline.serving import Champion  # there is no copy yet: the model is being logged


class ServedChampion(PythonModel):
    """Raw columns or images in, class names with probabilities or numbers out; see `serving.Champion`."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the network and its preprocessing from the artifacts of the model."""
        self.champion = Champion.load(*(Path(context.artifacts[name]) for name in ("model", "preprocessing")))

    # Images come as arrays too. MLflow takes no other hint than this one without a warning, and checks none of it.
    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return a row of predictions for each row of the input.

        Raises:
            MlflowException: of a request that cannot be answered, so that the reason stands in the server's answer.
        """
        try:
            return self.champion.predict(model_input)
        except ValueError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from error


set_model(ServedChampion())
