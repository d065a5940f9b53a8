"""The overfitting study from Python: a data frame in, its answers, tables, pictures and a fitted model out."""

import time
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, get_args

import pandas as pd
from numpy.typing import ArrayLike
from rich.console import Console

from experiments.defaults import MODEL, STUDY, TRAIN
from experiments.prepared import Subject, given
from experiments.records import STUDY_FILE, Recommendation, StudyRun, TestLooks
from experiments.records import Study as StudyRecord
from experiments.report.figures import draw
from experiments.report.language import in_language
from experiments.report.numbers import Numbers
from experiments.report.page import render, render_answers
from experiments.study.cost import cost, equal_time
from experiments.study.rows import pooled
from experiments.study.scored import Scored
from experiments.study.sections import Sections
from experiments.study.seeds import fresh_seeds
from experiments.study.tables import Tables
from experiments.study.trainings import Trainings
from pipeline.choices import Language
from pipeline.data.splits import Summary
from pipeline.errors import InputError, value_errors
from pipeline.files import write_json
from pipeline.params import section_of
from pipeline.settings import Data, Engine, Model, Search, Settings, Study, Train
from pipeline.statistics.weights import over_judges
from pipeline.tracking.store import tracked

if TYPE_CHECKING:
    from experiments.searches import SearchResult  # needs Optuna, which a study without a search does not
    from pipeline.fitting import FittedModel


@dataclass(frozen=True)
class Picture:
    """A picture of the report as SVG, which a notebook shows."""

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | Path) -> None:
        """Write the picture as an SVG file."""
        Path(path).write_text(self.svg, encoding="utf-8", newline="\n")


@dataclass(frozen=True, eq=False, repr=False)
class StudyResult:
    """A finished study; a notebook shows its answers.

    Attributes:
        record: all that the study says, as `study.json` holds it.
        subject: the prepared data.
        scored: every arm with its scores, row by row.
        recommended: the arm to use.
        seeds: a row per arm and seed.
        curves: a row per arm and epoch.
        language: of the answers, the pictures and the page; `in_language` gives others.
    """

    record: StudyRecord
    run: StudyRun
    subject: Subject
    scored: list[Scored]
    recommended: Scored
    seeds: pd.DataFrame
    curves: pd.DataFrame
    language: Language = "en"

    def in_language(self, language: Language) -> "StudyResult":
        """Return the same result, shown in another language: `en` or `zh`.

        Raises:
            ValueError: the report is not in this language.
        """
        return replace(self, language=_known(language))

    @cached_property
    def arms(self) -> pd.DataFrame:
        """Return a row per arm: its loss and score on new rows, its difference from its reference, and the verdict."""
        loss, score = self.record.about.loss, self.record.about.score
        return pd.DataFrame(
            [
                {"section": arm.section, "arm": arm.name, "chosen": arm.chosen, "reference": arm.reference}
                | _columns(f"holdout_{loss}", arm.scores.get("holdout", {}).get(loss))
                | _columns(f"holdout_{score}", arm.scores.get("holdout", {}).get(score))
                | _columns(f"gap_{loss}", arm.gap.get(loss))
                | _columns("difference", arm.difference)
                | {"p_adjusted": arm.p_adjusted, "verdict": arm.verdict}
                for arm in self.record.arms
            ]
        )

    @cached_property
    def rows(self) -> pd.DataFrame:
        """Return the loss of each row that was held out (cross-entropy, or squared error), a column per arm.

        The index is the row's number in the data, the columns are section and arm. NaN where an arm has no such loss.
        """
        rows = self.scored[0].rows
        losses = {(arm.section, arm.name): over_judges(arm.loss_rows) for arm in self.scored}
        return pd.DataFrame(losses, index=pd.Index(range(rows.ring.n) if rows.numbers is None else rows.numbers))

    @property
    def recommendation(self) -> Recommendation:
        """Return the recommended arm: its settings, and its scores on new rows and on the test set."""
        return self.record.recommendation

    @cached_property
    def model(self) -> "FittedModel":
        """Return the recommended model, whose seeds predict together."""
        from pipeline.fitting import FittedModel  # imports Keras

        prepared, arm = self.subject.prepared, self.recommended
        return FittedModel(
            arm.configuration.model, arm.configuration.train, prepared.summary, prepared.preprocessing,
            self.subject.classes, arm.result.fitted, [*prepared.notes, *prepared.summary.warnings],
        )  # fmt: skip

    def figure(self, section: str = "remedies") -> Picture:
        """Return the picture of a section of the study, or that of the `baseline`.

        Raises:
            ValueError: there is no such picture.
        """
        if section not in self._pictures:
            raise ValueError(f"section must be one of {', '.join(self._pictures)}; got {section!r}")
        return Picture(self._pictures[section])

    def to_html(self, path: str | Path) -> None:
        """Write the whole report as one HTML page."""
        with in_language(self.language):
            page = render(self.record, self.run, self._numbers, self._pictures)
        Path(path).write_text(page, encoding="utf-8", newline="\n")

    def __repr__(self) -> str:
        about = self.record.about
        return f"StudyResult({about.source}: {len(self.record.arms)} arms, {len(about.seeds)} seeds)"

    def _repr_html_(self) -> str:
        with in_language(self.language):
            return render_answers(self.record, self._numbers)

    @cached_property
    def _numbers(self) -> Numbers:
        return Numbers.of(self.record)

    @cached_property
    def _pictures(self) -> dict[str, str]:
        with in_language(self.language):
            return draw(self.record, self.curves, self.seeds, self._numbers)


def run_study(
    X: Any,
    target: str | ArrayLike | None = None,
    *,
    seeds: int | list[int] | None = None,
    sections: list[str] | None = None,
    model: Model = MODEL,
    train: Train = TRAIN,
    study: Study = STUDY,
    data: Data | None = None,
    groups: ArrayLike | None = None,
    search: "SearchResult | None" = None,
    workers: int = 2,
    tracking: str | None = None,
    progress: bool = True,
    language: Language = "en",
) -> StudyResult:
    """Ask what helps against overfitting on this data, by how much, and how sure that is.

    The numbers are those of the stages for the same settings. Nothing is read or written but what `X` names.

    Args:
        X: a data frame, an array or images, as `pipeline.fit` takes them; or the name of a source or the path of a
            file, as in `params.yaml`.
        target: the column to predict, or its values; None for a source that has one.
        seeds, sections: in place of those of `study`. The section on the search's winner needs `search`, and is left
            out without it.
        model, train: the configuration that the study begins with.
        data: further settings of the data, such as the share of the test rows.
        groups: rows of one value are either trained on or judge, `[n]`.
        search: the result of `run_search` on the same data.
        workers: processes that train at the same time.
        tracking: the URI of an MLflow store or server, such as `sqlite:///mlflow.db`, that a run for each arm is logged
            to; None for none.
        progress: whether to show a bar.
        language: of the answers, the pictures and the page: `en`, or `zh` for Chinese.

    Raises:
        ValueError: data or settings that no study can have.
    """
    began, language = time.monotonic(), _known(language)
    with value_errors(), tracked(tracking):
        study = section_of(Study, study, "run_study", seeds=seeds, sections=sections)
        if sections is None and search is None:
            sections = [section for section in study.sections if section != "winner"]
            study = section_of(Study, study, "run_study", sections=sections)
        model, train = section_of(Model, model, "run_study"), section_of(Train, train, "run_study")
        if "winner" in study.sections and search is None:
            raise InputError("the section winner needs the result of run_search: give it as search")
        subject = Subject.of(X, target, data, groups)
        settings = Settings(
            data=subject.data, model=model, train=train, study=study, engine=Engine(workers=workers),
            search=search.settings.search if search else Search(),
        )  # fmt: skip
        prepared, chosen_seeds = subject.prepared, fresh_seeds(settings)
        splits, summary = prepared.splits, prepared.summary
        rows = pooled(splits["train"], splits["validation"], chosen_seeds, summary.problem)
        console = None if progress else Console(quiet=True)
        with Trainings(settings, chosen_seeds, partial(given, rows), console=console) as trainings:
            sections_of_study = Sections(settings, rows, chosen_seeds, search.summary if search else {}, trainings)
            compared = sections_of_study.run()
        from experiments.study.conclusions import conclude  # imports Keras, which would delay the workers' start

        result, tables, recommended, by_arm = conclude(
            sections_of_study, compared, summary, prepared.preprocessing, lambda: splits["test"]
        )
        run = StudyRun(
            parent_run=None,
            runs={},
            cost=cost(trainings.results, len(chosen_seeds), time.monotonic() - began),
            seconds=by_arm,
            equal_time=equal_time(compared.get("optimizers")),
            test_looks=TestLooks(looks=None if len(splits["test"]) else 0, settings_changed_after_a_look=False),
        )
        if tracking is not None:
            parent, runs = _log(result, run, tables, settings, summary)
            run = run.model_copy(update={"parent_run": parent, "runs": runs})
    scored = [arm for name in settings.study.sections if name in compared for arm in compared[name].arms]
    return StudyResult(result, run, subject, scored, recommended, tables.seeds, tables.curves, language)


def _known(language: Language) -> Language:
    if language not in get_args(Language):
        raise ValueError(f"language must be one of {', '.join(get_args(Language))}; got {language!r}")
    return language


def _log(
    study: StudyRecord, run: StudyRun, tables: Tables, settings: Settings, summary: Summary
) -> tuple[str | None, dict[str, str]]:
    """Log a study in MLflow, with its files, and return the ids of its runs; see `log_study`."""
    from experiments.study.log import log_study  # needs MLflow

    with TemporaryDirectory() as folder:
        write_json(Path(folder, STUDY_FILE.name), study.model_dump(mode="json"))
        tables.write(Path(folder))
        files = sorted(Path(folder).iterdir())
        return log_study(study, run, tables, settings, summary, files=files, in_project=False)


def _columns(name: str, interval: Any) -> dict[str, float | None]:
    if interval is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}
