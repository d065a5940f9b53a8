"""The report of the study: one page with its pictures, made from result files alone."""
