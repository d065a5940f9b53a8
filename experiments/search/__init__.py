"""The search: Optuna over optimizers and regularization, several seeds in every trial."""
