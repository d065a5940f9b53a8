"""The pictures of a run, and the look that all pictures share."""
