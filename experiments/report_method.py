"""How the study was done: facts from the record, the statistics in plain words, and what each word means."""

from experiments.report_numbers import Numbers, count, duration, some
from experiments.study_record import Study, StudyRun

MOST_NAMES = 60

STATISTICS = [
    ("Paired differences", "An arm and its reference share each seed: the same rows to train, choose and judge on, and "
     "the same random numbers where they have the same shape. Their losses are subtracted seed by seed, so what a seed "
     "does to both falls out."),
    ("Interval", "95 %, by Student's t. Seeds that draw their own rows share many of them, so the variance of their "
     "mean is taken as (1/seeds + judging rows / other rows) times that of a seed, instead of 1/seeds (Nadeau and "
     "Bengio, 2003, Machine Learning 52, 239-281). It is a cautious interval, so it may reach below 0 where a loss "
     "cannot."),
    ("Adjusted p", "The more arms are compared, the more seem to help by luck. So the p-values of a section are "
     "adjusted together (Holm, 1979, Scandinavian Journal of Statistics 6, 65-70); those of the arms that leave one "
     "remedy out, which are another question, among themselves."),
    ("P(better)", "The share of seeds in which the arm has the lower holdout loss, ties counting half, with an "
     "interval by bootstrap over the seeds (Bouthillier et al., 2021, MLSys); where all seeds agree, the exact one of "
     "a proportion (Clopper and Pearson, 1934, Biometrika 26, 404-413)."),
    ("Verdict", "“helps” or “hurts” where the adjusted p is below 0.05; else “no detectable difference”, which is a "
     "result: so many seeds cannot tell the two apart. The better of the two must also beat a model that knows nothing "
     "of the features (the class frequencies, or the mean), since among useless models a smaller loss is no help; the "
     "larger of both p-values counts (Berger, 1982, Technometrics 24, 295-300)."),
    ("Choosing", "Strengths, rates and the recommendation are chosen by the mean over seeds on their validation rows "
     "and judged on their holdout rows, since the best of many looks too good on the rows that it was chosen by "
     "(Cawley and Talbot, 2010, JMLR 11, 2079-2107). Within a seed the two share no row; but each seed splits the same "
     "rows, so what judges one may have helped to choose in another."),
    ("Overfitting", "The baseline overfits where the mean rise of its holdout loss, from the best epoch by validation "
     "rows to the last, has an interval above 0, while the loss of the training rows does not rise. The holdout rows "
     "had no say in which epoch is the best. Where the training loss rises too, training is unsteady, and the best "
     "epoch was a lucky one for all rows."),
    ("Twice the data", "A power law, loss = floor + scale / rows^exponent, through the learning curve (Hestness et "
     "al., 2017, arXiv 1712.00409), with an interval by bootstrap over whole seeds. It says how sure the fit is if the "
     "law holds, not whether it holds beyond the rows that there are."),
]  # fmt: skip

WORDS = [
    ("holdout rows", "Rows that neither train nor stop nor choose anything: they judge."),
    ("arm", "One configuration, trained with every seed."),
    ("gap", "Validation loss minus training loss; above 0 means worse on new rows."),
    ("best epoch", "The epoch with the lowest validation loss. With early stopping its weights are the model."),
    ("onset epoch", "The first epoch after which the validation loss never came back to its minimum: there overfitting "
     "sets in. Mean over the seeds that have one."),
    ("rise", "The loss at the last epoch minus that at the best epoch."),
    ("optimism", "What selecting cost: the loss that the search promised for its winner, against the loss of the same "
     "settings with fresh seeds, and on the test set."),
    ("interval", "What stands in brackets: if the study were repeated many times, 95 % of such intervals would hold "
     "the true mean over seeds, on rows split like these."),
    ("interval for other rows", "It also allows for the test rows being a sample: 95 % of such intervals hold the mean "
     "over all seeds and all rows of the kind. Its variance is that over the seeds and that over the rows (by "
     "bootstrap) together, which is rather too large than too small (Owen, 2007, Annals of Applied Statistics 1, "
     "386-411)."),
]  # fmt: skip


class Method:
    """The facts of one study, as pairs of a name and a text."""

    statistics = STATISTICS
    words = WORDS

    def __init__(self, study: Study, run: StudyRun, numbers: Numbers) -> None:
        self.study, self.run, self.numbers = study, run, numbers

    @property
    def data(self) -> list[tuple[str, str]]:
        """What was studied."""
        about = self.study.about
        rows = {"train": "training", "val": "validation", "holdout": "holdout", "test": "test"}
        own = "each seed draws its own of all but the test rows" if about.resplit else "every seed has the same ones"
        facts = [("Source", about.source)]
        if about.target:
            facts.append(("Target", about.target))
        facts += [
            ("Task", about.task),
            ("Features", self._features()),
            ("Rows", ", ".join(f"{about.rows[part]:,} {name}" for part, name in rows.items() if part in about.rows)
             + f"; {own}"),
        ]  # fmt: skip
        if about.classes:
            facts.insert(3, ("Classes", f"{len(about.classes)}: {some(about.classes, MOST_NAMES)}"))
        return facts

    def _features(self) -> str:
        about = self.study.about
        if about.image_shape:
            return f"{about.n_features:,}, images of {' by '.join(map(str, about.image_shape))}"
        return f"{about.n_features:,}" + (
            f", from the columns {some(about.features, MOST_NAMES)}" if about.features else ""
        )

    @property
    def training(self) -> list[tuple[str, str]]:
        """How much was trained."""
        about, cost = self.study.about, self.run.cost
        trained = f"{cost.runs:,} training runs, {cost.seed_epochs:,} epochs of one seed each, in "
        trained += duration(cost.seconds)
        facts = [
            ("Seeds", f"{len(about.seeds)}: {', '.join(map(str, about.seeds))}"),
            ("Epochs", f"at most {about.epochs} for an arm"),
            ("Trained", trained),
        ]
        if cost.model_fit_seconds is not None:
            sample = f" ({cost.model_fit_sample})" if cost.model_fit_sample else ""
            told = f"{duration(cost.model_fit_seconds)} for the same runs, extrapolated from a measured sample{sample}"
            facts.append(("Stock Model.fit", told))
        versions = ", ".join(f"{name} {number}" for name, number in about.versions.items())
        return [*facts, ("Versions", versions)]

    @property
    def looks(self) -> str:
        """How often the test set was scored."""
        if not self.study.about.rows.get("test"):
            return "There are no test rows."
        looks = self.run.test_looks.looks
        if looks is None:
            return "Not known: MLflow could not be asked."
        changed = self.run.test_looks.settings_changed_after_a_look
        told = "settings were changed after a look" if changed else "no setting was changed after a look"
        return f"{count(looks, 'time')} as far as MLflow knows, this study's look being the last; {told}."

    @property
    def digests(self) -> list[tuple[str, str]]:
        """SHA-256 of each prepared split."""
        return list(self.study.about.digest.items())

    @property
    def parent_run(self) -> str | None:
        """The study's run in MLflow."""
        return self.run.parent_run
