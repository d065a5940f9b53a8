"""Where the stages leave their files, from the project's root."""

from pathlib import Path

ARCHITECTURE_FILE = Path("models/architecture.json")
SEEDS_FILE = Path("models/seeds.npz")
MODEL_FILE = Path("models/model.keras")
CHAMPION_FILE = Path("models/champion.keras")
CHECKPOINT_FILE = Path("models/checkpoint.npz")

# The MLflow run that a stage made. DVC knows it and git does not, so a fresh clone, which has the results but no runs,
# runs the stage and fills a store of its own.
EVALUATE_RUN_FILE = Path("models/evaluate_run.json")
SEARCH_RUN_FILE = Path("models/search_run.json")
STUDY_RUN_FILE = Path("models/study_run.json")

RESULTS = Path("experiments/results")
SIZE_FILE = RESULTS / "size.json"
HISTORY_FILE = RESULTS / "history.csv"
CURVES_FILE = RESULTS / "curves.csv"
EVALUATION_FILE = RESULTS / "evaluation.json"
SEED_SCORES_FILE = RESULTS / "seeds.csv"
LOSS_FILE = RESULTS / "loss.csv"
ERRORS_FILE = RESULTS / "errors.csv"
FIGURES = {name: RESULTS / f"{name}.svg" for name in ("loss", "score", "gap", "errors")}
