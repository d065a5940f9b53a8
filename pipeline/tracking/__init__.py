"""Logging of runs to MLflow, and the champion in its registry; no other folder imports MLflow."""
