"""The section on peers: whether a network is worth it here, beside models that are none."""

from experiments.records import Peer, PeerComparison, Study
from experiments.report.arms import BEYOND_NOTHING, NO_DIFFERENCE, is_known
from experiments.report.language import N_, _, counted, pgettext
from experiments.report.numbers import (
    FURTHER_NAMES,
    LEVEL,
    LOSS_NAMES,
    SCORE_NAMES,
    UNKNOWN,
    Numbers,
    clauses,
    listed,
    p_value,
    sentence,
    some,
)
from experiments.report.phrases import Answer, Phrases, number_of
from experiments.report.recorded import shown
from experiments.report.tables import SCORES_ON, Cell, Group, Row, Table, Tables, brier
from pipeline.statistics.intervals import Interval

SIMPLEST = "linear model"
# Names in a sentence that has the name without an article in a table.
WITH_ARTICLE = {"linear model": N_("a linear model"), "random forest": N_("a random forest")}


class Peers:
    """The answer, sentences, tables and picture texts on the peers of one study."""

    def __init__(self, study: Study, numbers: Numbers) -> None:
        self.study, self.numbers, self.phrases = study, numbers, Phrases(study, numbers)
        scored = [peer for peer in study.peers or [] if self.loss_of(peer).mean is not None]
        self.peers = sorted(scored, key=lambda peer: self.loss_of(peer).mean or 0.0)

    def loss_of(self, peer: Peer) -> Interval:
        """Return a peer's loss on the rows held out."""
        return peer.scores["holdout"][self.numbers.loss]

    def answer(self) -> Answer:
        """Return whether the recommended network is worth it."""
        if not self.peers:
            return Answer(_("Not studied"), _(": it was compared with no other model."))
        compared = {peer.name: peer.comparisons.get(self.numbers.loss) for peer in self.peers}
        verdicts = {name: comparison.verdict if comparison else None for name, comparison in compared.items()}
        better, worse = ([name for name, is_so in verdicts.items() if is_so == kind] for kind in ("better", "worse"))
        facts = {"loss": self.phrases.on_new_rows, "network": self._loss_of_network(), "lowest": self._lowest()}
        both = _("its {loss} is {network}, that of {lowest}").format(**facts)
        if not any(verdicts.values()):
            detail = _(" from {seeds}: {both}.").format(seeds=self.phrases.seeds, both=both)
            return Answer(_("It cannot be told"), detail)
        if better:
            best = compared[better[0]]
            lowers = _(": {model} lowers the {loss} by {gain}; {both}.").format(
                model=_with_article(better[0]),
                loss=self.phrases.on_new_rows,
                gain=self.numbers.losses(best.difference.negated()) if best else "",
                both=both,
            )
            others = listed([shown(name) for name in better[1:]])
            return Answer(
                pgettext("worth it", "No"),
                lowers + (_(" Better too: {models}.").format(models=others) if others else ""),
            )
        n = len(self.peers)
        if len(worse) == n:
            all_worse = counted(
                ": {both}; each of {n:,} other model is worse.",
                ": {both}; each of {n:,} other models is worse.",
                n,
                both=both,
            )
            return Answer(pgettext("worth it", "Yes"), all_worse)
        simpler = ""
        if verdicts.get(SIMPLEST) == NO_DIFFERENCE:
            simpler = _(", the {model} among them, which is simpler").format(model=shown(SIMPLEST))
        verdicts_by_loss = self._verdicts(self.numbers.loss) + simpler
        undecided = counted(
            ": {both}; of {n:,} other model, {verdicts}.",
            ": {both}; of {n:,} other models, {verdicts}.",
            n,
            both=both,
            verdicts=verdicts_by_loss,
        )
        return Answer(pgettext("worth it", "Not detectably"), undecided)

    def sentences(self) -> list[str]:
        """Return the sentences of the section."""
        lead, detail = self.answer()
        sentences = [lead + detail]
        for metric, name in self._metrics().items():
            if metric != self.numbers.loss and self._verdicts(metric) != self._verdicts(self.numbers.loss):
                sentences.append(
                    counted(
                        "By {metric}: of {n:,} other model, {verdicts}.",
                        "By {metric}: of {n:,} other models, {verdicts}.",
                        len(self.peers),
                        metric=name,
                        verdicts=self._verdicts(metric),
                    )
                )
        sentences.append(
            _(
                "The other models have scikit-learn's default settings, and the network those that the study "
                "recommends; both could be tuned further."
            )
        )
        return sentences

    def _verdicts(self, metric: str) -> str:
        """Return how many peers are better or worse by a metric, and how many make no detectable difference."""
        by_verdict: dict[str, list[str]] = {}
        for peer in self.peers:
            if (comparison := peer.comparisons.get(metric)) and comparison.verdict:
                by_verdict.setdefault(comparison.verdict, []).append(peer.name)
        parts = []
        for verdict, names in by_verdict.items():
            facts = {"number": number_of(names, self.peers), "names": some([shown(name) for name in names], len(names))}
            if verdict == NO_DIFFERENCE:
                parts.append(_("{number} made no detectable difference").format(**facts) + self._detectable(metric))
            elif verdict == BEYOND_NOTHING:
                parts.append(_("with {number} neither beats knowing nothing ({names})").format(**facts))
            elif verdict == "better":
                parts.append(
                    counted("{number} is better ({names})", "{number} are better ({names})", len(names), **facts)
                )
            else:
                parts.append(
                    counted("{number} is worse ({names})", "{number} are worse ({names})", len(names), **facts)
                )
        return listed(parts) or _("{seeds} cannot tell which is better").format(seeds=self.phrases.seeds)

    def _detectable(self, metric: str) -> str:
        comparisons = [peer.comparisons[metric] for peer in self.peers if metric in peer.comparisons]
        sizes = [one.detectable for one in comparisons if one.verdict == NO_DIFFERENCE and one.detectable is not None]
        if not sizes:
            return ""
        return _(" (a difference of {size} would have been found in four of five such studies)").format(
            size=self._size(metric, max(sizes))
        )

    def _size(self, metric: str, size: float) -> str:
        if metric == self.numbers.loss:
            return self.numbers.loss_text(size)
        if metric == "mae":
            return self.numbers.loss_text(size)
        return (
            _("{number} percentage points").format(number=f"{100 * size:.1f}")
            if metric == "accuracy"
            else f"{size:.4f}"
        )

    def _loss_of_network(self) -> str:
        return self.numbers.losses(self.study.recommendation.holdout.get(self.numbers.loss))

    def _lowest(self) -> str:
        return f"{_with_article(self.peers[0].name)} {self.numbers.losses(self.loss_of(self.peers[0]))}"

    def tables_of(self, tables: Tables) -> list[Table]:
        """Return tables of the scores, with those of the network and of knowing nothing, and of the comparisons."""
        recommendation, numbers = self.study.recommendation, self.numbers
        metrics = (numbers.loss_name, numbers.score_label)
        columns = [_(SCORES_ON[split]).format(score=name) for split in ("holdout", "test") for name in metrics]
        network = {"holdout": recommendation.holdout, "test": recommendation.test or {}}
        rows = [(Cell(_("recommended network"), shown(recommendation.arm)), [*self._scores(tables, network), Cell("")])]
        for peer in self.peers:
            cells = [*self._scores(tables, peer.scores), tables.run_id(f"peers/{peer.name}")]
            rows.append((Cell(shown(peer.name), peer.estimator), cells))
        rows.append((Cell(_("knowing nothing")), [*tables.floors("holdout"), *tables.floors("test"), Cell("")]))
        title = _("The network and other models, the lowest loss first")
        scores = Table(title, _("model"), [*columns, _("MLflow run")], [Group("", rows)])
        groups = [
            Group(_("By {metric}").format(metric=name), [self._comparison(tables, peer, metric) for peer in self.peers])
            for metric, name in self._metrics().items()
        ]
        columns = [_("difference"), _("detectable"), _("adjusted p"), _("verdict")]
        title = _("Each other model against the network, row by row")
        return [scores, Table(title, _("model"), columns, groups, folded=len(groups) > 1, words=columns[-1:])]

    def _metrics(self) -> dict[str, str]:
        """Return the names of the metrics that peers are compared by."""
        names = {self.numbers.loss: LOSS_NAMES[self.numbers.loss], "accuracy": SCORE_NAMES["accuracy"]} | FURTHER_NAMES
        return {
            metric: _(name) for metric, name in names.items() if any(metric in peer.comparisons for peer in self.peers)
        }

    def _comparison(self, tables: Tables, peer: Peer, metric: str) -> Row:
        comparison = peer.comparisons[metric]
        difference = {
            self.numbers.loss: tables.loss(comparison.difference, sign=True),
            "accuracy": tables.score_difference(comparison.difference),
            "mae": tables.loss(comparison.difference, sign=True),
        }.get(metric, brier(comparison.difference, sign=True))
        detectable = UNKNOWN if comparison.detectable is None else self._size(metric, comparison.detectable)
        return Cell(shown(peer.name)), [
            difference,
            Cell(detectable),
            Cell(p_value(comparison.p_adjusted)),
            _verdict(comparison),
        ]

    def _scores(self, tables: Tables, scores: dict[str, dict[str, Interval]]) -> list[Cell]:
        return [
            cell(scores.get(split, {}).get(metric) or Interval())
            for split in ("holdout", "test")
            for metric, cell in ((self.numbers.loss, tables.loss), (self.numbers.score, tables.score))
        ]

    def caption(self) -> str:
        """Return the picture's caption."""
        return _(
            "{Loss} of each other model on new rows, less the recommended network's, paired row by row. Marks are "
            "means, lines {level} intervals that hold together. Left of the line the other model is better."
        ).format(Loss=sentence(self.numbers.loss_name), level=LEVEL)

    def alt(self) -> str:
        """Return the picture's alternative text."""
        parts = []
        for peer in self.peers:
            comparison = peer.comparisons.get(self.numbers.loss)
            if comparison and comparison.verdict and is_known(comparison.difference):
                by = self.numbers.loss_text(comparison.difference.mean, sign=True)
                parts.append(
                    _("{name} {difference}, {verdict}").format(
                        name=shown(peer.name), difference=by, verdict=shown(comparison.verdict)
                    )
                )
        return _("Forest plot of other models against the network, below 0 they are better. {Models}.").format(
            Models=sentence(clauses(parts))
        )


def _with_article(name: str) -> str:
    return _(WITH_ARTICLE[name]) if name in WITH_ARTICLE else shown(name)


def _verdict(comparison: PeerComparison) -> Cell:
    if comparison.verdict is None:
        return Cell()
    kind = {"better": "helps", "worse": "hurts"}.get(comparison.verdict, "no")
    return Cell(shown(comparison.verdict), kind=f"verdict {kind}")
