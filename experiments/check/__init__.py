"""A check that DVC, Optuna and MLflow say the same of the last run."""
