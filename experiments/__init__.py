"""What is learnt by training many configurations: benchmarks, searches, studies."""
