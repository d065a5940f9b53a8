"""Uses of the library: searches, studies, their report, benchmarks."""
