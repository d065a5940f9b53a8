"""Benchmarks of this project against the tools that people would use instead; `make bench` runs them."""
