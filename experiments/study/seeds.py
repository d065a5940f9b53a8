"""The seeds of a study, which no other stage uses."""

from pipeline.settings import Settings, seed_list

FIRST_FRESH_SEED = 1000  # counted seeds of other stages begin at 0, so these have been used by none


def fresh_seeds(settings: Settings) -> list[int]:
    """Return the study's seeds: those that are listed, or as many as asked for that no other stage uses."""
    seeds = settings.study.seeds
    return [FIRST_FRESH_SEED + seed for seed in seed_list(seeds)] if isinstance(seeds, int) else list(seeds)
