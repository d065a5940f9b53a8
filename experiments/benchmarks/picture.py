"""The picture of a benchmark: how many times as fast as the stock peer each one is, on a logarithmic axis."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.benchmarks.epochs import FLOOR, OURS
from experiments.benchmarks.records import Record
from pipeline.figures.style import BLUE, GREY, ORANGE

ROW, TITLE = 0.24, 0.75  # inches
PARTS = ("epochs", "search", "study")


def benchmark_figure(records: Sequence[Record]) -> Figure:
    """A panel for each work whose peers are compared; this project is blue and has dots, its peers orange squares."""
    shown = [each for each in records if each.part in PARTS and each.ratio is not None]
    works = {work: [each for each in shown if each.work == work] for work in dict.fromkeys(each.work for each in shown)}
    heights = [ROW * len(own) + TITLE for own in works.values()] or [TITLE]
    figure = Figure(figsize=(8, sum(heights) + 0.3), layout="constrained")
    panels = figure.subplots(len(heights), sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    for axes, (work, own) in zip(panels, works.items(), strict=False):
        _panel(axes, work, own)
    panels[-1].set_xlabel("times as fast as the stock peer (1); for epochs, per seed")
    return figure


def _panel(axes: Axes, work: str, records: Sequence[Record]) -> None:
    records = sorted(records, key=lambda each: -each.ratio)
    for place, each in enumerate(records):
        color, marker = {OURS: (BLUE, "o"), FLOOR: (GREY, "D")}.get(each.peer, (ORANGE, "s"))
        scale = each.ratio * each.median
        axes.plot([scale / each.high, scale / each.low], [place, place], color=color, linewidth=2, alpha=0.5)
        axes.plot(each.ratio, place, marker, color=color)
        text = f"{each.ratio:.2g}" if each.ratio < 10 else f"{each.ratio:.0f}"
        axes.annotate(text, (scale / each.low, place), (6, 0), textcoords="offset points", va="center", fontsize=9)
    axes.axvline(1, color=GREY, linewidth=1, linestyle=":")
    axes.set_yticks(range(len(records)), [_label(each) for each in records])
    axes.set(xscale="log", title=work)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.title.set(fontsize=10, ha="left", x=0)
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.1, y=0.6 / len(records))
    axes.invert_yaxis()


def _label(record: Record) -> str:
    if record.part != "epochs" or record.peer != OURS:
        return record.peer
    return f"{record.peer}, {record.seeds} seed{'s' if record.seeds > 1 else ''}"
