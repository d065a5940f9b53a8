"""The report: it says what the records say, whichever way they point, in a page that stands alone."""

import functools
import json
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from experiments import records as study_record
from experiments.records import (
    About,
    Arm,
    ClassScores,
    Cost,
    DoubtfulLabel,
    DoubtfulLabels,
    Ensemble,
    EnsembleSize,
    EnsembleStep,
    EqualTime,
    Importance,
    Incumbent,
    Influence,
    Optimism,
    OtherChoice,
    Overfits,
    Peer,
    PeerComparison,
    PowerLaw,
    Recommendation,
    SectionName,
    Study,
    StudyRun,
    read_study_run,
    write_study,
)  # fmt: skip
from experiments.report import __main__ as report
from experiments.report.arms import best_so_far, carried_by_few, ranked
from experiments.report.evidence import Evidence
from experiments.report.figures.arms import seed_differences
from experiments.report.figures.sizes import capacity
from experiments.report.figures.winner import winner
from experiments.report.model import RecommendedModel
from experiments.report.numbers import (
    Numbers,
    duration,
    listed,
    number,
    p_value,
    percent,
    seeds,
    some,
    times_as_many,
    with_interval,
)
from experiments.report.page import render
from experiments.report.questions import capacity as capacity_question
from experiments.report.questions import learning_curve, memorization, overfitting, remedies
from experiments.report.questions import winner as winner_question
from experiments.report.settings import as_yaml
from pipeline.errors import InputError, run_stage
from pipeline.params import parse_settings
from pipeline.paths import STUDY_RUN_FILE
from pipeline.settings import Settings
from pipeline.statistics.intervals import Interval

NASTY = "<script>alert(1)</script>"
DOLLARS = "cost $ & more $"
LONG = "long_" * 60
SECTIONS = get_args(SectionName)
NO_DIFFERENCE = "no detectable difference"
CROSS_ENTROPY = Numbers("cross_entropy", "accuracy", None, 4)


@dataclass(frozen=True)
class Made:
    """A study that nobody ran, with what belongs to it.

    Attributes:
        effect: of the remedies: mixed, none, helps, hurts.
        diverged: seeds of every arm.
        scored: False: all seeds of all arms diverged.
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
    overfits: bool = True
    rises: bool = True
    beats_nothing: bool = True
    scored: bool = True
    peers: dict[str, str] | None = field(
        default_factory=lambda: {"linear model": NO_DIFFERENCE, "random forest": "worse"}
    )
    language: str = "en"
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
        if not self.scored:
            return Interval(mean=None, low=None, high=None)
        if mean is None or self.seeds < 2:
            return Interval(mean=mean, low=None, high=None)
        return Interval(mean=mean, low=mean - half, high=mean + half)

    @property
    def nothing(self) -> dict[str, float]:
        return {self.loss: 2.3 * self.scale, self.score: 0.1 if self.task == "classification" else 0.0}

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
        losses = {"train": train, "holdout": loss} | ({"test": loss * 1.1} if test else {})
        scores = {
            split: {
                self.loss: self.interval(value * scale, 0.01 * scale),
                self.score: self.interval(max(0.1, 1 - value / 3), 0.006),
            }
            for split, value in losses.items()
        }
        settings = Settings().model_dump(mode="json", include={"model", "train"})
        for setting, value in (changes or {}).items():
            part, _, key = setting.partition(".")
            settings[part][key] = value
        compared = {}
        if reference is not None and chosen:
            gap = loss - base
            verdict = NO_DIFFERENCE if abs(gap) < 0.006 else "helps" if gap < 0 else "hurts"
            is_detected = verdict != NO_DIFFERENCE
            compared = {
                "reference": reference,
                "difference": self.interval(gap * scale, 0.006 * scale),
                "p": None if self.seeds < 2 else 0.0004 if verdict != NO_DIFFERENCE else 0.6,
                "p_adjusted": None if self.seeds < 2 else 0.004 if verdict != NO_DIFFERENCE else 1.0,
                "probability_better": Interval(mean=0.9, low=0.7, high=1.0) if gap < 0 else self.interval(0.4, 0.3),
                "verdict": verdict if self.seeds > 1 and self.scored else None,
                "detectable": 0.008 * scale if self.seeds > 1 else None,
                "times_rows": None if is_detected else 3.21,
                "times_rings": None if is_detected else 7.4,
                "influence": Influence(rows=[7, 3], differences=[gap * 20, gap * 10], without=gap * scale * 0.9),
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
            picks={name: 10} if chosen and group in ("single", "tuned") else None,
            gap={self.loss: self.interval((loss - train) * scale, 0.01 * scale), self.score: self.interval(0.02, 0.01)},
            seeds_range=None,
            epochs=self.interval(100, 0),
            best_epoch=self.interval(31.4, 4),
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
        arms.append(self.arm("remedies", "baseline at its best epoch", "epoch", "best_epoch", 0.092, None, "baseline"))
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
        for name, loss in defaults.items():
            reference = "adam, defaults" if name != "adam" else None
            changes = {"train.optimizer": name}
            arms.append(
                self.arm("optimizers", f"{name}, defaults", "optimizer", "defaults", loss, None, reference,
                         base=defaults["adam"], changes=changes)
            )  # fmt: skip
        for name, loss in tuned.items():
            for rate in (0.001, 0.01):
                reference = "adam, rate 0.01" if name != "adam" else None
                changes = {"train.optimizer": name, "train.learning_rate": rate}
                arms.append(
                    self.arm("optimizers", f"{name}, rate {rate:g}", "optimizer", "tuned", loss + 0.01 - rate, rate,
                             reference, base=tuned["adam"], changes=changes, chosen=rate == 0.01)
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

    def peer(self, name: str, verdict: str) -> Peer:
        """A model that is no network, as much better or worse than the network as its verdict says."""
        by = {"better": -0.03, "worse": 0.05}.get(verdict, 0.001)
        scores = {
            split: {self.loss: self.interval((0.1 + by) * self.scale, 0.01), self.score: self.interval(0.95 - by, 0.01)}
            for split in ("train", "holdout", "test")
        }
        comparison = PeerComparison(
            difference=self.interval(by * self.scale, 0.01 * self.scale),
            p=0.2 if self.seeds > 1 else None,
            p_adjusted=0.4 if self.seeds > 1 else None,
            detectable=0.02 * self.scale if self.seeds > 1 else None,
            verdict=verdict if self.seeds > 1 and self.scored else None,
        )
        by_accuracy = {"accuracy": comparison} if self.task == "classification" else {}
        comparisons = {self.loss: comparison, **by_accuracy} if self.scored else {}
        for seed in range(self.seeds):
            self.rows.append({"section": "peers", "arm": name, "seed": 1000 + seed, "diverged": False})
        return Peer(name=name, estimator="Ridge()", scores=scores, comparisons=comparisons)

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
            predicted_before=0.121 * scale,
            seen=0.1132 * scale,
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
                rows={"train": 1024, "pool": 1280, "test": self.test_rows},
                folds=10,
                rings=1,
                knowing_nothing={"holdout": self.nothing, "test": self.nothing},
                digest={name: f"{name[0]}" * 64 for name in ("train", "validation", "test")},
                seeds=[1000 + seed for seed in range(self.seeds)],
                epochs=100,
                versions={"keras": "3.15.0", "numpy": "2.2.0", "tensorflow": "2.21.0"},
                warnings=[],
            ),
            arms=arms,
            peers=None if self.peers is None else [self.peer(*each) for each in self.peers.items()],
            ensemble=Ensemble(
                members=self.seeds,
                pair_gain=self.interval(0.02 * scale, 0.01 * scale),
                serves=self.seeds > 1 and self.scored,
                test={name: self.interval(each.mean, 0.01 * scale) for name, each in metrics.items()}
                if has_test
                else None,
                gain=self.interval(0.03 * scale, 0.01 * scale) if has_test else None,
                by_size=[
                    EnsembleSize(members=1, loss=0.1 * scale),
                    EnsembleSize(members=self.seeds, loss=0.07 * scale),
                ],
            ),
            importance=[
                Importance(
                    column=column,
                    rise=self.interval(rise * scale, 0.01 * scale),
                    p_adjusted=0.01,
                    matters=rise > 0.01 if self.seeds > 1 and self.scored else None,
                )
                for column, rise in {self.target or "age": 0.3, "size": 0.001}.items()
            ]
            if self.features
            else None,
            classes=[
                ClassScores(
                    name=name,
                    rows=640,
                    share=0.5,
                    precision=self.interval(0.91, 0.02),
                    recall=self.interval(0.82, 0.03),
                    f1=Interval(),
                )
                for name in self.classes
            ]
            if self.task == "classification"
            else None,
            doubtful_labels=DoubtfulLabels(
                count=1,
                judged=1280,
                rows=[
                    DoubtfulLabel(
                        row=7, label=self.classes[0], other=self.classes[1], probability=0.01, probability_of_other=0.98
                    )
                ],
            )
            if self.task == "classification"
            else None,
            overfits=Overfits(
                answer=self.overfits if self.seeds > 1 and self.scored else None,
                gap={
                    self.loss: self.interval((0.118 if self.overfits else 0.001) * scale, 0.006 * scale),
                    self.score: self.interval(0.02 if self.overfits else 0.001, 0.004),
                },
                rises=self.rises if self.seeds > 1 and self.scored else None,
                rise=self.interval((0.028 if self.rises else 0.001) * scale, 0.006 * scale),
                score_rise=self.interval(0.001, 0.002),
                train_rise=-0.01 * scale,
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
                over_nothing=self.interval(-2.2 * scale if self.beats_nothing else 0.02 * scale, 0.03 * scale),
                beats_nothing=self.beats_nothing if self.seeds > 1 and self.scored else None,
            ),
            optimism=Optimism(
                trial=31,
                trials=40,
                promised=0.071 * scale,
                same_rows=self.interval(0.085 * scale, 0.009 * scale),
                fresh=self.interval(0.09 * scale, 0.009 * scale),
                test=self.interval(0.099 * scale, 0.008 * scale) if has_test else None,
                optimism_fresh=0.019 * scale,
                optimism_test=0.028 * scale if has_test else None,
                beats_default="helps" if self.seeds > 1 else None,
                judged_on="holdout",
                at_edge=["the width of model.hidden_units at its highest, 256"],
            )
            if has_winner
            else None,
            overtuning=[
                Incumbent(
                    trial=trial,
                    trials=trial + 1,
                    promised=value * scale,
                    same_rows=self.interval(value * 1.1 * scale, 0.008 * scale),
                    fresh=self.interval(value * 1.2 * scale, 0.008 * scale),
                    test=self.interval(value * 1.3 * scale, 0.008 * scale) if has_test else None,
                )
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
            for split, loss, top in (("train", train, 1.0), ("holdout", held * 1.04, new)):
                table[f"{split}_{self.loss}"] = loss * self.scale
                table[f"{split}_{self.score}"] = 0.1 + (top - 0.1) * learnt
            tables.append(table)
        return pd.concat(tables)

    def write(self) -> Study:
        """Write all files that the stage study leaves, and the settings of the report."""
        settings = {"report": {"language": self.language}}
        Path("params.yaml").write_text(json.dumps(settings), encoding="utf-8")
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
        self.by_id: dict[str, str] = {}
        self.ids: list[str | None] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
            self.ids.append(dict(attrs).get("id"))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.ids.pop()

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)
        for name in filter(None, self.ids):
            self.by_id[name] = self.by_id.get(name, "") + data

    def inside(self, name: str) -> str:
        """The text of the element of this id, as it is."""
        return self.by_id[name]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


STUDIES = {
    "classification": Made(),
    "regression": Made(task="regression", source="patients.csv", target=DOLLARS, features=("age", "bmi")),
    "one seed": Made(seeds=1),
    "nothing helps": Made(effect="none"),
    "everything helps": Made(effect="helps"),
    "everything hurts": Made(effect="hurts"),
    "remedies alone": Made(sections=("remedies",)),
    "diverged": Made(diverged=2),
    "no test rows": Made(test_rows=0),
    "changed after a look": Made(changed_after_a_look=True),
    "names": Made(source=NASTY, target=LONG, classes=(NASTY, DOLLARS), features=(NASTY, DOLLARS, LONG)),
    "nothing scored": Made(scored=False),
    "worthless": Made(effect="none", beats_nothing=False),
}


@dataclass(frozen=True)
class Reported:
    """A study with its report: the page, and where its files are."""

    study: Study
    run: StudyRun
    folder: Path

    @property
    def html(self) -> str:
        return (self.folder / report.REPORT_FILE).read_text(encoding="utf-8")

    @property
    def page(self) -> "Page":
        return Page(self.html)

    def words_of(self, picture: str) -> str:
        """The text in a picture."""
        root = ElementTree.parse(self.folder / report.FIGURES[picture]).getroot()
        return " ".join(" ".join(root.itertext()).split())


def write_report(made: Made, folder: Path) -> Reported:
    """Write a study that nobody ran and its report."""
    with chdir(folder), pytest.MonkeyPatch.context() as patch:
        study_record.STUDY_FILE.parent.mkdir(parents=True, exist_ok=True)
        study = made.write()
        patch.setattr(sys, "argv", ["report"])
        report.main()
        return Reported(study, read_study_run(), folder)


def read_report(folder: Path) -> Reported:
    """Return a study and its report that are written there."""
    with chdir(folder):
        return Reported(study_record.read_study(), read_study_run(), folder)


@pytest.fixture(scope="module")
def reported(made_once: Callable[..., Path]) -> Callable[[str], Reported]:
    """`reported("one seed")` is that study with its report, written once."""
    return functools.cache(
        lambda name: read_report(made_once(f"report {name}", lambda folder: write_report(STUDIES[name], folder)))
    )


@pytest.mark.parametrize("name", STUDIES)
def test_page_is_whole(reported, name):
    page = reported(name).page
    assert page.open == []
    ids = [each["id"] for _, each in page.elements if "id" in each]
    assert len(ids) == len(set(ids))
    levels = [int(tag[1]) for tag, _ in page.elements if tag in {"h1", "h2", "h3", "h4"}]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    targets = {each["href"] for tag, each in page.elements if "href" in each and tag != "link"}
    assert {target[1:] for target in targets if target.startswith("#")} <= set(ids)
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("main")) == len(page.all("nav")) == 1


@pytest.mark.parametrize("name", STUDIES)
def test_page_stands_alone(reported, name):
    html, page = reported(name).html, reported(name).page
    assert page.all("script") == page.all("img") == page.all("iframe") == []
    assert [each["href"] for each in page.all("link")] == ["data:,"]
    assert "http" not in html
    assert "@import" not in html
    assert re.findall(r"url\((?!#)", html) == []
    assert len(html) < 1 << 20


@pytest.mark.parametrize("name", STUDIES)
def test_pictures_and_tables_are_told_to_those_who_do_not_see_them(reported, name):
    page = reported(name).page
    assert all(each["role"] == "img" and len(each["aria-label"]) > 40 for each in page.all("svg"))
    assert len(page.all("figure")) == len(page.all("figcaption")) == len(page.all("svg"))
    assert len(page.all("table")) == len(page.all("caption"))
    assert all(each["scope"] in {"col", "row", "rowgroup"} for each in page.all("th"))
    boxes = [each for _, each in page.elements if "scroll" in (each.get("class") or "")]
    assert all(each["tabindex"] == "0" and each["role"] == "region" for each in boxes)
    assert all(each.get("aria-label") or each.get("aria-labelledby") for each in boxes)


@pytest.mark.parametrize("name", STUDIES)
def test_every_picture_is_written(reported, name):
    assert set(report.FIGURES) == {"peers", "baseline", "importance", *SECTIONS}
    for path in report.FIGURES.values():
        assert path.name.startswith("study_")
        assert ElementTree.parse(reported(name).folder / path).getroot().tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize("name", STUDIES)
def test_settings_can_be_pasted_into_params(reported, name):
    found = reported(name)
    pasted = YAML(typ="safe").load(found.page.inside("settings"))
    assert pasted == found.study.recommendation.settings
    assert parse_settings(pasted).model_dump(mode="json", include={"model", "train"}) == pasted


@pytest.mark.parametrize("name", STUDIES)
def test_every_verdict_and_run_of_the_record_stands_in_a_table(reported, name):
    found, page = reported(name), reported(name).page
    verdicts = [(each.get("class") or "").partition("verdict ")[2] for each in page.all("span")]
    for verdict in ("helps", "hurts", NO_DIFFERENCE):
        wanted = sum(arm.verdict == verdict for arm in found.study.arms if arm.group != "best_epoch")
        assert verdicts.count(verdict.partition(" ")[0]) >= wanted
    not_shown = ("equal_epochs", "equal_updates")  # the rates of these that were not chosen
    titles = {each.get("title") for each in page.all("code")}
    for arm in found.study.arms:
        if (arm.chosen or arm.group not in not_shown) and arm.group != "best_epoch":
            assert found.run.runs[f"{arm.section}/{arm.name}"] in titles


def test_same_input_gives_the_same_bytes(reported, tmp_path):
    one, two = reported("names").folder, write_report(STUDIES["names"], tmp_path).folder
    for path in (report.REPORT_FILE, *report.FIGURES.values()):
        assert (one / path).read_bytes() == (two / path).read_bytes()


def test_answer_comes_first(reported):
    text = reported("classification").page.text
    answer = text[text.index("The answer", 300) : text.index("To be pasted")]
    assert "Yes : 100.0 % of" not in answer  # the baseline's training accuracy is 99.9 %
    assert "Yes : 99.9 % of the rows it was trained on are right, 96.0 % [95.4, 96.6] of new ones" in answer
    assert "cross-entropy 0.0020 and 0.1200 [0.1100, 0.1300] nats (knowing nothing: 10.0 % right" in answer
    assert (
        "More data (512 to 1,024 rows) lowers the cross-entropy on new rows by 0.0390 [0.0330, 0.0450] nats" in answer
    )
    tuned = "each at the best of ten settings around Keras' defaults (ten learning rates, or five with two momenta)"
    assert f"Nesterov , {tuned}" in answer
    assert "Accuracy 97.0 % [96.0, 98.0] and cross-entropy 0.0890 [0.0790, 0.0990] nats" in answer
    assert "Knowing nothing gives accuracy 10.0 % and cross-entropy 2.3000." in answer
    assert "with intervals for other seeds and other rows of the kind" in answer
    assert "by 10 seeds that predict together, on 360 test rows" in answer
    assert answer.startswith("The answer Is a network worth it here? Not detectably : its cross-entropy on new rows is")
    assert "Those of “dropout 0.35”" in answer
    assert "worth nothing" not in answer


def evidence_of(study: Study) -> Evidence:
    return Evidence(study, Made().run(study), Numbers.of(study))


def with_overfits(**changes: Any) -> Evidence:
    """The sentences of a study whose record of overfitting is changed."""
    study = Made(sections=("remedies",)).study()
    return evidence_of(study.model_copy(update={"overfits": study.overfits.model_copy(update=changes)}))


def test_model_that_is_worth_nothing_comes_first(reported):
    text = reported("worthless").page.text
    answer = text[text.index("The answer", 300) : text.index("To be pasted")]
    assert answer.startswith("The answer Is it worth anything? The recommended model is worth nothing :")
    assert "Its cross-entropy on new rows is 0.1200 [0.1100, 0.1300] nats, and knowing nothing gives 2.3000" in answer
    assert "(difference +0.0200 [\N{MINUS SIGN}0.0100, 0.0500] nats)" in answer


def test_the_choice_by_other_scores_is_said_with_its_difference():
    study = Made().study()
    choices = [
        OtherChoice(score="accuracy", section="remedies", arm="L2 0.1", difference=Interval(0.004, -0.001, 0.009)),
        OtherChoice(score="brier", section="remedies", arm="dropout 0.35", difference=None),
    ]
    model = RecommendedModel(study.model_copy(update={"by_other_scores": choices}), Numbers.of(study))
    assert model.sentences()[:2] == [
        "By the Brier score the same arm would be chosen.",
        "By the accuracy another arm would be chosen: L2 0.1, with a difference of "
        "+0.4 [\N{MINUS SIGN}0.1,\N{NO-BREAK SPACE}0.9] percentage points on new rows, which is not detectable.",
    ]
    study = Made(task="regression").study()
    mae = OtherChoice(score="mae", section="winner", arm="winner", difference=Interval(-2.0, -3.0, -1.0))
    model = RecommendedModel(study.model_copy(update={"by_other_scores": [mae]}), Numbers.of(study))
    assert model.sentences()[0].startswith(
        "By the mean absolute error another arm would be chosen: winner, with a diff"
    )


def test_what_a_third_seed_brings_is_said_where_rows_are_held_out_by_so_many():
    study = Made().study()
    steps = [
        EnsembleStep(members=members, loss=0.1, gain=Interval(gain, gain - 0.001, gain + 0.001))
        for members, gain in ((2, 0.02), (3, 0.007), (4, 0.0035))
    ]
    ensemble = study.ensemble.model_copy(update={"steps": steps})
    model = RecommendedModel(study.model_copy(update={"ensemble": ensemble}), Numbers.of(study))
    assert (
        "On the rows that more seeds held out, one seed more takes off 0.0070 [0.0060, 0.0080] nats (3 in place of 2) "
        "and 0.0035 [0.0025, 0.0045] nats (4 in place of 3)."
    ) in " ".join("".join(model.sentences()).split())  # spaces that break no line among them
    assert "in place of" not in "".join(RecommendedModel(study, Numbers.of(study)).sentences())


def test_classes_have_their_scores_on_new_rows_and_numbers_have_none(reported):
    text = reported("classification").page.text
    table = text[text.index("Classes, on new rows") :]
    row = table[table.index("640 50.0") :]
    assert row.startswith("640 50.0 0.910 [0.890, 0.930] 0.820 [0.790, 0.850] \N{EN DASH}")
    assert "Classes, on new rows" not in reported("regression").page.text


def optimizer_answer(keeps: Callable[[Arm], bool] = lambda arm: True) -> str:
    """The answer about optimizers, of a study with some of the arms only."""
    study = Made(sections=("remedies", "optimizers")).study()
    arms = [arm for arm in study.arms if arm.section == "remedies" or keeps(arm)]
    return "".join(evidence_of(study.model_copy(update={"arms": arms})).answers.optimizer())


def test_tuned_optimizers_answer_where_there_are_some():
    assert optimizer_answer().startswith("Nesterov, each at the best of ten settings around Keras' defaults")
    answer = optimizer_answer(lambda arm: arm.group == "defaults")
    assert answer.startswith("Keep adam: of 5 others, each at Keras' defaults, ")
    assert optimizer_answer(lambda arm: arm.name == "adam, defaults") == "Keep adam: no other was tried."


def test_that_adamw_is_adam_is_said(reported):
    assert "AdamW decays no weights and is Adam, so the two are one arm." in reported("classification").page.text


def test_more_data_is_ranked_with_the_remedies():
    study = Made(sections=("remedies", "learning_curve")).study()
    arms = ranked(study)
    differences = [arm.difference.mean for arm in arms]
    assert differences == sorted(differences)
    assert [arm.x for arm in arms if arm.section == "learning_curve"] == [1024]
    assert "baseline at its best epoch" not in [arm.name for arm in arms]
    answer = "".join(evidence_of(study).answers.helps_most())
    assert answer.startswith("More data (512 to 1,024 rows) lowers the cross-entropy on new rows by 0.03") == (
        arms[0].section == "learning_curve"
    )


def test_ranking_is_the_first_table_and_names_the_kind_of_each(reported):
    page = reported("classification").page
    first = page.text.index("Ranked by the change on new rows")
    assert first < page.text.index("Scores of the remedies")
    for kind in ("more data", "less complexity", "regularization", "early stopping", "all together"):
        assert kind in page.text[first : page.text.index("Scores of the remedies")]


def test_nothing_helps_is_said(reported):
    text = reported("nothing helps").page.text
    assert "Of 12 remedies tried alone, all 12 made no detectable difference" in text
    assert "The baseline's , since no remedy helps detectably" in text
    study = Made(sections=("remedies",), effect="none").study()
    answer = "".join(evidence_of(study).answers.helps_most())
    assert answer.startswith("Nothing detectably: of 13 arms compared, all 13 made no detectable difference (")


def test_everything_hurts_is_said():
    study = Made(sections=("remedies",), effect="hurts").study()
    answer = "".join(evidence_of(study).answers.helps_most())
    assert (
        "of 13 arms compared, all 13 hurt (half the width, weight averaging 0.99, weight decay 0.1 and 10 more)"
        in answer
    )
    assert answer.startswith("Nothing: ")
    assert "No remedy lowers the loss on new rows" in " ".join(overfitting.describe(evidence_of(study)))


def test_everything_helps_is_said(reported):
    assert "Of 12 remedies tried alone, all 12 help" in reported("everything helps").page.text


def test_one_seed_tells_nothing(reported):
    text = reported("one seed").page.text
    assert text.count("It cannot be told from 1 seed") >= 3
    assert "With one seed there are no intervals" in text
    assert "1 seed cannot tell which help" in text
    assert "Whether training on makes new rows worse cannot be told from 1 seed" in text
    assert "would have been found" not in text


@pytest.mark.parametrize(
    ("gap", "answer", "lead"),
    [
        ((0.1, 0.05, 0.15), True, "Yes"),
        ((0.1, -0.05, 0.25), False, "Not detectably"),
        ((-0.1, -0.2, -0.05), False, "No"),
        ((0.1, None, None), None, "It cannot be told"),
    ],
)
def test_overfitting_is_a_gap_with_its_whole_interval(gap, answer, lead):
    text = with_overfits(answer=answer, gap={"cross_entropy": Interval(*gap), "accuracy": Interval(*gap)})
    assert text.answers.overfits().lead == lead


@pytest.mark.parametrize(
    ("rise", "rises", "sentence"),
    [
        ((0.02, 0.01, 0.03), True, "Training on makes new rows worse since epoch 33 (from 27 to 40, by the seed): "),
        ((0.02, 0.01, 0.03), False, "Training on to the end is unsteady rather than too long: "),
        ((0.0, -0.01, 0.01), False, "Training on does not detectably make new rows worse: "),
        ((-0.02, -0.03, -0.01), False, "Training on makes new rows no worse but better: "),
    ],
)
def test_training_on_is_told_apart_from_the_gap(rise, rises, sentence):
    sentences = overfitting.describe(with_overfits(rise=Interval(*rise), rises=rises))
    assert sentences[0].startswith("Yes: ")
    assert sentences[1].startswith(sentence)
    assert ("(a rise of 0.0080 would have been found in four of five such studies)" in sentences[1]) == (
        "not detectably" in sentence
    )


def test_epoch_of_the_rise_is_drawn_only_where_there_is_one(reported, tmp_path):
    assert "new rows get worse: epoch 33" in reported("classification").words_of("baseline")
    steady = write_report(Made(rises=False, sections=("remedies",)), tmp_path)
    assert "new rows get worse" not in steady.words_of("baseline")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ((0.02, 0.01, 0.03), "On new rows it is wrong more often, not only too confident"),
        ((0.02, -0.01, 0.05), "On new rows it is too confident rather than wrong more often"),
    ],
)
def test_overconfidence_is_told_from_being_wrong(wrong, sentence):
    gap = {"cross_entropy": Interval(0.1, 0.05, 0.15), "accuracy": Interval(*wrong)}
    assert sentence in " ".join(overfitting.describe(with_overfits(gap=gap)))


@pytest.mark.parametrize(
    ("score_rise", "sentence"),
    [
        ((0.02, 0.01, 0.03), "wrong more often too: from the best epoch to the last, the accuracy on new rows changes "
         "by \N{MINUS SIGN}2.0 [\N{MINUS SIGN}3.0,\N{NO-BREAK SPACE}\N{MINUS SIGN}1.0] percentage points"),
        ((0.0, -0.01, 0.01), "more confident, not detectably wrong more often"),
    ],
)  # fmt: skip
def test_what_training_on_adds_is_told(score_rise, sentence):
    assert sentence in " ".join(overfitting.describe(with_overfits(score_rise=Interval(*score_rise))))


def test_share_of_the_gap_that_the_best_remedy_closes():
    sentences = with_overfits(gap={"cross_entropy": Interval(0.072, 0.06, 0.08), "accuracy": Interval(0, 0, 0)})
    assert "The best remedy, all together, closes 50\N{NO-BREAK SPACE}% of the gap: " in " ".join(
        overfitting.describe(sentences)
    )


def test_no_difference_says_what_would_have_been_found(reported):
    text = reported("nothing helps").page.text
    found_in = "would have been found in four of five such studies)"
    assert f"all 12 made no detectable difference (a difference of 0.0080 {found_in}" in text
    assert "detectable" in [cell.strip() for cell in reported("nothing helps").page.texts]


def test_range_of_what_would_have_been_found():
    study = Made(sections=("remedies",), effect="none").study()
    compared = [arm for arm in study.arms if arm.verdict == NO_DIFFERENCE]
    arms = [arm.model_copy(update={"detectable": 0.01 * (1 + place)}) for place, arm in enumerate(compared[:2])]
    phrase = evidence_of(study).phrases.detectable(arms)
    assert phrase.startswith(" (differences of 0.0100 to 0.0200, by the arm, would have been found")
    assert evidence_of(study).phrases.detectable([]) == ""


@pytest.mark.parametrize(
    ("rows", "rings", "phrase"),
    [
        (1.71, None, "1.8 times as many rows would find a difference of the size seen"),
        (None, 11.4, "12 rings of seeds in place of 1 would find a difference of the size seen"),
        (17.1, 3.0, "18 times as many rows or 3 rings of seeds in place of 1 would find a difference of the size seen"),
        (101, 2000, ""),
        (None, None, ""),
    ],
)
def test_rows_and_rings_that_would_find_what_was_seen(rows, rings, phrase):
    study = Made(sections=("remedies",), effect="none").study()
    arm = next(arm for arm in study.arms if arm.verdict == NO_DIFFERENCE)
    arm = arm.model_copy(update={"times_rows": rows, "times_rings": rings})
    assert evidence_of(study).phrases.would_find(arm) == phrase


@pytest.mark.parametrize(
    ("without", "is_carried"), [(-0.03, False), (-0.009, True), (0.01, True), (-0.05, False), (-0.019, False)]
)
def test_difference_is_carried_by_few_rows_where_little_is_left_without_them(without, is_carried):
    study = Made(sections=("remedies",)).study()
    place = next(place for place, arm in enumerate(study.arms) if arm.name == "all together")
    influence = study.arms[place].influence.model_copy(update={"without": without})
    arm = study.arms[place].model_copy(update={"influence": influence})
    assert (carried_by_few(arm) is not None) == is_carried
    arms = [*study.arms[:place], arm, *study.arms[place + 1 :]]
    sentences = remedies.describe(evidence_of(study.model_copy(update={"arms": arms})))
    assert any(each.startswith("A few rows carry much of this.") for each in sentences) == is_carried


def test_rows_that_carry_a_difference_stand_in_a_table(folder):
    study_record.STUDY_FILE.parent.mkdir(parents=True)
    made = Made(sections=("remedies",))
    study = made.write()
    content = json.loads(study_record.STUDY_FILE.read_text())
    arm = next(arm for arm in content["arms"] if arm["name"] == "all together")
    arm["influence"] |= {"rows": [1573, 1612], "without": -0.001}
    study_record.STUDY_FILE.write_text(json.dumps(content))
    page = render(study_record.read_study(), made.run(study), Numbers.of(study), draw_nothing())
    assert "The rows that carry these differences" in page
    assert "row 1,573: " in page


def draw_nothing() -> dict[str, str]:
    return dict.fromkeys(report.PICTURES, '<svg viewBox="0 0 1 1"></svg>')


def test_power_law_is_tested_on_what_is_known(reported):
    sentence = "without the largest size the law would have predicted 0.1210 there; it is 0.1132."
    assert sentence in reported("classification").page.text
    study = Made(sections=("remedies", "learning_curve")).study()
    laws = {"without": study.power_law["without"].model_copy(update={"predicted_before": None, "seen": None})}
    [told, *_] = learning_curve.describe(evidence_of(study.model_copy(update={"power_law": laws})))
    assert told.endswith(": more data helps.")


def test_winner_is_told_by_the_rows_that_judge_it(reported):
    text = reported("classification").page.text
    assert "Trial 31, the best of 40, promised 0.0710 nats; with fresh seeds it has 0.0850 [0.0760, 0.0940]" in text
    assert "on the rows that the search chose by, 0.0900 [0.0810, 0.0990] nats on rows that chose nothing and" in text
    assert "On rows that chose nothing that is 0.0190 worse than promised." in text
    assert "better may lie beyond: the width of model.hidden_units at its highest, 256." in text
    study = Made(sections=("remedies", "winner")).study()
    optimism = study.optimism.model_copy(update={"at_edge": [], "same_rows": None, "fresh": None})
    sentences = " ".join(winner_question.describe(evidence_of(study.model_copy(update={"optimism": optimism}))))
    assert "better may lie beyond" not in sentences
    assert "with fresh seeds it has 0.0990" in sentences


def test_winner_is_drawn_against_the_number_of_trials():
    study = Made(sections=("remedies", "winner")).study()
    path = [(tried, best.trials) for tried, best in best_so_far(study)]
    assert path == [(1, 1), (2, 1), (5, 5), (10, 5), (20, 12), (40, 32)]
    [axes] = winner(study, Numbers.of(study), 2.3).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "5", "10", "20", "40"]
    alone = best_so_far(study.model_copy(update={"overtuning": None}))
    assert alone == [(40, study.optimism)]


def test_seeds_that_collapse_are_told_with_their_range():
    study = Made(sections=("remedies",)).study()
    arm = study.arms[2].model_copy(update={"seeds_range": (0.05, 2.1)})
    phrases = evidence_of(study).phrases
    assert "L1 1e-05 (from 0.0500 to 2.1000)" in phrases.unsteady([arm.model_copy(update={"chosen": True})])
    assert "(its seeds range from 0.0500 to 2.1000)" in phrases.judged(
        arm.model_copy(update={"difference": Interval(0.1, 0.0, 0.2), "verdict": "hurts"})
    )
    assert phrases.unsteady(study.arms) is None


def test_verdict_among_useless_models():
    study = Made(sections=("remedies",)).study()
    arm = next(arm for arm in study.arms if arm.name == "all together")
    useless = arm.model_copy(update={"verdict": "neither beats knowing nothing"})
    assert evidence_of(study).phrases.verdicts([useless]) == (
        "it differs, but neither it nor its reference beats knowing nothing (all together)"
    )


@pytest.mark.parametrize("section", SECTIONS[1:])
def test_switched_off_section_is_told_in_page_and_picture(reported, section):
    found = reported("remedies alone")
    assert f"Not asked in this study: {section} is not in study.sections" in found.page.text
    assert "not in this study" in found.words_of(section)


def test_names_are_shown_as_they_are(reported):
    found = reported("names")
    assert NASTY in found.page.text
    assert DOLLARS in found.page.text
    assert NASTY not in found.html
    assert "cost $ & more $" in reported("regression").words_of("capacity")


def test_linear_model_is_told_and_has_no_place_among_the_widths():
    shapes = {"linear": ("depth", 0), "32": ("width", 32), "64": ("width", 64)}
    made = Made(sections=("remedies",))
    arms = [
        made.arm("capacity", f"{name}, without", factor, "without", 0.1 + x / 1000, x, "linear, without" if x else None)
        for name, (factor, x) in shapes.items()
    ]
    study = made.study()
    study = study.model_copy(update={"arms": study.arms + arms})
    [sentence] = capacity_question.describe(evidence_of(study))
    assert sentence.startswith(
        "Without a remedy, the lowest holdout loss has the linear model (configured: linear); of 2"
    )
    picture = capacity(arms, Numbers.of(study), nothing=2.3)
    assert "configured" not in [text.get_text() for text in picture.axes[0].texts]


def test_memory_stands_beside_knowing_nothing():
    study = Made(sections=("remedies", "memorization")).study()
    assert memorization.describe(evidence_of(study))[0].endswith("(knowing nothing: 10.0\N{NO-BREAK SPACE}%).")


def test_regression_is_in_the_unit_of_the_target(reported):
    text = reported("regression").page.text
    assert "Yes : on the rows it was trained on and on new ones, RMSE 0.86 and 51.60 [47.30, 55.90]" in text
    assert "51.60 [47.30, 55.90]; R² 0.999 and 0.960" in text
    assert "changes by +12.04 [9.46, 14.62]." in text
    assert text.count("in the unit of cost $ & more $") < 5  # at the top of the page and of tables
    assert "percentage points" not in text
    assert "nats" not in text
    assert "from the columns age, bmi" in text


def test_diverged_seeds_are_told(reported):
    text = reported("diverged").page.text
    assert "Seeds diverged in baseline (2 of 10). Each of them counts as a model that knows nothing" in text
    assert "left out of the means" not in text
    assert "L1 0.0001 with 2 diverged seeds" in text
    assert "2 of 10 seeds diverged" in text


def test_without_test_rows_the_score_is_that_of_holdout_rows(reported):
    text = reported("no test rows").page.text
    assert "on the 1,280 rows held out in turn, since there are no test rows" in text
    assert "There are no test rows." in text


def test_settings_that_changed_after_a_look_are_warned_of(reported):
    warning = "Settings were changed after a look at this test set"
    assert warning in reported("changed after a look").page.text
    assert warning not in reported("classification").page.text
    assert "2 times as far as MLflow knows" in reported("classification").page.text


def test_how_it_was_done(reported):
    text = reported("classification").page.text
    assert "1,870 training runs, 143,210 epochs of one seed each, in 3 minutes" in text
    assert "keras 3.15.0, numpy 2.2.0, tensorflow 2.21.0" in text
    assert "t" * 64 in text
    assert all(name in text for name in ("Bayle", "Janson", "Kish", "Smyth", "Holm", "Bonferroni", "Clopper", "Korn"))
    assert all(name not in text for name in ("Nadeau", "Model.fit", "resplit"))
    assert "a pool of 1,280 in 10 folds, of which each seed holds out two" in text


def test_forest_plot_names_every_chosen_remedy(reported):
    found = reported("classification")
    words = found.words_of("remedies")
    for arm in found.study.section("remedies")[1:]:
        assert (arm.name in words) == (arm.difference is not None and arm.group != "best_epoch")
    assert "more data (512 to 1,024 rows)" in words
    assert "left of the line is better" in words


def test_seed_differences_are_paired():
    rows = [("remedies", "baseline", 0, 3.0), ("remedies", "baseline", 1, 5.0), ("winner", "L2", 0, 9.0)]
    rows += [("remedies", "L2", 1, 4.0), ("remedies", "L2", 0, 1.0), ("remedies", "L2", 2, np.nan)]
    table = pd.DataFrame(rows, columns=["section", "arm", "seed", "holdout_rmse"])
    arm = Made().arm("remedies", "L2", "L2", "single", 0.1, None, "baseline")
    assert seed_differences(table, arm, "holdout_rmse").tolist() == [-2.0, -1.0]


FILES = [
    study_record.STUDY_FILE, STUDY_RUN_FILE, study_record.STUDY_CURVES_FILE, study_record.STUDY_SEEDS_FILE,
]  # fmt: skip


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff\xfe", b"a,b\n1,2\n"], ids=repr)
def test_missing_or_damaged_file_costs_a_line(folder, monkeypatch, capsys, path, content):
    study_record.STUDY_FILE.parent.mkdir(parents=True)
    Made(sections=("remedies",)).write()
    path.unlink() if content is None else path.write_bytes(content)
    monkeypatch.setattr(sys, "argv", ["report"])
    with pytest.raises(SystemExit) as ended:
        run_stage(report.main)
    assert ended.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {path} is {'missing' if content is None else 'not what the stage study writes'}")
    assert not report.REPORT_FILE.exists()


def test_study_without_a_baseline_costs_a_line(folder, monkeypatch):
    study_record.STUDY_FILE.parent.mkdir(parents=True)
    Made(sections=("remedies", "memorization")).write()
    content = json.loads(study_record.STUDY_FILE.read_text())
    content["arms"] = [arm for arm in content["arms"] if arm["section"] != "remedies"]
    study_record.STUDY_FILE.write_text(json.dumps(content))
    monkeypatch.setattr(sys, "argv", ["report"])
    with pytest.raises(InputError, match="has no baseline"):
        report.main()


def test_open_shows_the_page_in_the_browser(folder, monkeypatch):
    study_record.STUDY_FILE.parent.mkdir(parents=True)
    Made(sections=("remedies",)).write()
    opened = []
    monkeypatch.setattr(report.webbrowser, "open", opened.append)
    monkeypatch.setattr(sys, "argv", ["report", "--open"])
    report.main()
    assert opened == [(folder / report.REPORT_FILE).as_uri()]


def test_report_needs_no_library_that_trains_searches_or_tracks():
    code = "import sys, experiments.report; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    command = [sys.executable, "-c", code]
    names = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]).stdout
    assert {"tensorflow", "keras", "mlflow", "optuna"} & set(names.split()) == set()


def test_yaml_keeps_every_kind_of_value():
    changes = {
        "model": {"hidden_units": [64, 32], "l2": 2.1e-6, "l1": 1e-5, "batch_norm": True, "max_norm": 3.0},
        "train": {"optimizer": "adam", "early_stopping": {"patience": 3}, "ema": None, "seeds": [3, 14]},
    }
    settings = parse_settings(changes).model_dump(mode="json", include={"model", "train"})
    assert YAML(typ="safe").load(as_yaml(settings, Settings().model_dump(mode="json"))) == settings


def test_yaml_says_what_is_not_the_baseline_s():
    settings = Settings().model_dump(mode="json", include={"model", "train"})
    text = as_yaml(settings | {"model": settings["model"] | {"dropout": 0.3}}, settings)
    assert re.findall("  (.*) +# baseline: (.*)", text) == [("dropout: 0.3 ", "0.0")]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (number(-0.01234, 4), "\N{MINUS SIGN}0.0123"),
        (number(0.01234, 4, sign=True), "+0.0123"),
        (number(-0.00001, 4, sign=True), "0.0000"),
        (number(12345.6, 0), "12,346"),
        (number(None, 2), "\N{EN DASH}"),
        (number(3.004e-9, 11), "3.00e\N{MINUS SIGN}09"),
        (number(-4.2e-10, 11, sign=True), "\N{MINUS SIGN}4.2e\N{MINUS SIGN}10"),
        (number(0.25, 11), "2.500e\N{MINUS SIGN}01"),
        (number(1e-15, 11), "0"),
        (p_value(0.0004), "<0.001"),
        (p_value(0.25), "0.250"),
        (percent(Interval(mean=0.9, low=0.7, high=1.0)), "90 [70, 100] %"),
        (percent(Interval(mean=1.0, low=None, high=None)), "100 %"),
        (with_interval(Interval(mean=1.0, low=-0.5, high=2.5), 1), "1.0 [\N{MINUS SIGN}0.5, 2.5]"),
        (with_interval(Interval(mean=1.0, low=None, high=None), 1), "1.0"),
        (
            CROSS_ENTROPY.losses(Interval(-4e-4, -9e-4, -1e-5)),
            "\N{MINUS SIGN}0.00040 [\N{MINUS SIGN}0.00090, \N{MINUS SIGN}0.00001] nats",
        ),
        (
            CROSS_ENTROPY.losses(Interval(-4e-4, -9e-4, 1e-5)),
            "\N{MINUS SIGN}0.0004 [\N{MINUS SIGN}0.0009, 0.0000] nats",
        ),
        (duration(3.2), "3.2 s"),
        (duration(184), "3 minutes"),
        (duration(27331), "7.6 hours"),
        (seeds(1), "1 seed"),
        (seeds(1200), "1,200 seeds"),
        (listed(["a"]), "a"),
        (listed(["a", "b", "c"], "or"), "a, b or c"),
        (some(["a", "b", "c"], 2), "a, b and 1 more"),
        (some(["a", "b"], 2), "a, b"),
    ],
)
def test_numbers_as_text(text, wanted):
    assert text.replace("\N{NO-BREAK SPACE}", " ") == wanted


@pytest.mark.parametrize(("times", "text"), [(1.71, "1.8"), (12.2, "13"), (100.1, None), (0.4, None), (None, None)])
def test_how_many_times_as_many_is_rounded_up_or_left_out(times, text):
    assert times_as_many(times) == text


@pytest.mark.parametrize(
    ("loss", "text"),
    [(0.0719, "0.0719"), (0.1234, "0.1234"), (2.3026, "2.303"), (0.0012, "0.00120"), (3e-9, "3.00e\N{MINUS SIGN}09")],
)
def test_losses_have_digits_enough(loss, text):
    study = Made(sections=("remedies",)).study()
    arm = study.arms[0]
    scores = arm.scores | {"holdout": {"cross_entropy": Interval(mean=loss, low=None, high=None)}}
    arms = [arm.model_copy(update={"scores": scores}), *study.arms[1:]]
    assert Numbers.of(study.model_copy(update={"arms": arms})).loss_text(loss) == text


def luminance(color: str) -> float:
    """Relative luminance, as WCAG 2.2 defines it."""
    channels = (int(color[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("text", ["ink", "muted", "accent", "good", "bad"])
@pytest.mark.parametrize("ground", ["paper", "tint", "warn"])
def test_text_has_the_contrast_of_wcag_aa(theme, text, ground):
    css = (Path(report.__file__).parent / "templates" / "report.css").read_text(encoding="utf-8")
    colors = dict(re.findall(r"--(\S+): (#\w{6});", css.split(":root {")[1 + theme].partition("}")[0]))
    lighter, darker = sorted((luminance(colors[text]), luminance(colors[ground])), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5
