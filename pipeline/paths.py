"""Where the stages leave their files, from the project's root."""

from pathlib import Path

ARCHITECTURE_FILE = Path("models/architecture.json")
SEEDS_FILE = Path("models/seeds.npz")
MODEL_FILE = Path("models/model.keras")
CHECKPOINT_FILE = Path("models/checkpoint.npz")

RESULTS = Path("experiments/results")
SIZE_FILE = RESULTS / "size.json"
HISTORY_FILE = RESULTS / "history.csv"
CURVES_FILE = RESULTS / "curves.csv"
EVALUATION_FILE = RESULTS / "evaluation.json"
SEED_SCORES_FILE = RESULTS / "seeds.csv"
LOSS_FILE = RESULTS / "loss.csv"
ERRORS_FILE = RESULTS / "errors.csv"
FIGURES = {name: RESULTS / f"{name}.svg" for name in ("loss", "score", "gap", "errors")}
