"""The figures of a benchmark: the speed of each peer relative to the stock one, and how time and memory grow."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from experiments.benchmarks import growth
from experiments.benchmarks.epochs import FLOOR, OURS
from experiments.benchmarks.records import Record
from pipeline.figures.style import BLUE, GREY, ORANGE

ROW, TITLE = 0.24, 0.75  # inches
MEMORY_AXIS = 100, 10_000  # MB; with the ends of the values alone, the least growth would look steep
PARTS = ("epochs", "search", "study")


def benchmark_figure(records: Sequence[Record]) -> Figure:
    """Plot a panel for each work whose peers are compared: this project as blue dots, its peers as orange squares."""
    works: dict[str, list[tuple[float, Record]]] = {}
    for record in records:
        if record.part in PARTS and record.ratio is not None:
            works.setdefault(record.work, []).append((record.ratio, record))
    heights = [ROW * len(of_work) + TITLE for of_work in works.values()] or [TITLE]
    figure = Figure(figsize=(8, sum(heights) + 0.3), layout="constrained")
    panels = figure.subplots(len(heights), sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    for axes, (work, of_work) in zip(panels, works.items(), strict=False):
        _panel(axes, work, of_work)
    panels[-1].set_xlabel("times as fast as the stock peer (1); for epochs, per seed")
    return figure


def _panel(axes: Axes, work: str, records: Sequence[tuple[float, Record]]) -> None:
    """Draw the records of one work, each with its ratio."""
    records = sorted(records, key=lambda pair: -pair[0])
    for place, (ratio, record) in enumerate(records):
        color, marker = {OURS: (BLUE, "o"), FLOOR: (GREY, "D")}.get(record.peer, (ORANGE, "s"))
        scale = ratio * record.median
        axes.plot([scale / record.high, scale / record.low], [place, place], color=color, linewidth=2, alpha=0.5)
        axes.plot(ratio, place, marker, color=color)
        text = f"{ratio:.2g}" if ratio < 10 else f"{ratio:.0f}"
        axes.annotate(text, (scale / record.low, place), (6, 0), textcoords="offset points", va="center", fontsize=9)
    axes.axvline(1, color=GREY, linewidth=1, linestyle=":")
    axes.set_yticks(range(len(records)), [_label(record) for _, record in records])
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


def growth_figure(records: Sequence[Record]) -> Figure:
    """Plot a column for each size that grows, its seconds above its memory, with the exponents in the legends."""
    growing = growth.by_work(records)
    works = sorted({work for work, _ in growing if not work.startswith(growth.MEMORY)})
    figure = Figure(figsize=(max(1, len(works)) * 2.6, 4.8), layout="constrained")
    panels = figure.subplots(2, max(1, len(works)), squeeze=False, sharex="col")
    for place, work in enumerate(works):
        for axes, name in zip(panels[:, place], (work, growth.MEMORY + work), strict=True):
            for (of, peer), measured in growing.items():
                if of == name:
                    _grown(axes, peer, measured)
            axes.set(xscale="log", yscale="log")
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter(NullFormatter())
            axes.legend(fontsize=7, frameon=False, loc="lower right")
        panels[0, place].margins(y=0.25)
        panels[1, place].set_ylim(*MEMORY_AXIS)
        panels[0, place].set_title(work, fontsize=9)
    panels[0, 0].set_ylabel("seconds")
    panels[1, 0].set_ylabel("peak memory, MB")
    return figure


def _grown(axes: Axes, peer: str, measured: Sequence[Record]) -> None:
    color, marker = (BLUE, "o") if peer == OURS else (ORANGE, "s")
    label = f"{peer}: exponent {growth.exponent(measured):.2f}"
    axes.plot([one.size for one in measured], [one.median for one in measured], color=color, marker=marker, label=label)
