"""Early stopping as a part of other arms, which then are compared at their best epochs."""

from pipeline.settings import EarlyStopping, Settings


def stopped_early(settings: Settings, configured: Settings) -> Settings:
    """Return the settings with early stopping as configured."""
    return _with_stopping(settings, configured.train.early_stopping or EarlyStopping())


def at_best_epoch(settings: Settings) -> Settings:
    """Return the settings with early stopping that never stops, so that only the best epoch's weights are kept."""
    return _with_stopping(settings, EarlyStopping(patience=settings.train.epochs))


def _with_stopping(settings: Settings, stopping: EarlyStopping) -> Settings:
    return settings.model_copy(update={"train": settings.train.model_copy(update={"early_stopping": stopping})})
