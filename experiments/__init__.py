"""What is made with the library: searches, studies, their report, benchmarks."""
