"""The section on peers: whether a network is worth it here, beside models that are none."""

from experiments.records import Peer, PeerComparison, Study
from experiments.report.arms import BEYOND_NOTHING, NO_DIFFERENCE, is_known
from experiments.report.numbers import FURTHER_NAMES, UNKNOWN, Numbers, count, listed, p_value, sentence, some
from experiments.report.phrases import FOUND_IN, Answer, Phrases, number_of
from experiments.report.tables import Cell, Group, Row, Table, Tables, brier
from pipeline.statistics.intervals import Interval

SIMPLEST = "linear model"


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
            return Answer("Not studied", ": it was compared with no other model.")
        compared = {peer.name: peer.comparisons.get(self.numbers.loss) for peer in self.peers}
        verdicts = {name: comparison.verdict if comparison else None for name, comparison in compared.items()}
        better, worse = ([name for name, is_so in verdicts.items() if is_so == kind] for kind in ("better", "worse"))
        both = f"its {self.phrases.on_new_rows} is {self._loss_of_network()}, that of {self._lowest()}"
        if not any(verdicts.values()):
            return Answer("It cannot be told", f" from {self.phrases.seeds}: {both}.")
        if better:
            best = compared[better[0]]
            also = f" Better too: {listed(better[1:])}." if better[1:] else ""
            gain = self.numbers.losses(best.difference.negated()) if best else ""
            return Answer(
                "No", f": {_with_article(better[0])} lowers the {self.phrases.on_new_rows} by {gain}; {both}.{also}"
            )
        if len(worse) == len(self.peers):
            return Answer("Yes", f": {both}; each of {count(len(worse), 'other model')} is worse.")
        simpler = f", the {SIMPLEST} among them, which is simpler" if verdicts.get(SIMPLEST) == NO_DIFFERENCE else ""
        return Answer(
            "Not detectably",
            f": {both}; of {count(len(self.peers), 'other model')}, {self._verdicts(self.numbers.loss)}{simpler}.",
        )

    def sentences(self) -> list[str]:
        """Return the sentences of the section."""
        lead, detail = self.answer()
        sentences = [lead + detail]
        for metric, name in self._metrics().items():
            if metric != self.numbers.loss and self._verdicts(metric) != self._verdicts(self.numbers.loss):
                sentences.append(f"By {name}: of {count(len(self.peers), 'other model')}, {self._verdicts(metric)}.")
        sentences.append(
            "The other models have scikit-learn's default settings, and the network those that the study recommends; "
            "both could be tuned further."
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
            number = number_of(names, self.peers)
            if verdict == NO_DIFFERENCE:
                parts.append(f"{number} made {NO_DIFFERENCE}{self._detectable(metric)}")
            elif verdict == BEYOND_NOTHING:
                parts.append(f"with {number} neither beats knowing nothing ({some(names, len(names))})")
            else:
                parts.append(f"{number} {'is' if len(names) == 1 else 'are'} {verdict} ({some(names, len(names))})")
        return listed(parts) or f"{self.phrases.seeds} cannot tell which is better"

    def _detectable(self, metric: str) -> str:
        comparisons = [peer.comparisons[metric] for peer in self.peers if metric in peer.comparisons]
        sizes = [one.detectable for one in comparisons if one.verdict == NO_DIFFERENCE and one.detectable is not None]
        if not sizes:
            return ""
        return f" (at most {self._size(metric, max(sizes))} {FOUND_IN})"

    def _size(self, metric: str, size: float) -> str:
        if metric == self.numbers.loss:
            return self.numbers.loss_text(size)
        if metric == "mae":
            return self.numbers.loss_text(size)
        return f"{100 * size:.1f} percentage points" if metric == "accuracy" else f"{size:.4f}"

    def _loss_of_network(self) -> str:
        return self.numbers.losses(self.study.recommendation.holdout.get(self.numbers.loss))

    def _lowest(self) -> str:
        return f"{_with_article(self.peers[0].name)} {self.numbers.losses(self.loss_of(self.peers[0]))}"

    def tables_of(self, tables: Tables) -> list[Table]:
        """Return tables of the scores, with those of the network and of knowing nothing, and of the comparisons."""
        recommendation, numbers = self.study.recommendation, self.numbers
        metrics = (numbers.loss_name, numbers.score_label)
        columns = [f"{split} {name}" for split in ("holdout", "test") for name in metrics]
        network = {"holdout": recommendation.holdout, "test": recommendation.test or {}}
        rows = [(Cell("recommended network", recommendation.arm), [*self._scores(tables, network), Cell("")])]
        for peer in self.peers:
            cells = [*self._scores(tables, peer.scores), tables.run_id(f"peers/{peer.name}")]
            rows.append((Cell(peer.name, peer.estimator), cells))
        rows.append((Cell("knowing nothing"), [*tables.floors("holdout"), *tables.floors("test"), Cell("")]))
        title = "The network and other models, the lowest loss first"
        scores = Table(title, "model", [*columns, "MLflow run"], [Group("", rows)])
        groups = [
            Group(f"By {name}", [self._comparison(tables, peer, metric) for peer in self.peers])
            for metric, name in self._metrics().items()
        ]
        columns = ["difference", "detectable", "adjusted p", "verdict"]
        title = "Each other model against the network, row by row"
        return [scores, Table(title, "model", columns, groups, folded=len(groups) > 1)]

    def _metrics(self) -> dict[str, str]:
        """Return the names of the metrics that peers are compared by."""
        names = {self.numbers.loss: self.numbers.loss_name, "accuracy": "accuracy"} | FURTHER_NAMES
        return {
            metric: name for metric, name in names.items() if any(metric in peer.comparisons for peer in self.peers)
        }

    def _comparison(self, tables: Tables, peer: Peer, metric: str) -> Row:
        comparison = peer.comparisons[metric]
        difference = {
            self.numbers.loss: tables.loss(comparison.difference, sign=True),
            "accuracy": tables.score_difference(comparison.difference),
            "mae": tables.loss(comparison.difference, sign=True),
        }.get(metric, brier(comparison.difference, sign=True))
        detectable = UNKNOWN if comparison.detectable is None else self._size(metric, comparison.detectable)
        return Cell(peer.name), [
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
        return (
            f"{sentence(self.numbers.loss_name)} of each other model on new rows, less the recommended network's, "
            "paired row by row. Marks are means, lines 95 % intervals that hold together. Left of the line the other "
            "model is better."
        )

    def alt(self) -> str:
        """Return the picture's alternative text."""
        parts = []
        for peer in self.peers:
            comparison = peer.comparisons.get(self.numbers.loss)
            if comparison and is_known(comparison.difference):
                by = self.numbers.loss_text(comparison.difference.mean, sign=True)
                parts.append(f"{peer.name} {by}, {comparison.verdict}")
        return (
            f"Forest plot of other models against the network, below 0 they are better. {sentence('; '.join(parts))}."
        )


def _with_article(name: str) -> str:
    return f"a {name}" if name.endswith(("model", "forest")) else name


def _verdict(comparison: PeerComparison) -> Cell:
    if comparison.verdict is None:
        return Cell()
    kind = {"better": "helps", "worse": "hurts"}.get(comparison.verdict, "no")
    return Cell(comparison.verdict, kind=f"verdict {kind}")
