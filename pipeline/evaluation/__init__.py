"""The evaluation of trained seeds: scores with intervals, curves, errors, figures, and the run that MLflow records."""
