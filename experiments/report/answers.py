"""The answers that the report begins with, which follow from the recorded numbers whichever way they point."""

from experiments.records import Arm, NewRows, Study
from experiments.report.arms import (
    MORE_DATA,
    NO_DIFFERENCE,
    by_difference,
    by_loss,
    difference_of,
    is_known,
    kind_of,
    ranked,
    remedy_name,
    score_of,
    short_name,
    short_reference,
)
from experiments.report.numbers import Numbers, count, sentence, with_interval
from experiments.report.peers import Peers
from experiments.report.phrases import Answer, Phrases
from pipeline.statistics.intervals import Interval

TUNED = "each at the best of ten settings around Keras' defaults (ten learning rates, or five with two momenta)"
WORTH_IT = "Is a network worth it here?"
DEFAULTS = "each at Keras' defaults"


class Answers:
    """The answers of one study."""

    def __init__(self, study: Study, numbers: Numbers) -> None:
        self.study, self.numbers = study, numbers
        self.phrases, self.peers = Phrases(study, numbers), Peers(study, numbers)
        self.baseline = study.section("remedies")[0]

    def in_order(self) -> list[tuple[str, Answer]]:
        """Return each question with its answer; a model that is worth nothing comes first."""
        worthless = self.worthless()
        return [
            *([("Is it worth anything?", worthless)] if worthless else []),
            *([] if self.study.peers is None else [(WORTH_IT, self.peers.answer())]),
            ("Does it overfit?", self.overfits()),
            ("What helps most?", self.helps_most()),
            ("Which optimizer?", self.optimizer()),
            ("What to expect?", self.expected()),
            ("Which settings?", self.recommended()),
        ]

    def worthless(self) -> Answer | None:
        """Return an answer if the recommended model does not beat knowing nothing; None if it does or may do so."""
        recommendation, loss = self.study.recommendation, self.numbers.loss
        if recommendation.beats_nothing is not False:
            return None
        return Answer(
            "The recommended model is worth nothing",
            f": it is not found to beat a model that knows nothing of the features. Its {self.phrases.on_new_rows} is "
            f"{self.numbers.losses(recommendation.holdout.get(loss))}, and knowing nothing gives "
            f"{self.numbers.loss_text(self.phrases.nothing(loss))} (difference "
            f"{self.numbers.losses(recommendation.over_nothing, True)}).",
        )

    def overfits(self) -> Answer:
        """Return whether the baseline does better on the rows it was trained on than on new ones."""
        overfits, gap = self.study.overfits, self.study.overfits.gap.get(self.numbers.loss)
        scores = self._trained_and_new()
        if scores is None:
            return Answer("It cannot be told", ": no seed was scored.")
        if overfits.answer is None or not is_known(gap):
            return Answer("It cannot be told", f" from {self.phrases.seeds}: {scores}.")
        if overfits.answer:
            return Answer("Yes", f": {scores}.")
        by = f"The gap in {self.numbers.loss_name} is {self.numbers.losses(gap, True)}"
        if gap.high < 0:
            return Answer("No", f": {scores}. {by}, so it does better on new rows.")
        return Answer("Not detectably", f": {scores}. {by}, which may be none.")

    def _trained_and_new(self) -> str | None:
        """Return loss and score on the training rows and on new ones, with what knowing nothing gives."""
        numbers, phrases = self.numbers, self.phrases
        loss_train, loss_new = (score_of(self.baseline, split, numbers.loss) for split in ("train", "holdout"))
        score_train, score_new = (score_of(self.baseline, split, numbers.score) for split in ("train", "holdout"))
        if loss_new.mean is None:
            return None
        losses = f"{numbers.loss_name} {numbers.loss_text(loss_train.mean)} and {numbers.losses(loss_new)}"
        nothing = f"{numbers.loss_name} {numbers.loss_text(phrases.nothing(numbers.loss))}"
        trained = numbers.scores(score_train).partition(" ")[0]
        if numbers.score == "accuracy":
            scores = f"{trained} of the rows it was trained on are right, {numbers.scores(score_new)} of new ones"
            chance = numbers.score_text(phrases.nothing(numbers.score))
            return f"{scores}; {losses} (knowing nothing: {chance}\N{NO-BREAK SPACE}% right; {nothing})"
        scores = f"{numbers.score_name} {trained} and {numbers.scores(score_new)}"
        return f"on the rows it was trained on and on new ones, {losses}; {scores} (knowing nothing: {nothing})"

    def helps_most(self) -> Answer:
        """Return the remedy that lowers the loss on new rows most: more data, less complexity or regularization."""
        arms, phrases = ranked(self.study), self.phrases
        if not arms:
            return Answer("Not studied", ": no remedy was compared with the baseline.")
        best, helping = arms[0], [arm for arm in arms if arm.verdict == "helps"]
        if not phrases.can_tell:
            lowest = f"the lowest mean loss is that of {remedy_name(best)}, {phrases.judged(best)}"
            return Answer("It cannot be told", f" from {phrases.seeds}; {lowest}.")
        if not helping:
            nearest = self._leading(arms)
            compared = f": of {count(len(arms), 'arm')} compared, {phrases.verdicts(arms, remedy_name, most=3)}."
            lead = "Nothing" if all(arm.verdict == "hurts" for arm in arms) else "Nothing detectably"
            return Answer(lead, f"{compared}{nearest}")
        best, rest = helping[0], [arm for arm in arms if arm is not helping[0]]
        others = f" Of {_remedies(len(rest))}, {phrases.verdicts(rest, remedy_name, most=3)}." if rest else ""
        lead = sentence(MORE_DATA if kind_of(best) == MORE_DATA else best.name)
        sizes = remedy_name(best).removeprefix(MORE_DATA) if kind_of(best) == MORE_DATA else ""
        lowers = f"{sizes} lowers the {phrases.on_new_rows} {phrases.lower(best)}{phrases.collapsed(best)}."
        return Answer(lead, f"{lowers}{others}{self._leading(rest)}")

    def _leading(self, arms: list[Arm]) -> str:
        """Return a sentence on the largest fall that was not detected, and what would detect it."""
        arm = leading(arms)
        if arm is None:
            return ""
        would_find = self.phrases.would_find(arm)
        fall = f" The largest fall among these is that of {remedy_name(arm)}, {self.phrases.judged(arm)}"
        return f"{fall}; {would_find}." if would_find else f"{fall}."

    def optimizer(self) -> Answer:
        """Return the optimizer to use."""
        arms, how = self.optimizers()
        scored, phrases = by_loss(arms, self.numbers.loss), self.phrases
        if not arms:
            return Answer("Not studied", ": the study has no arms with other optimizers.")
        if not scored:
            return Answer("It cannot be told", ": no seed was scored.")
        configured = self.baseline.settings["train"]["optimizer"]
        reference = next((arm for arm in arms if short_name(arm) == configured), None)
        helping = [arm for arm in scored if arm.verdict == "helps"]
        if helping:
            best, rest = helping[0], [short_name(arm) for arm in helping[1:]]
            also = f" Better than {short_reference(best)} too: {', '.join(rest)}." if rest else ""
            lowers = f"its {phrases.on_new_rows} is lower than that of {short_reference(best)} {phrases.lower(best)}"
            return Answer(sentence(short_name(best)), f", {how}: {lowers}.{also}")
        lowest = short_name(scored[0])
        if reference is None:
            detail = f" has the lowest holdout loss of {len(arms)}, {how}"
            no_verdict = "; the configured optimizer is not among them, so there is no verdict."
            return Answer(sentence(lowest), f"{detail}{no_verdict}")
        if not phrases.can_tell:
            return Answer("It cannot be told", f" from {phrases.seeds}; {lowest} has the lowest holdout loss, {how}.")
        others = [arm for arm in arms if arm is not reference]
        detail = f": of {count(len(others), 'other')}, {how}, {phrases.verdicts(others, most=3)}."
        return Answer(f"Keep {configured}", detail if others else ": no other was tried.")

    def optimizers(self) -> tuple[list[Arm], str]:
        """Return the arms of the optimizers that are compared with each other, and a text on how each was set."""
        arms = [arm for arm in self.study.section("optimizers") if arm.chosen]
        tuned = [arm for arm in arms if arm.group == "tuned"]
        if tuned:
            return tuned, TUNED
        return [arm for arm in arms if arm.group == "defaults"], DEFAULTS

    def expected(self) -> Answer:
        """Return the scores of the recommended model on new rows, with those of knowing nothing."""
        recommendation, about, numbers = self.study.recommendation, self.study.about, self.numbers
        split: NewRows = "test" if recommendation.test else "holdout"
        scores, ensemble = recommendation.test or recommendation.holdout, self.study.ensemble
        rows = f"{about.rows.get('test', 0):,} test rows, with intervals for other seeds and other rows of the kind"
        if split == "holdout":
            rows = f"the {about.rows['pool']:,} rows held out in turn, since there are no test rows"
        nothing = f"{numbers.loss_name} {numbers.loss_text(self.phrases.nothing(numbers.loss, split))}"
        if (chance := self.phrases.nothing(numbers.score, split)) is not None:
            percent_sign = "\N{NO-BREAK SPACE}%" if numbers.score == "accuracy" else ""
            nothing = f"{numbers.score_name} {numbers.score_text(chance)}{percent_sign} and {nothing}"
        lead = sentence(f"{numbers.score_name} {numbers.scores(scores.get(numbers.score))}")
        loss = f" and {numbers.loss_name} {numbers.losses(scores.get(numbers.loss))}"
        means = f"means over {self.phrases.seeds} on {rows}"
        if ensemble and ensemble.serves and ensemble.test:
            alone, scores = f"; one of them alone has {numbers.losses(scores.get(numbers.loss))}", ensemble.test
            lead = sentence(f"{numbers.score_name} {numbers.scores(scores.get(numbers.score))}")
            loss = f" and {numbers.loss_name} {numbers.losses(scores.get(numbers.loss))}"
            means = f"by {ensemble.members} seeds that predict together, on {rows}{alone}"
        return Answer(
            lead, f"{loss}, {means}. Knowing nothing gives {nothing}.{self._no_more_often_right(scores, split)}"
        )

    def _no_more_often_right(self, scores: dict[str, Interval], split: NewRows) -> str:
        """Return a sentence if the model is not found to beat the accuracy of always saying the most frequent class."""
        score, chance = scores.get(self.numbers.score), self.phrases.nothing(self.numbers.score, split)
        if self.numbers.score != "accuracy" or not is_known(score) or chance is None or score.low > chance:
            return ""
        return (
            " So it is not found to be right more often than always saying the most frequent class."
            f"{self._balanced_accuracy()}"
        )

    def _balanced_accuracy(self) -> str:
        """Return a sentence on the balanced accuracy, which tells more where one class is much more frequent."""
        further, threshold = self.study.further, self.study.threshold
        if further is None:
            return ""
        balanced, chance = further.holdout["balanced_accuracy"], further.knowing_nothing["balanced_accuracy"]
        text = f" Its balanced accuracy on new rows is {with_interval(balanced, 3)} (knowing nothing: {chance:.3f})"
        if threshold is not None and threshold.helps:
            then = with_interval(threshold.balanced_accuracy, 3)
            text += f", and {then} if {threshold.of} is said from a probability of {threshold.threshold:.2f} on"
        return f"{text}."

    def recommended(self) -> Answer:
        """Return where the settings to use come from: an arm that helps, or the baseline."""
        recommendation = self.study.recommendation
        if not recommendation.helps and not self.phrases.can_tell:
            return Answer("The baseline's", f", since {self.phrases.seeds} cannot tell what helps; here below.")
        if not recommendation.helps:
            return Answer("The baseline's", ", since no remedy helps detectably; here below.")
        of = " of the search" if recommendation.section == "winner" else ""
        rest = ", of the lowest holdout loss among the arms that help; here below."
        return Answer(f"Those of “{recommendation.arm}”{of}", rest)


def leading(arms: list[Arm]) -> Arm | None:
    """Return the arm of no detectable difference whose loss falls most; None where none falls."""
    undetected = [arm for arm in arms if arm.verdict == NO_DIFFERENCE]
    return next((arm for arm in by_difference(undetected) if (difference_of(arm).mean or 0) < 0), None)


def _remedies(number: int) -> str:
    return "the other remedy" if number == 1 else f"{number} other remedies"
