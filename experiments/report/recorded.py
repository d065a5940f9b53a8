"""Texts of the records, which are English, in the language of the report: names of arms and verdicts."""

import re

from experiments.report.language import N_, _

# Names of arms and parts of them; those of optimizers and activations are settings, and stay.
NAMES = (
    N_("baseline"), N_("baseline at its best epoch"), N_("all together"), N_("half the width"), N_("winner"),
    N_("dropout"), N_("input dropout"), N_("batch normalization"), N_("max-norm"), N_("Gaussian noise"),
    N_("weight decay"), N_("weight averaging"), N_("stochastic weight averaging"), N_("label smoothing"),
    N_("shifts"), N_("rotations"), N_("transformed inputs"), N_("early stopping"), N_("cross entropy"),
    N_("mean squared error"), N_("defaults"),
    N_("gradient clipping"), N_("class weights"), N_("piecewise-linear inputs"), N_("default"), N_("linear"),
    N_("gradient descent"), N_("mini-batches"), N_("single examples"), N_("equal epochs"), N_("equal updates"),
    N_("true labels"), N_("shuffled labels"), N_("linear model"), N_("nearest neighbours"),
    N_("random forest"), N_("gradient boosting"), N_("gradient boosting (stopped early)"),
)  # fmt: skip
VERDICTS = (
    N_("helps"), N_("hurts"), N_("better"), N_("worse"), N_("no detectable difference"),
    N_("neither beats knowing nothing"),
)  # fmt: skip
# Texts with something in them that is a name or a number; the first that fits is taken.
PATTERNS = {
    re.compile(pattern): message
    for pattern, message in (
        (r"the width of (?P<name>\S+) at its highest, (?P<value>\S+)",
         N_("the width of {name} at its highest, {value}")),
        (r"the width of (?P<name>\S+) at its lowest, (?P<value>\S+)", N_("the width of {name} at its lowest, {value}")),
        (r"the depth of (?P<name>\S+) at its highest, (?P<value>\S+)",
         N_("the depth of {name} at its highest, {value}")),
        (r"the depth of (?P<name>\S+) at its lowest, (?P<value>\S+)", N_("the depth of {name} at its lowest, {value}")),
        (r"(?P<name>\S+) near its highest, (?P<value>\S+)", N_("{name} near its highest, {value}")),
        (r"(?P<name>\S+) near its lowest, (?P<value>\S+)", N_("{name} near its lowest, {value}")),
        (r"(?P<size>.+), without", N_("{size}, without")),
        (r"(?P<size>.+), with", N_("{size}, with")),
        (r"(?P<first>[^,]+), (?P<rest>.+)", N_("{first}, {rest}")),
        (r"(?P<share>\d+ %) of the labels wrong", N_("{share} of the labels wrong")),
        (r"all but (?P<remedy>.+)", N_("all but {remedy}")),
        (r"trial (?P<number>\d+)", N_("trial {number}")),
        (r"(?P<rows>\d+) rows", N_("{rows} rows")),
        (r"rate (?P<value>\S+)", N_("rate {value}")),
        (r"momentum (?P<value>\S+)", N_("momentum {value}")),
        (r"activation (?P<name>.+)", N_("activation {name}")),
        (r"loss (?P<name>.+)", N_("loss {name}")),
        (r"early stopping (?P<setting>[a-z].*)", N_("early stopping {setting}")),
        (r"(?P<remedy>[^\d]+) (?P<strength>\S*\d\S*)", N_("{remedy} {strength}")),
    )
}  # fmt: skip


def shown(text: str) -> str:
    """Return a text of the records in the language of the report; one that is not known stays as it is."""
    if text in NAMES or text in VERDICTS:
        return _(text)
    for pattern, message in PATTERNS.items():
        if match := pattern.fullmatch(text):
            return _(message).format(**{name: shown(part) for name, part in match.groupdict().items()})
    return text
