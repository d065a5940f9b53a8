"""The questions of a study, each with the arms that it compares."""
