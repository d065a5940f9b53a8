"""The report's account of how the study was done: recorded facts, statistics in plain words, and a glossary."""

from collections.abc import Iterable

from experiments.records import Study, StudyRun
from experiments.report.language import N_, _, counted
from experiments.report.numbers import LEVEL, Numbers, clauses, duration, joined, some
from pipeline.statistics.intervals import Interval

MOST_NAMES = 60
TASKS = {"classification": N_("classification"), "regression": N_("regression")}

STATISTICS = [
    (N_("Ring of folds"), N_(
        "The pool of training and validation rows is cut into folds. Each seed holds out two neighbouring folds and "
        "trains on the others; of the two, each judges what was stopped or chosen on the other. So every row judges "
        "twice, by two models that have never seen it."
    )),
    (N_("Paired differences"), N_(
        "An arm and its reference share each seed: the same rows to train on and to judge on, and the same random "
        "numbers where they have the same shape. Their losses are subtracted row by row, so what makes a row hard for "
        "both falls out. A difference of RMSE is that of the mean squared errors over the sum of both RMSE."
    )),
    (N_("Error of a difference"), N_(
        "Two variances are added. That over rows is what other rows would change (Bayle et al., 2020, arXiv "
        "2007.12671). It takes the models as given, and alone is too sure (Bayle, Janson and Mackey, 2025, arXiv "
        "2508.04409), so the second is what other models would change: the rows that one model judges have its luck in "
        "common. How much is told by a design effect (Kish, 1965), the variance of fold means next to that of as many "
        "independent rows. Few folds tell little of it, so an arm's own is raised to the common one of the arms beside "
        "it (Smyth, 2004, Statistical Applications in Genetics and Molecular Biology 3), and never lowered. Where "
        "whole groups are held out, both are variances of sums over groups."
    )),
    (N_("Adjusted p"), N_(
        "The more arms are compared, the more seem to help by luck. So the p-values of the arms that answer one "
        "question are adjusted together (Holm, 1979, Scandinavian Journal of Statistics 6, 65-70): remedies alone and "
        "all together; all but one; optimizers at defaults, and tuned; sizes without and with the remedy."
    )),
    (N_("Interval beside a verdict"), N_(
        "{level}, by Student's t, for all arms of a question together (Bonferroni). Where Holm's less strict step "
        "finds an arm that Bonferroni's does not, the interval has the level of that step. So an interval leaves out 0 "
        "just where a difference is found."
    )),
    (N_("Interval of a score"), N_(
        "{level}, for other rows and other seeds, and never beyond what is possible: that of an accuracy is exact for "
        "its effective number of rows (Clopper and Pearson, 1934; Korn and Graubard, 1998), that of a loss symmetric "
        "for its logarithm."
    )),
    (N_("Detectable"), N_(
        "The difference that four of five such studies would have found, among as many comparisons."
    )),
    (N_("P(better)"), N_(
        "The share of seeds in which the arm has the lower loss on the rows that the seed holds out, ties counting "
        "half (Bouthillier et al., 2021, MLSys), with the exact interval of a share (Clopper and Pearson, 1934, "
        "Biometrika 26, 404-413). It is of one arm alone, not adjusted for the others, and counts seeds however small "
        "their differences, so it may leave out 0.5 where no difference is detected."
    )),
    (N_("Verdict"), N_(
        "“helps” or “hurts” where the adjusted p is below 0.05; else “no detectable difference”, which is a result: so "
        "many seeds and rows cannot tell the two apart. The better of the two must also be found better than knowing "
        "nothing of the features (the class shares, or the mean), since among useless models a smaller loss is no "
        "help; else “neither beats knowing nothing”."
    )),
    (N_("Choosing"), N_(
        "Strengths, learning rates and the recommendation are chosen for each fold by the rows of the other folds, "
        "since the best of many looks too good on the rows that it was chosen by (Cawley and Talbot, 2010, JMLR 11, "
        "2079-2107). What the search chose is not judged by rows that it chose by. All together, all but one and the "
        "sizes with the chosen remedy take the strengths that are best on all rows."
    )),
    (N_("Overfitting"), N_(
        "The baseline overfits where it does better on the rows it was trained on than on new ones: the interval of "
        "the gap lies above 0. Apart from it stands the rise, the loss of its last epoch less that of its best on rows "
        "that did not choose which is the best."
    )),
    (N_("Twice the data"), N_(
        "A power law, loss = floor + scale / rows^exponent, through the learning curve (Hestness et al., 2017, arXiv "
        "1712.00409), with an interval by bootstrap over whole seeds. Whether the law holds is tried without the "
        "largest size, and the interval reaches as far as the law missed there."
    )),
    (N_("Other models"), N_(
        "Those of scikit-learn are trained on the very rows of each seed and judged by the same held-out rows as the "
        "network, row by row, with p-values adjusted for their number. They choose nothing by these rows. Where a "
        "model gives a class the probability 0, each class counts one training row more (Laplace's rule), since one "
        "such row would make the cross-entropy infinite."
    )),
    (N_("Further scores"), N_(
        "Balanced accuracy, F1, the area under the ROC curve and average precision are no means over rows. Each row "
        "has the score plus its influence on the score (the infinitesimal jackknife: Efron, 1982; DeLong et al., "
        "1988), whose mean is the score and whose variance gives its error. Intervals are symmetric on the scale of "
        "log(p / (1 - p)) (Pepe, 2003). The calibration error is the mean distance between the probability of the "
        "predicted class and the share that is right, in 15 bins of as many rows."
    )),
    (N_("Calibration"), N_(
        "One temperature divides the logits (Guo et al., 2017, ICML). Each fold is judged with the temperature that "
        "the rows of the other folds choose. What it takes off the cross-entropy is overconfidence, and what is left "
        "is refinement (Berta et al., 2025, arXiv 2501.19195). The served model has it where it helps."
    )),
    (N_("Threshold"), N_(
        "Of two classes, the second is said from the probability on that has the highest balanced accuracy (Youden, "
        "1950, Cancer 3, 32-35). Each fold is judged at the threshold of the other folds."
    )),
    (N_("Seeds together"), N_(
        "The mean of the seeds' probabilities, or numbers (Lakshminarayanan et al., 2017, NeurIPS). Whether it is "
        "served is told by held-out rows, each of which two seeds have not seen. On the test rows the gain of all has "
        "an interval for other rows and, by the jackknife, for other seeds."
    )),
    (N_("Columns"), N_(
        "Permutation importance (Breiman, 2001, Machine Learning 45, 5-32): the rise of the loss on held-out rows when "
        "the values of a column change places, a mean over three permutations. What two columns both tell is not "
        "missed when one of them is permuted."
    )),
    (N_("Doubtful labels"), N_(
        "Confident learning (Northcutt et al., 2021, JAIR 70, 1373-1411): all networks that held the row out say the "
        "same other class, and give it at least the probability that rows of that class have on average."
    )),
    (N_("A few rows"), N_(
        "A difference is carried by a few rows where without the ten that matter most less than half of it is left. It "
        "is then true of these rows, and may not be of others."
    )),
]  # fmt: skip

# Where rows are ordered in time, these texts replace the ones above that have the same names.
IN_TIME = {
    "Ring of folds": (N_("Rolling origin"), N_(
        "The later half of the training and validation rows is cut into folds that follow each other in time (Tashman, "
        "2000, International Journal of Forecasting 16, 437-450). Each seed trains on the latest rows before a fold, "
        "is stopped on that fold, and is judged by the next one. So no row judges a model that was trained, stopped or "
        "chosen on later rows. All seeds train on equally many rows, a rolling window, since models of ever more rows "
        "would not tell a remedy from more data."
    )),
    "Error of a difference": (N_("Error of a difference"), N_(
        "Rows that are near in time are not independent, so the folds are what is counted: the error is that of a mean "
        "over as many independent folds, by Student's t with one degree of freedom less. That is valid for few "
        "clusters, dependent inside and of unequal variance (Ibragimov and Müller, 2010, Journal of Business & "
        "Economic Statistics 28, 453-468), and has the chance of the models in it, since each fold is judged by other "
        "ones. Intervals on the test rows are in the same way over ten blocks of rows that follow each other."
    )),
    "Choosing": (N_("Choosing"), N_(
        "Strengths, learning rates and the recommendation are chosen for each fold by the rows of earlier folds, the "
        "one that stopped its models included. What the search chose, by the latest rows, is judged on test rows "
        "alone. All together, all but one and the sizes with the chosen remedy take the strengths that are best on all "
        "rows."
    )),
}  # fmt: skip

WEIGHTED = N_(
    "{column}, by which rows count in losses, scores and means over rows; errors are those of ratio estimators "
    "(Cochran, 1977, Sampling Techniques), and counts, as in the confusion matrix, those of rows"
)

WORDS = [
    (N_("holdout rows, new rows"), N_("Rows that a model was not trained, stopped or chosen on: they judge it.")),
    (N_("arm"), N_("One configuration, trained with every seed.")),
    (N_("knowing nothing"), N_(
        "Always giving the class shares of the training rows, or their mean. A seed that diverged counts as that, in "
        "means and differences alike."
    )),
    (N_("gap"), N_(
        "How much worse a metric is on new rows than on training rows; above 0 is worse, whichever way it points."
    )),
    (N_("Brier score"), N_(
        "The mean squared distance of the predicted probabilities to the true class (Brier, 1950), from 0 to 2; lower "
        "is better."
    )),
    (N_("best epoch"), N_(
        "The epoch with the lowest loss on one of the held-out folds. With early stopping its weights are the model "
        "that judges the other."
    )),
    (N_("onset epoch"), N_(
        "The epoch after the last minimum of the loss on new rows, which it never reaches again. Mean over the seeds "
        "that have one."
    )),
    (N_("rise"), N_("The loss at the last epoch minus that at the best epoch.")),
    (N_("optimism"), N_(
        "What selecting cost: the loss that the search promised for its winner, against the loss of the same settings "
        "with fresh seeds on rows that chose nothing, and on the test set."
    )),
    (N_("interval"), N_(
        "What stands in brackets: if the study were repeated many times on other rows with other seeds, {level} of "
        "such intervals would hold the true value."
    )),
]  # fmt: skip


class Method:
    """The facts of one study, as pairs of a name and a text."""

    def __init__(self, study: Study, run: StudyRun, numbers: Numbers) -> None:
        self.study, self.run, self.numbers = study, run, numbers

    @property
    def statistics(self) -> list[tuple[str, str]]:
        """Return what was computed, and by which method."""
        in_time = {} if self.study.about.time is None else IN_TIME
        return _translated(in_time.get(name, (name, text)) for name, text in STATISTICS)

    @property
    def words(self) -> list[tuple[str, str]]:
        """Return the glossary."""
        return _translated(WORDS)

    @property
    def data(self) -> list[tuple[str, str]]:
        """Return the facts about the data."""
        about = self.study.about
        if about.time is not None:
            folds = counted(
                "in the order of {time}, with {n:,} fold that judge",
                "in the order of {time}, with {n:,} folds that judge",
                about.folds,
                time=about.time,
            )
        elif about.rings == 1:
            folds = _("in {folds} folds, of which each seed holds out two").format(folds=about.folds)
        else:
            folds = _("in {folds} folds, cut in {rings} independent ways, of which each seed holds out two").format(
                folds=about.folds, rings=about.rings
            )
        rows = _("a pool of {pool:,} {folds}; {train:,} to train on for each seed; {test:,} test rows").format(
            pool=about.rows["pool"], folds=folds, train=about.rows["train"], test=about.rows.get("test", 0)
        )
        facts = [(_("Source"), about.source)]
        if about.target:
            facts.append((_("Target"), about.target))
        facts += [
            (_("Task"), _(TASKS[about.task])),
            (_("Features"), self._features()),
            (_("Rows"), rows),
            *([] if about.weight is None else [(_("Weights"), _(WEIGHTED).format(column=about.weight))]),
            (_("Knowing nothing"), self._knowing_nothing()),
        ]
        if about.classes:
            facts.insert(3, (_("Classes"), f"{len(about.classes)}: {some(about.classes, MOST_NAMES)}"))
        return facts

    def _knowing_nothing(self) -> str:
        of_rows = {
            "holdout": _("{loss} and {score} on holdout rows"),
            "test": _("{loss} and {score} on test rows"),
        }
        parts = []
        for split, floor in self.study.about.knowing_nothing.items():
            loss = f"{self.numbers.loss_name} {self.numbers.loss_text(floor.get(self.numbers.loss))}"
            score = f"{self.numbers.score_name} {self.numbers.scores(Interval(floor.get(self.numbers.score)))}"
            parts.append(of_rows[split].format(loss=loss, score=score))
        return clauses(parts)

    def _features(self) -> str:
        about = self.study.about
        if about.image_shape:
            shape = _(" by ").join(map(str, about.image_shape))
            return _("{n:,}, images of {shape}").format(n=about.n_features, shape=shape)
        if not about.features:
            return f"{about.n_features:,}"
        names = some(about.features, MOST_NAMES)
        return _("{n:,}, from the columns {names}").format(n=about.n_features, names=names)

    @property
    def training(self) -> list[tuple[str, str]]:
        """Return the facts about the training: seeds, epochs, time and versions."""
        about, cost = self.study.about, self.run.cost
        trained = _("{runs:,} training runs, {epochs:,} epochs of one seed each, in {time}").format(
            runs=cost.runs, epochs=cost.seed_epochs, time=duration(cost.seconds)
        )
        versions = joined([f"{name} {number}" for name, number in about.versions.items()])
        return [
            (_("Seeds"), f"{len(about.seeds)}: {joined([str(seed) for seed in about.seeds])}"),
            (_("Epochs"), _("at most {n} for an arm").format(n=about.epochs)),
            (_("Trained"), trained),
            (_("Versions"), versions),
        ]

    @property
    def looks(self) -> str:
        """Return a sentence on how often the test set was scored."""
        if not self.study.about.rows.get("test"):
            return _("There are no test rows.")
        looks = self.run.test_looks.looks
        if looks is None:
            return _("Not known: MLflow could not be asked.")
        history = _("no setting was changed after a look")
        if self.run.test_looks.settings_changed_after_a_look:
            history = _("settings were changed after a look")
        return counted(
            "{n:,} time as far as MLflow knows, this study's look being the last; {history}.",
            "{n:,} times as far as MLflow knows, this study's look being the last; {history}.",
            looks,
            history=history,
        )

    @property
    def digests(self) -> list[tuple[str, str]]:
        """Return the SHA-256 of each prepared split."""
        return list(self.study.about.digest.items())

    @property
    def parent_run(self) -> str | None:
        """Return the id of the study's run in MLflow; None where it was not logged."""
        return self.run.parent_run


def _translated(texts: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(_(name), _(text).format(level=LEVEL)) for name, text in texts]
