"""What MLflow's page shows of an experiment when it is opened by a link: which runs, and which columns."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Without it MLflow guesses what the experiment is for, and shows its pages for language models.
KIND = {"mlflow.experimentKind": "custom_model_development"}
# Where MLflow keeps the views that its button Share makes; it reads them as JSON too.
VIEW_TAG = "mlflow.sharedViewState."


def share_view(client: "MlflowClient", experiment_id: str, key: str, parent: str, columns: Sequence[str]) -> str:
    """Make a view of a parent's children with these columns, the lowest of the first on top; its link.

    Args:
        columns: such as ``metrics.`best_epoch` ``.
    """
    state = {
        "searchFilter": f"tags.`mlflow.parentRunId` = '{parent}'",
        "orderByKey": columns[0],  # in the order of time the page would fold them under their parent
        "orderByAsc": True,
        "selectedColumns": list(columns),
    }
    client.set_experiment_tag(experiment_id, f"{VIEW_TAG}{key}", json.dumps(state))
    return f"#/experiments/{experiment_id}/runs?viewStateShareKey={key}"
