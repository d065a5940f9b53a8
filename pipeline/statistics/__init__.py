"""Scores, intervals, comparisons, overfitting and learning curves: arrays in, plain values out."""
