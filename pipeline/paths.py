"""Paths of the files that stages write, relative to the project's root."""

from pathlib import Path

SOURCE_FILE = Path("data/source.json")
ARCHITECTURE_FILE = Path("models/architecture.json")
SEEDS_FILE = Path("models/seeds.npz")
MODEL_FILE = Path("models/model.keras")
CHAMPION_FILE = Path("models/champion.keras")
CHECKPOINT_FILE = Path("models/checkpoint.npz")

# These name the MLflow run of a stage. They are outputs for DVC but not in git, so that a fresh clone, which has
# results but no runs, runs the stage and fills its own store.
EVALUATE_RUN_FILE = Path("models/evaluate_run.json")
SEARCH_RUN_FILE = Path("models/search_run.json")
STUDY_RUN_FILE = Path("models/study_run.json")

RESULTS = Path("experiments/results")
SEARCH_FILE = RESULTS / "search.json"
SIZE_FILE = RESULTS / "size.json"
HISTORY_FILE = RESULTS / "history.csv"
CURVES_FILE = RESULTS / "curves.csv"
EVALUATION_FILE = RESULTS / "evaluation.json"
SEED_SCORES_FILE = RESULTS / "seeds.csv"
LOSS_FILE = RESULTS / "loss.csv"
ERRORS_FILE = RESULTS / "errors.csv"
CLASSES_FILE = RESULTS / "classes.csv"
RELIABILITY_FILE = RESULTS / "reliability.csv"
FIGURES = {name: RESULTS / f"{name}.svg" for name in ("loss", "score", "gap", "errors", "reliability")}
