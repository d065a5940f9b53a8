"""The report's page: its sections in order, and its HTML."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.ext import InternationalizationExtension

from experiments.records import Arm, SectionName, Study, StudyRun
from experiments.report.alt import Alt
from experiments.report.answers import WORTH_IT, Answers
from experiments.report.arms import full_name, ranked, remedy_name
from experiments.report.evidence import Evidence, carried
from experiments.report.language import N_, TAGS, _, language, translations
from experiments.report.method import TASKS, Method
from experiments.report.model import RecommendedModel
from experiments.report.numbers import LEVEL, Numbers, sentence
from experiments.report.questions import DESCRIBE, overfitting
from experiments.report.recorded import shown
from experiments.report.settings import as_yaml
from experiments.report.svg import inline
from experiments.report.tables import LABELS, RANKED, SCORES, STANDARD, WINNER, Table, Tables, by_group
from experiments.report.warned import translated

TEMPLATES = Path(__file__).parent / "templates"
TITLES: dict[SectionName, str] = {
    "remedies": N_("What helps?"),
    "learning_curve": N_("Would more data help?"),
    "capacity": N_("Would a smaller or a larger network?"),
    "optimizers": N_("Which optimizer?"),
    "activations": N_("Which activation and loss?"),
    "memorization": N_("Does it memorize?"),
    "winner": N_("What did the search's winner really bring?"),
}


MODEL = N_("Can the recommended model be used?")
NOT_ASKED = N_(
    "Not asked in this study: {section} is not in study.sections of params.yaml, or the data or the search gives "
    "nothing to compare."
)
# The caption under the picture of each section. `{Loss}` and `{Score}` stand at the start of a sentence.
CAPTIONS: dict[SectionName, str] = {
    "remedies": N_(
        "Change of the {loss} on new rows, paired row by row. Marks are means, lines {level} intervals that hold "
        "together within a panel, small strokes the single seeds. Left of the line is better."
    ),
    "learning_curve": N_(
        "Holdout {loss} against the number of training rows, with {level} intervals; dashed, the power law through the "
        "points, and outlined what it predicts for twice the rows."
    ),
    "capacity": N_(
        "{Loss} against the units of each hidden layer: training (dotted) and holdout rows (solid, with {level} "
        "intervals)."
    ),
    "optimizers": N_("Holdout {loss} with {level} intervals, all with early stopping; the lowest on top."),
    "activations": N_(
        "Holdout {loss} with {level} intervals, all with early stopping; outlined, the configured choice."
    ),
    "memorization": N_("{Score} on training and on holdout rows over the epochs, for each kind of training label."),
    "winner": N_(
        "{Loss} of the best trial so far against how many were tried: as the search promised it, and with fresh seeds, "
        "with {level} intervals, on the rows that the search chose by, on rows that chose nothing, and on test rows."
    ),
}
NOTHING_IS_DOTTED = N_(" The dotted line is knowing nothing, where it is in the picture.")


@dataclass(frozen=True)
class Picture:
    """A picture with its alternative text and its caption."""

    svg: str
    alt: str
    caption: str


@dataclass(frozen=True)
class Section:
    """One question and its answer; `missing` says in a line why there is no answer."""

    id: str
    title: str
    sentences: list[str] = field(default_factory=list)
    picture: Picture | None = None
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    missing: str | None = None


def render(study: Study, run: StudyRun, numbers: Numbers, pictures: dict[str, str]) -> str:
    """Return the whole page; `pictures` are SVG texts by name."""
    page = Page(study, run, numbers, pictures)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            language=TAGS[language()],
            study=study,
            about=study.about,
            task=_(TASKS[study.about.task]),
            numbers=numbers,
            answers=page.evidence.answers.in_order(),
            yaml=as_yaml(study.recommendation.settings, page.evidence.baseline.settings),
            sections=[page.peers(), page.overfitting(), *(page.section(name) for name in TITLES), page.model()],
            method=Method(study, run, numbers),
            warnings=warnings(study, run),
        )
    )


def render_answers(study: Study, numbers: Numbers) -> str:
    """Return the answers that the page begins with, as a part of an HTML page."""
    answers, baseline = Answers(study, numbers), study.section("remedies")[0]
    yaml = as_yaml(study.recommendation.settings, baseline.settings)
    return _environment().get_template("answers.html.j2").render(answers=answers.in_order(), yaml=yaml)


def _environment() -> Environment:
    environment = Environment(
        extensions=[InternationalizationExtension],
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.install_gettext_translations(translations(), newstyle=True)  # type: ignore[attr-defined]
    return environment


def warnings(study: Study, run: StudyRun) -> list[str]:
    """Return the warnings that the page begins with."""
    notes = [translated(warning) for warning in study.about.warnings]
    if len(study.about.seeds) == 1:
        notes.append(_("With one seed there are no intervals: what differs may differ by luck. Raise study.seeds."))
    if run.test_looks.settings_changed_after_a_look:
        notes.append(
            _(
                "Settings were changed after a look at this test set, so its scores may be too good. New rows that "
                "nobody has looked at would tell."
            )
        )
    return notes


class Page:
    """The sections of one study."""

    def __init__(self, study: Study, run: StudyRun, numbers: Numbers, pictures: dict[str, str]) -> None:
        self.study, self.numbers, self.pictures = study, numbers, pictures
        self.evidence, self.alt = Evidence(study, run, numbers), Alt(study, run, numbers)
        self.tables = Tables(study, run, numbers)

    def peers(self) -> Section:
        """Return the section about models that are no networks."""
        of_peers = self.evidence.answers.peers
        if not of_peers.peers:
            return Section("peers", _(WORTH_IT), missing=_(NOT_ASKED).format(section="peers"))
        picture = self._picture("peers", of_peers.alt(), of_peers.caption())
        return Section("peers", _(WORTH_IT), of_peers.sentences(), picture, of_peers.tables_of(self.tables))

    def model(self) -> Section:
        """Return the section about the recommended model."""
        model = RecommendedModel(self.study, self.numbers)
        if not model.is_known:
            return Section(
                "model", _(MODEL), missing=_("This study was made before the recommended model was looked into.")
            )
        picture = self._picture("importance", model.alt(), model.caption()) if self.study.importance else None
        return Section("model", _(MODEL), model.sentences(), picture, model.tables_of(self.tables))

    def overfitting(self) -> Section:
        """Return the section about the baseline."""
        overfits, baseline = self.study.overfits, self.evidence.baseline
        at_best = next((arm for arm in self.study.section("remedies") if arm.group == "best_epoch"), None)
        caption = _(
            "The baseline's {loss} over the epochs, means over the seeds; the first epochs may run out at the top."
        ).format(loss=self.numbers.loss_name)
        if overfits.rises:
            caption += _(" The upright line is the median onset, the bar its range over the seeds.")
        picture = self._picture("baseline", self.alt.baseline(), caption)
        tables = [self.tables.overfitting(baseline, at_best)]
        return Section(
            "overfitting",
            _("Does it overfit?"),
            overfitting.describe(self.evidence),
            picture,
            tables,
            self._notes([baseline]),
        )

    def section(self, name: SectionName) -> Section:
        """Return the section of one question of the study."""
        arms = self.study.section(name)
        if not arms:
            return Section(name, _(TITLES[name]), missing=_(NOT_ASKED).format(section=name))
        tables: dict[SectionName, Callable[[], list[Table]]] = {
            "remedies": self._remedies,
            "learning_curve": lambda: [self.tables.compared(_("Fewer training rows"), self._sizes(), STANDARD)],
            "capacity": lambda: [self.tables.compared(_("Other widths and depths"), self._shapes(), STANDARD)],
            "optimizers": self._optimizers,
            "activations": self._activations,
            "memorization": lambda: [self.tables.compared(_("Training labels"), {"": arms}, LABELS)],
            "winner": self._winner,
        }
        section_tables = tables[name]()
        few_rows = carried(self.study, name)
        if few_rows:
            section_tables.append(self.tables.influential(few_rows, folded=name != "remedies"))
        return Section(
            name,
            _(TITLES[name]),
            DESCRIBE[name](self.evidence),
            self._picture(name, getattr(self.alt, name)(), self._caption(name)),
            section_tables,
            self._notes(arms),
        )

    def _notes(self, arms: list[Arm]) -> list[str]:
        phrases = self.evidence.phrases
        return [note for note in (phrases.diverged(arms), phrases.unsteady(arms)) if note]

    def _picture(self, name: str, alt: str, caption: str) -> Picture:
        return Picture(inline(self.pictures[name], name), alt, caption)

    def _caption(self, name: SectionName) -> str:
        loss, score = self.numbers.loss_name, self.numbers.score_name
        caption = _(CAPTIONS[name]).format(loss=loss, Loss=sentence(loss), Score=sentence(score), level=LEVEL)
        return caption if name == "remedies" else f"{caption}{_(NOTHING_IS_DOTTED)}"

    def _remedies(self) -> list[Table]:
        arms = self.study.section("remedies")
        chosen = [arm for arm in arms if arm.chosen]
        compared = ranked(self.study)
        tables = [self.tables.compared(_("Ranked by the change on new rows"), {"": compared}, RANKED, name=remedy_name)]
        if not compared:
            tables = []
        titles = {"baseline": _("Baseline"), "single": _("One at a time"), "together": _("All together")}
        groups = {title: [arm for arm in chosen if arm.group == group] for group, title in titles.items()}
        caption = _("Scores of the remedies, each at the strength that the other folds chose")
        tables.append(self.tables.compared(caption, groups, SCORES))
        left_out = [arm for arm in chosen if arm.group == "leave_one_out"]
        if left_out:
            title = {"leave_one_out": _("All but one")}
            tables.append(self.tables.compared(_("All together less one"), by_group(left_out, title), STANDARD))
        rest = [arm for arm in arms if not arm.chosen]
        if rest:
            caption = _("Strengths that were tried and not chosen: {n}").format(n=len(rest))
            tables.append(self.tables.compared(caption, {"": rest}, SCORES, folded=True))
        return tables

    def _sizes(self) -> dict[str, list[Arm]]:
        arms = self.study.section("learning_curve")
        chosen = self.study.chosen_remedy
        remedy = shown(chosen) if chosen else _("the chosen remedy")
        titles = {"without": _("The baseline"), "with": _("With {remedy}").format(remedy=remedy)}
        return {
            _("{arm}, each against half as many rows").format(arm=title): [arm for arm in arms if arm.group == group]
            for group, title in titles.items()
        }

    def _shapes(self) -> dict[str, list[Arm]]:
        arms = self.study.section("capacity")
        groups: dict[str, list[Arm]] = {}
        for group, factor, title in (
            ("without", "width", _("Width, without a remedy")),
            ("without", "depth", _("Depth, without a remedy")),
            ("with", "width", _("Width, with the chosen remedy")),
            ("with", "depth", _("Depth, with the chosen remedy")),
        ):
            members = [arm for arm in arms if arm.group == group and arm.factor == factor]
            groups |= by_group(members, {group: title})
        return groups

    def _optimizers(self) -> list[Table]:
        arms = self.study.section("optimizers")
        chosen = [arm for arm in arms if arm.chosen]
        titles = {"defaults": _("At Keras' defaults"), "tuned": _("At the best of ten settings")}
        tables = [self.tables.compared(_("Optimizers, all with early stopping"), by_group(chosen, titles), STANDARD)]
        rest = [arm for arm in arms if arm.group == "tuned" and not arm.chosen]
        if rest:
            caption = _("Learning rates that were tried and not chosen: {n}").format(n=len(rest))
            tables.append(self.tables.compared(caption, {"": rest}, SCORES, folded=True, name=full_name))
        batches = {"equal_epochs": _("Equal epochs"), "equal_updates": _("Equal updates")}
        table = self.tables.batches(
            {title: [arm for arm in chosen if arm.group == group] for group, title in batches.items()}
        )
        return [*tables, table] if table.groups else tables

    def _activations(self) -> list[Table]:
        groups = by_group(self.study.section("activations"), {"activation": _("Activation"), "loss": _("Loss")})
        return [self.tables.compared(_("Activations and losses"), groups, STANDARD)]

    def _winner(self) -> list[Table]:
        arms = self.study.section("winner")
        groups = {
            "default": _("Default"),
            "winner": _("Winner"),
            "incumbent": _("Trials that were the best so far"),
        }
        caption = _("Promised, and with fresh seeds on rows that chose nothing")
        return [
            self.tables.compared(caption, by_group(arms, groups), WINNER),
            self.tables.changes(_("The settings of the default and of these trials"), arms),
        ]
