"""Links to MLflow's page of an experiment that show chosen runs and columns."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Without this tag MLflow guesses the purpose of the experiment and shows its pages for language models.
KIND = {"mlflow.experimentKind": "custom_model_development"}
# MLflow stores the views of its button Share in tags with this prefix; it also reads uncompressed JSON there.
VIEW_TAG = "mlflow.sharedViewState."
# Whatever the tag says, the menus are those for language models unless the address or the browser's memory says so.
MENUS = "workflowType=machine_learning"


def share_view(client: "MlflowClient", experiment_id: str, key: str, parent: str, columns: Sequence[str]) -> str:
    """Make a view of a parent's children with these columns, sorted by the first one; return its link.

    Args:
        columns: such as ``metrics.`best_epoch` ``.
    """
    state = {
        "searchFilter": f"tags.`mlflow.parentRunId` = '{parent}'",
        "orderByKey": columns[0],  # sorted by time, the page would fold them under their parent
        "orderByAsc": True,
        "selectedColumns": list(columns),
    }
    client.set_experiment_tag(experiment_id, f"{VIEW_TAG}{key}", json.dumps(state))
    return f"#/experiments/{experiment_id}/runs?{MENUS}&viewStateShareKey={key}"
