"""The pictures: the same input the same bytes, and a picture also where there is little to show."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from pipeline.figures.run import agreement_figure, confusion_figure, curves_figure, gap_figure
from pipeline.figures.style import save


def history(seeds: int = 3, epochs: int = 6) -> pd.DataFrame:
    """Seeds that stop one epoch after the other."""
    rng = np.random.default_rng(0)
    rows = [(seed, epoch) for seed in range(seeds) for epoch in range(1, epochs + seed + 1)]
    table = pd.DataFrame(rows, columns=["seed", "epoch"])
    for name in ("train_cross_entropy", "validation_cross_entropy", "gap_cross_entropy"):
        table[name] = 1 / table["epoch"] + rng.uniform(0, 0.1, len(table))
    return table


def confusion(classes: list[str], counts: np.ndarray) -> pd.DataFrame:
    pairs = [(actual, predicted) for actual in classes for predicted in classes]
    return pd.DataFrame(pairs, columns=["actual", "predicted"]).assign(count=counts.ravel())


BEST = np.array([3, 4, 5])
NUMBERS = pd.DataFrame({"actual": [1.0, 2.0, 3.0], "predicted": [1.5, 1.5, 2.5]})
FIGURES = {
    "curves": lambda: curves_figure(history(), BEST, "cross_entropy", "cross-entropy (nats)", scale="log"),
    "gap": lambda: gap_figure(history(), BEST, "cross_entropy", "cross-entropy (nats)"),
    "confusion": lambda: confusion_figure(confusion(["a", "b"], np.array([[3, 1], [0, 4]])), ["a", "b"], "test"),
    "agreement": lambda: agreement_figure(NUMBERS, "test"),
}


def texts(figure: Figure) -> str:
    """All the text in a picture, as a reader of the SVG can search it."""
    save(figure, Path("figure.svg"))
    return " ".join(
        "".join(element.itertext()) for element in ElementTree.parse("figure.svg").iter() if "text" in element.tag
    )


@pytest.mark.parametrize("name", FIGURES)
def test_same_input_gives_the_same_bytes(folder, name):
    for path in ("one.svg", "two.svg"):
        save(FIGURES[name](), Path(path))
    assert Path("one.svg").read_bytes() == Path("two.svg").read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == ["one.svg", "two.svg"]


def test_curves_name_both_splits_the_number_of_seeds_and_the_axes(folder):
    found = texts(FIGURES["curves"]())
    for text in (
        "training: mean and range of 3 seeds",
        "validation: mean",
        "best epochs",
        "epoch",
        "cross-entropy (nats)",
    ):
        assert text in found


def test_mean_ends_where_the_first_seed_stops(folder):
    [axes] = FIGURES["curves"]().axes
    mean = next(line for line in axes.lines if str(line.get_label()).startswith("training: mean"))
    assert mean.get_xdata().tolist() == [1, 2, 3, 4, 5, 6]
    table = history().pivot_table(index="epoch", columns="seed", values="train_cross_entropy")
    np.testing.assert_allclose(mean.get_ydata(), table.loc[:6].mean(axis=1))


def test_one_seed_has_no_range(folder):
    found = texts(curves_figure(history(seeds=1), BEST[:1], "cross_entropy", "nats"))
    assert "mean and range" not in found
    assert "best epoch" in found


def test_one_epoch_is_a_picture(folder):
    assert "training" in texts(
        curves_figure(history(seeds=1, epochs=1), BEST[:1], "cross_entropy", "nats", scale="log")
    )


def test_no_best_epoch_is_no_mark(folder):
    assert "best" not in texts(curves_figure(history(), np.zeros(3, int), "cross_entropy", "nats"))


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_nothing_scored_is_said_in_the_picture(folder, scale):
    bare = history()[["seed", "epoch"]]
    assert "no curves" in texts(curves_figure(bare, BEST, "cross_entropy", "nats", scale=scale))
    assert "no gap" in texts(gap_figure(bare, BEST, "cross_entropy", "nats"))


def test_confusion_is_shares_of_each_true_class_in_the_order_of_the_classes(folder):
    # As numbers they stand in another order than as text.
    classes = ["2", "10"]
    figure = confusion_figure(confusion(classes, np.array([[3, 1], [0, 4]])), classes, "test")
    picture = figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(picture, [[0.75, 0.25], [0, 1]])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == classes


def test_dollars_in_a_class_are_no_formula(folder):
    classes = ["$10_$20", "a$%$", "$0-$50"]
    found = texts(confusion_figure(confusion(classes, np.eye(3)), classes, "test"))
    assert all(name in found for name in classes)


def test_class_without_a_test_row_is_an_empty_line(folder):
    figure = confusion_figure(confusion(["a", "b"], np.array([[3, 1], [0, 0]])), ["a", "b"], "test")
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), [[0.75, 0.25], [0, 0]])
    save(figure, Path("figure.svg"))


def test_many_classes_have_colours_and_no_numbers(folder):
    classes = [f"c{number:02}" for number in range(20)]
    figure = confusion_figure(confusion(classes, np.eye(20, dtype=int)), classes, "test")
    assert len(figure.axes[0].texts) == 0
    save(figure, Path("figure.svg"))
