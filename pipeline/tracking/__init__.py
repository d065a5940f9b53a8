"""The record of every run in MLflow, and the registry's champion; no other folder imports MLflow."""
