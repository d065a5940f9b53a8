"""The report: it says what the records say, whichever way they point, in a page that stands alone."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from experiments import report, study_record
from experiments.study_record import (
    About,
    Arm,
    Cost,
    EqualTime,
    Incumbent,
    Interval,
    Optimism,
    Overfits,
    PowerLaw,
    Recommendation,
    SectionName,
    Study,
    StudyRun,
    write_study,
)  # fmt: skip
from pipeline.params import Settings

NASTY = "<script>alert(1)</script>"
DOLLARS = "cost $ & more $"
SECTIONS = get_args(SectionName)
NO_DIFFERENCE = "no detectable difference"


@dataclass(frozen=True)
class Made:
    """A study that nobody ran, with what belongs to it.

    Attributes:
        effect: of the remedies: mixed, none, helps, hurts.
    """

    task: str = "classification"
    sections: tuple[str, ...] = SECTIONS
    seeds: int = 10
    effect: str = "mixed"
    source: str = "digits"
    target: str | None = None
    classes: tuple[str, ...] = tuple("0123456789")
    features: tuple[str, ...] | None = None
    diverged: int = 0
    test_rows: int = 360
    changed_after_a_look: bool = False
    rows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def loss(self) -> str:
        return "cross_entropy" if self.task == "classification" else "rmse"

    @property
    def score(self) -> str:
        return "accuracy" if self.task == "classification" else "r2"

    @property
    def scale(self) -> float:
        return 1.0 if self.task == "classification" else 430.0

    def interval(self, mean: float | None, half: float = 0.0) -> Interval:
        if mean is None or self.seeds < 2:
            return Interval(mean=mean, low=None, high=None)
        return Interval(mean=mean, low=mean - half, high=mean + half)

    def arm(
        self,
        section: str,
        name: str,
        factor: str,
        group: str,
        loss: float,
        x: float | None = None,
        reference: str | None = None,
        base: float = 0.12,
        train: float | None = None,
        changes: dict[str, Any] | None = None,
        chosen: bool = True,
        test: bool = False,
    ) -> Arm:
        """An arm of this mean holdout loss, on the scale of digits' cross-entropy."""
        rng = np.random.default_rng(len(self.rows))
        scale, train = self.scale, loss / 4 if train is None else train
        losses = {"train": train, "val": loss * 0.97, "holdout": loss} | ({"test": loss * 1.1} if test else {})
        scores = {
            split: {
                self.loss: self.interval(value * scale, 0.01 * scale),
                self.score: self.interval(max(0.1, 1 - value / 3), 0.006),
            }
            for split, value in losses.items()
        }
        settings = Settings().model_dump(include={"model", "train"})
        for setting, value in (changes or {}).items():
            part, _, key = setting.partition(".")
            settings[part][key] = value
        compared = {}
        if reference is not None and chosen:
            gap = loss - base
            verdict = NO_DIFFERENCE if abs(gap) < 0.006 else "helps" if gap < 0 else "hurts"
            compared = {
                "reference": reference,
                "difference": self.interval(gap * scale, 0.006 * scale),
                "p": None if self.seeds < 2 else 0.0004 if verdict != NO_DIFFERENCE else 0.6,
                "p_adjusted": None if self.seeds < 2 else 0.004 if verdict != NO_DIFFERENCE else 1.0,
                "probability_better": Interval(mean=0.9, low=0.7, high=1.0) if gap < 0 else self.interval(0.4, 0.3),
                "verdict": verdict if self.seeds > 1 else None,
            }
        for seed in range(self.seeds):
            row = {"section": section, "arm": name, "seed": 1000 + seed, "diverged": seed < self.diverged}
            self.rows.append(row | {f"holdout_{self.loss}": (loss + rng.normal(0, 0.008)) * scale})
        return Arm(
            section=section,
            name=name,
            factor=factor,
            group=group,
            x=x,
            changes=changes or {},
            settings=settings,
            chosen=chosen,
            weights=9482,
            train_rows=1000,
            diverged=self.diverged,
            scores=scores,
            epochs=self.interval(100, 0),
            best_epoch=self.interval(31.4, 4),
            gap_at_best=self.interval(0.05 * scale, 0.01 * scale),
            gap_at_end=self.interval(0.09 * scale, 0.01 * scale),
            rise=self.interval(0.03 * scale, 0.005 * scale),
            holdout_rise=self.interval(0.028 * scale, 0.006 * scale),
            onset_epoch=self.interval(33.2, 5),
            **compared,
        )

    def remedies(self) -> list[Arm]:
        better = {"mixed": 1.0, "none": 0.0, "helps": 1.0, "hurts": -1.0}[self.effect]
        gains = {
            ("L1", "model.l1"): {1e-05: 0.001, 1e-04: 0.012, 1e-03: -0.03},
            ("L2", "model.l2"): {1e-04: 0.004, 1e-03: 0.018},
            ("weight decay", "train.weight_decay"): {0.01: 0.001, 0.1: 0.003},
            ("dropout", "model.dropout"): {0.2: 0.02, 0.35: 0.031, 0.5: 0.027},
            ("input dropout", "model.input_dropout"): {0.1: 0.014, 0.2: 0.009},
            ("batch normalization", "model.batch_norm"): {True: -0.012},
            ("max-norm", "model.max_norm"): {1.0: 0.011, 2.0: 0.005},
            ("Gaussian noise", "model.gaussian_noise"): {0.1: 0.009, 0.2: 0.016},
            ("label smoothing", "train.label_smoothing"): {0.02: -0.02},
            ("weight averaging", "train.ema"): {0.99: 0.002},
            ("early stopping", "train.early_stopping"): {10: 0.022},
            ("half the width", "model.hidden_units"): {16: -0.001},
        }
        arms = [self.arm("remedies", "baseline", "baseline", "baseline", 0.12, train=0.002)]
        for (factor, setting), strengths in gains.items():
            best = max(strengths, key=lambda strength: strengths[strength])
            for strength, gain in strengths.items():
                gain = abs(gain) + 0.006 if self.effect in ("helps", "hurts") else gain
                plain = strength is True or factor in ("early stopping", "half the width")
                value = [16] if factor == "half the width" else strength
                value = {"patience": 10, "min_delta": 0.0, "start_from_epoch": 0} if strength == 10 else value
                arms.append(
                    self.arm(
                        "remedies",
                        factor if plain else f"{factor} {strength:g}",
                        factor,
                        "single",
                        0.12 - better * gain,
                        None if strength is True else strength,
                        "baseline",
                        changes={setting: value},
                        chosen=strength == best,
                    )
                )
        together = 0.12 - 0.036 * better
        arms.append(self.arm("remedies", "all together", "all together", "together", together, None, "baseline"))
        for factor, loss in {
            "dropout": 0.009,
            "L2": 0.001,
            "early stopping": 0.0,
            "batch normalization": -0.008,
        }.items():
            name, loss = f"all but {factor}", together + loss * better
            arms.append(self.arm("remedies", name, factor, "leave_one_out", loss, None, "all together", base=together))
        return arms

    def learning_curve(self) -> list[Arm]:
        arms = []
        for group, floor in (("without", 0.05), ("with", 0.04)):
            sizes, before = [16, 32, 64, 128, 256, 512, 1024], None
            for size in sizes:
                loss, name = floor + 8 * size**-0.7, f"{size} rows, {group}"
                base = floor + 8 * (size / 2) ** -0.7
                arms.append(self.arm("learning_curve", name, "rows", group, loss, size, before, base=base))
                before = name
        return arms

    def capacity(self) -> list[Arm]:
        arms = []
        for group, least in (("without", 0.12), ("with", 0.09)):
            own = f"32, {group}"
            for width in (2, 4, 8, 16, 32, 64, 128, 256):
                loss = least + 2 / width**1.6 if width != 32 else least
                name, train = f"{width}, {group}", 1.6 / width**2 + (0.01 if group == "with" else 0.0003)
                reference = own if width != 32 else None
                arms.append(self.arm("capacity", name, "width", group, loss, width, reference, base=least, train=train))
            for depth in (2, 3):
                name = f"{'-'.join(['32'] * depth)}, {group}"
                arms.append(self.arm("capacity", name, "depth", group, least + 0.01 * depth, depth, own, base=least))
        return arms

    def optimizers(self) -> list[Arm]:
        defaults = {"sgd": 0.31, "momentum": 0.13, "nesterov": 0.128, "rmsprop": 0.115, "adam": 0.11, "lion": 0.14}
        tuned = {"sgd": 0.115, "momentum": 0.09, "nesterov": 0.089, "rmsprop": 0.1, "adam": 0.098, "lion": 0.112}
        arms = []
        for group, losses in (("defaults", defaults), ("tuned", tuned)):
            for name, loss in losses.items():
                reference = f"adam, {group}" if name != "adam" else None
                changes = {"train.optimizer": name}
                arms.append(
                    self.arm("optimizers", f"{name}, {group}", "optimizer", group, loss, None, reference,
                             base=losses["adam"], changes=changes)
                )  # fmt: skip
        for group, losses in (("equal_epochs", (1.2, 0.3, 0.25)), ("equal_updates", (0.28, 0.27, 0.9))):
            for method, loss in zip(("gradient descent", "mini-batches", "single examples"), losses, strict=True):
                for rate in (0.01, 0.1):
                    name = f"{method}, {group.replace('_', ' ')}, rate {rate:g}"
                    arms.append(
                        self.arm("optimizers", name, method, group, loss, rate, chosen=rate == 0.1,
                                 changes={"train.learning_rate": rate})
                    )  # fmt: skip
        return arms

    def activations(self) -> list[Arm]:
        losses = {"relu": 0.11, "tanh": 0.1, "gelu": 0.108, "silu": 0.107, "selu": 0.118, "sigmoid": 0.131}
        arms = []
        for name, loss in losses.items():
            reference = "activation relu" if name != "relu" else None
            arms.append(
                self.arm("activations", f"activation {name}", "activation", "activation", loss, None, reference,
                         base=losses["relu"])
            )  # fmt: skip
        if self.task == "classification":
            arms.append(self.arm("activations", "loss cross entropy", "loss", "loss", 0.11))
            reference = "loss cross entropy"
            arms.append(
                self.arm("activations", "loss mean squared error", "loss", "loss", 0.112, None, reference, base=0.11)
            )
        return arms

    def memorization(self) -> list[Arm]:
        names = {"true labels": 0.12, "20 % of the labels wrong": 0.9, "shuffled labels": 2.8}
        return [self.arm("memorization", name, "labels", "labels", loss, train=0.003) for name, loss in names.items()]

    def winner(self) -> list[Arm]:
        arms = [self.arm("winner", "default", "trial", "default", 0.11, 0, test=True)]
        arms.append(self.arm("winner", "winner", "trial", "winner", 0.09, 31, "default", base=0.11, test=True))
        for trial, loss in {0: 0.11, 4: 0.1, 11: 0.097, 31: 0.09}.items():
            arms.append(self.arm("winner", f"trial {trial}", "trial", "incumbent", loss, trial, test=True))
        return arms

    def study(self) -> Study:
        self.rows.clear()
        arms = [arm for section in self.sections for arm in getattr(self, section)()]
        scale, helps = self.scale, self.effect in ("mixed", "helps")
        best = next(arm for arm in arms if arm.name == ("dropout 0.35" if helps else "baseline"))
        law = PowerLaw(
            floor=0.05 * scale,
            scale=8 * scale,
            exponent=0.7,
            rows=1024,
            predicted=0.113 * scale,
            predicted_twice=0.088 * scale,
            change=self.interval(-0.025 * scale, 0.011 * scale),
        )
        has_test, has_winner = self.test_rows > 0, "winner" in self.sections
        metrics = best.scores["holdout"]
        return Study(
            about=About(
                source=self.source,
                task=self.task,
                target=self.target,
                features=list(self.features) if self.features else None,
                n_features=64,
                image_shape=None if self.features else [8, 8],
                classes=list(self.classes) if self.task == "classification" else None,
                loss=self.loss,
                score=self.score,
                rows={"train": 1024, "val": 144, "holdout": 143, "test": self.test_rows},
                digest={name: f"{name[0]}" * 64 for name in ("train", "validation", "test")},
                seeds=[1000 + seed for seed in range(self.seeds)],
                resplit=True,
                epochs=100,
                versions={"keras": "3.15.0", "numpy": "2.2.0", "tensorflow": "2.21.0"},
                warnings=[],
            ),
            arms=arms,
            overfits=Overfits(
                answer=self.seeds > 1,
                rise=self.interval(0.028 * scale, 0.006 * scale),
                p=0.0002 if self.seeds > 1 else None,
                onset_epoch=33.0,
                onset_range=(27.0, 40.0) if self.seeds > 1 else None,
            ),
            chosen_remedy="dropout 0.35" if helps else None,
            power_law={"without": law, "with": law} if "learning_curve" in self.sections else None,
            recommendation=Recommendation(
                section="remedies",
                arm=best.name,
                helps=helps,
                settings=best.settings,
                holdout=metrics,
                test={name: self.interval(each.mean, 0.01 * scale) for name, each in metrics.items()}
                if has_test
                else None,
            ),
            optimism=Optimism(
                trial=31,
                trials=40,
                promised=0.071 * scale,
                fresh=self.interval(0.09 * scale, 0.009 * scale),
                test=self.interval(0.099 * scale, 0.008 * scale) if has_test else None,
                optimism_fresh=0.019 * scale,
                optimism_test=0.028 * scale if has_test else None,
                beats_default="helps" if self.seeds > 1 else None,
            )
            if has_winner
            else None,
            overtuning=[
                Incumbent(trial=trial, promised=value * scale, test=self.interval(value * 1.3 * scale, 0.008 * scale))
                for trial, value in {0: 0.098, 4: 0.085, 11: 0.08, 31: 0.071}.items()
            ]
            if has_winner
            else None,
        )

    def run(self, study: Study) -> StudyRun:
        time = {"gradient descent": 0.31, "mini-batches": 0.24, "single examples": 0.4}
        return StudyRun(
            parent_run="f" * 32,
            runs={f"{arm.section}/{arm.name}": f"{place:032x}"[::-1] for place, arm in enumerate(study.arms)},
            cost=Cost(
                runs=1870,
                seed_epochs=143_210,
                seconds=183.4,
                model_fit_seconds=11_230.0,
                model_fit_sample="5 runs of the baseline",
            ),
            equal_time=EqualTime(
                seconds=1.3,
                losses={name: self.interval(value * self.scale, 0.02 * self.scale) for name, value in time.items()},
                epochs={"gradient descent": 400, "mini-batches": 55, "single examples": 3},
            )
            if "optimizers" in self.sections
            else None,
            test_looks=study_record.TestLooks(looks=2, settings_changed_after_a_look=self.changed_after_a_look),
        )

    def curves(self, study: Study) -> pd.DataFrame:
        """Curves that fall and, on rows that were not trained on, rise again."""
        epochs = np.arange(1, 101)
        tables = []
        for arm in study.arms:
            learnt = 1 - np.exp(-epochs / 8)
            train, held = 2.3 * (1 - learnt) + 0.002, 2.3 * (1 - learnt) + 0.085 + 0.00045 * np.maximum(0, epochs - 25)
            new = 0.12 if "shuffled" in arm.name else 0.96
            table = pd.DataFrame({"section": arm.section, "arm": arm.name, "epoch": epochs, "seeds": self.seeds})
            for split, loss, top in (("train", train, 1.0), ("val", held, new), ("holdout", held * 1.04, new)):
                table[f"{split}_{self.loss}"] = loss * self.scale
                table[f"{split}_{self.score}"] = 0.1 + (top - 0.1) * learnt
            tables.append(table)
        return pd.concat(tables)

    def write(self) -> Study:
        """All files that the stage study leaves."""
        study = self.study()
        write_study(study, self.run(study))
        self.curves(study).to_csv(study_record.STUDY_CURVES_FILE, index=False, float_format="%.7g")
        pd.DataFrame(self.rows).to_csv(study_record.STUDY_SEEDS_FILE, index=False, float_format="%.7g")
        return study


class Page(HTMLParser):
    """The page's elements, in order, and what is wrong with their nesting."""

    VOID = frozenset({"meta", "link", "br", "img"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


STUDIES = {
    "classification": Made(),
    "regression": Made(task="regression", source="patients.csv", target="progression", features=("age", "bmi")),
    "one seed": Made(seeds=1),
    "nothing helps": Made(effect="none"),
    "everything helps": Made(effect="helps"),
    "everything hurts": Made(effect="hurts"),
    "remedies alone": Made(sections=("remedies",)),
    "diverged": Made(diverged=2),
    "no test rows": Made(test_rows=0),
    "names": Made(source=NASTY, target=DOLLARS, classes=(NASTY, DOLLARS), features=(NASTY, DOLLARS)),
}


@pytest.fixture
def made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Page]:
    """`made(Made(seeds=1))` writes that study and its report; returns the page."""
    monkeypatch.setattr(sys, "argv", ["report"])

    def write_and_report(study: Made) -> Page:
        study_record.STUDY_FILE.parent.mkdir(parents=True, exist_ok=True)
        study.write()
        report.main()
        return Page(report.REPORT_FILE.read_text(encoding="utf-8"))

    return write_and_report


@pytest.mark.parametrize("name", STUDIES)
def test_page_is_whole_and_stands_alone(made, name):
    page = made(STUDIES[name])
    assert page.open == []
    ids = [each["id"] for _, each in page.elements if "id" in each]
    assert len(ids) == len(set(ids))
    levels = [int(tag[1]) for tag, _ in page.elements if tag in {"h1", "h2", "h3", "h4"}]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert page.all("script") == []
    assert all(each["role"] == "img" and len(each["aria-label"]) > 30 for each in page.all("svg"))
    html = report.REPORT_FILE.read_text(encoding="utf-8")
    assert "http" not in html and "//" not in html.replace("://", "//") and "url(" not in html.replace("url(#", "")
    targets = [each[key] for _, each in page.elements for key in ("href", "xlink:href") if key in each]
    assert {target[1:] for target in targets if target != "data:,"} <= set(ids)
    assert len(html) < 1 << 20


@pytest.mark.parametrize("name", STUDIES)
def test_pictures_are_svg(made, name):
    made(STUDIES[name])
    assert sorted(report.FIGURES) == sorted(["baseline", *SECTIONS])
    for path in report.FIGURES.values():
        assert ElementTree.parse(path).getroot().tag == "{http://www.w3.org/2000/svg}svg"
