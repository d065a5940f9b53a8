"""The figures of an evaluation."""

from matplotlib.figure import Figure

from pipeline.data.splits import Summary
from pipeline.evaluation.results import Results, errors_split
from pipeline.figures import run as figures
from pipeline.statistics import scores

LABELS = {"cross_entropy": "cross-entropy (nats)", "accuracy": "accuracy", "rmse": "RMSE", "r2": "R²"}


def draw(results: Results, summary: Summary) -> dict[str, Figure]:
    """Return the figures by the names of `paths.FIGURES`."""
    loss, score = scores.METRICS[summary.task]
    history, best_epoch = results.history, results.seeds["best_epoch"].to_numpy()
    gaps = history[["seed", "epoch"]].copy()
    if {f"train_{loss}", f"validation_{loss}"} <= set(history):
        gaps[f"gap_{loss}"] = scores.gap(loss, history[f"train_{loss}"], history[f"validation_{loss}"])
    split = errors_split(summary)
    return {
        # Logarithmic: the training loss goes on falling towards 0 where the validation loss turns.
        "loss": figures.curves_figure(history, best_epoch, loss, LABELS[loss], scale="log"),
        "score": figures.curves_figure(history, best_epoch, score, LABELS[score]),
        "gap": figures.gap_figure(gaps, best_epoch, loss, LABELS[loss]),
        "errors": figures.confusion_figure(results.errors, summary.classes, split)
        if summary.classes
        else figures.agreement_figure(results.errors, split),
        "reliability": figures.reliability_figure(results.reliability, split, bool(summary.classes)),
    }
