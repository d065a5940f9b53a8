"""The report's page: what stands in it, in order, and its HTML."""

from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from experiments.report_alt import Alt
from experiments.report_method import Method
from experiments.report_numbers import Numbers
from experiments.report_settings import as_yaml
from experiments.report_svg import inline
from experiments.report_tables import LABELS, STANDARD, WINNER, Table, Tables, by_group
from experiments.report_text import Text
from experiments.study_record import Arm, SectionName, Study, StudyRun

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Picture:
    """A picture with the text that stands for it and the one beneath it."""

    svg: str
    alt: str
    caption: str


@dataclass(frozen=True)
class Section:
    """One question and its answer; `missing` says in a line why there is none."""

    id: str
    title: str
    sentences: list[str] = field(default_factory=list)
    picture: Picture | None = None
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    missing: str | None = None


def render(study: Study, run: StudyRun, numbers: Numbers, pictures: dict[str, str]) -> str:
    """The whole page; `pictures` are SVG texts by name."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    text = Text(study, run, numbers)
    answers = [
        ("Does it overfit?", text.overfits()),
        ("What helps most?", text.helps_most()),
        ("Which optimizer?", text.optimizer()),
        ("What to expect?", text.expected()),
        ("Which settings?", text.recommended()),
    ]
    return environment.get_template("report.html.j2").render(
        study=study,
        about=study.about,
        numbers=numbers,
        answers=answers,
        yaml=as_yaml(study.recommendation.settings, text.baseline.settings),
        sections=_sections(study, Tables(study, run, numbers), text, Alt(study, run, numbers), pictures),
        method=Method(study, run, numbers),
        warnings=_warnings(study, run),
    )


def _warnings(study: Study, run: StudyRun) -> list[str]:
    told = list(study.about.warnings)
    if len(study.about.seeds) == 1:
        told.append("With one seed there are no intervals: what differs may differ by luck. Raise study.seeds.")
    if run.test_looks.settings_changed_after_a_look:
        told.append(
            "Settings were changed after a look at this test set, so its scores may be too good. "
            "New rows that nobody has looked at would tell."
        )
    return told


def _sections(study: Study, tables: Tables, text: Text, alt: Alt, pictures: dict[str, str]) -> list[Section]:
    def section(name: SectionName, title: str, caption: str, made: list[Table]) -> Section:
        arms = study.section(name)
        if not arms:
            asked = f"Not asked in this study: {name} is not in study.sections of params.yaml, or the data or the "
            return Section(name, title, missing=f"{asked}search gives no arms for it.")
        sentences = getattr(text, f"{name}_section")()
        picture = _picture(name, getattr(alt, name)(), caption, pictures)
        note = text.diverged(arms)
        return Section(name, title, sentences, picture, made, [note] if note else [])

    baseline = text.baseline
    loss = text.numbers.loss_name
    note = text.diverged([baseline])
    has_onset = study.overfits.answer and study.overfits.onset_epoch is not None
    onset = " The upright line is the median onset, the bar its range over the seeds." if has_onset else ""
    return [
        Section(
            "overfitting",
            "Does it overfit?",
            text.overfitting_section(),
            _picture(
                "baseline",
                alt.baseline(),
                f"The baseline's {loss} over the epochs, means over the seeds that still train; the first epochs may "
                f"run out at the top.{onset}",
                pictures,
            ),
            [tables.overfitting(baseline)],
            [note] if note else [],
        ),
        section(
            "remedies",
            "What helps?",
            f"Difference in holdout {loss}, paired seed by seed. Marks are means, lines 95 % intervals, small strokes "
            "the single seeds. Left of the line is better.",
            _remedies(study, tables),
        ),
        section(
            "learning_curve",
            "Would more data help?",
            f"Holdout {loss} against the number of training rows, with 95 % intervals; dashed, the power law through "
            "the points, and outlined what it predicts for twice the rows.",
            [tables.compared("Fewer training rows", _learning_curve(study), STANDARD)],
        ),
        section(
            "capacity",
            "Would a smaller or a larger network?",
            f"{loss[0].upper()}{loss[1:]} against the units of each hidden layer: training (dotted) and holdout rows "
            "(solid, with 95 % intervals).",
            [tables.compared("Other widths and depths", _capacity(study), STANDARD)],
        ),
        section(
            "optimizers",
            "Which optimizer?",
            f"Holdout {loss} with 95 % intervals, all with early stopping; the lowest on top.",
            _optimizers(study, tables),
        ),
        section(
            "activations",
            "Which activation and loss?",
            f"Holdout {loss} with 95 % intervals, all with early stopping; outlined, the configured choice.",
            [
                tables.compared(
                    "Activations and losses",
                    by_group(study.section("activations"), {"activation": "Activation", "loss": "Loss"}),
                    STANDARD,
                )
            ],
        ),
        section(
            "memorization",
            "Does it memorize?",
            f"Training and validation {text.numbers.score_name} over the epochs, for each kind of training label.",
            [_memorization(study, tables)],
        ),
        section(
            "winner",
            "What did the search's winner really bring?",
            f"Above, the winner's {loss} as promised, on fresh seeds and on the test rows, beside the default. Below, "
            "every trial that was the best so far: promised, and on the test rows.",
            _winner(study, tables),
        ),
    ]


def _picture(name: str, alt: str, caption: str, pictures: dict[str, str]) -> Picture:
    return Picture(inline(pictures[name], name), alt, caption)


def _remedies(study: Study, tables: Tables) -> list[Table]:
    arms = study.section("remedies")
    chosen = [arm for arm in arms if arm.chosen]
    titles = {
        "baseline": "Baseline",
        "single": "One at a time",
        "together": "All together",
        "leave_one_out": "All but one",
    }
    caption = "Remedies, each at the strength with the lowest validation loss"
    made = [tables.compared(caption, by_group(chosen, titles), STANDARD)]
    rest = [arm for arm in arms if not arm.chosen]
    if rest:
        caption = f"Strengths that were tried and not chosen: {len(rest)}"
        made.append(tables.compared(caption, {"": rest}, STANDARD, folded=True))
    return made


def _learning_curve(study: Study) -> dict[str, list[Arm]]:
    arms = study.section("learning_curve")
    remedy = study.chosen_remedy or "the chosen remedy"
    titles = {"without": "The baseline", "with": f"With {remedy}"}
    return {
        f"{title}, each against half as many rows": [arm for arm in arms if arm.group == group]
        for group, title in titles.items()
    }


def _capacity(study: Study) -> dict[str, list[Arm]]:
    arms = study.section("capacity")
    made: dict[str, list[Arm]] = {}
    for group, title in (("without", "without a remedy"), ("with", "with the chosen remedy")):
        for factor, noun in (("width", "Width"), ("depth", "Depth")):
            own = [arm for arm in arms if arm.group == group and arm.factor == factor]
            made |= by_group(own, {group: f"{noun}, {title}"})
    return made


def _optimizers(study: Study, tables: Tables) -> list[Table]:
    arms = [arm for arm in study.section("optimizers") if arm.chosen]
    titles = {"defaults": "At Keras' defaults", "tuned": "At the best settings of the search"}
    made = [tables.compared("Optimizers, all with early stopping", by_group(arms, titles), STANDARD)]
    tuned = [arm for arm in arms if arm.group == "tuned"]
    if tuned:
        made.append(tables.changes("The settings of the tuned optimizers", tuned))
    batches = {"equal_epochs": "Equal epochs", "equal_updates": "Equal updates"}
    table = tables.batches({title: [arm for arm in arms if arm.group == group] for group, title in batches.items()})
    return [*made, table] if table.groups else made


def _memorization(study: Study, tables: Tables) -> Table:
    return tables.compared("Training labels", {"": study.section("memorization")}, LABELS)


def _winner(study: Study, tables: Tables) -> list[Table]:
    arms = study.section("winner")
    groups = {"default": "Default", "winner": "Winner", "incumbent": "Trials that were the best so far"}
    made = [tables.compared("Promised and found", by_group(arms, groups), WINNER)]
    return [*made, tables.changes("The settings of the default and of these trials", arms)]
