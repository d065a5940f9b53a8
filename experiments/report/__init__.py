"""The study as one page with its pictures, from result files alone."""
