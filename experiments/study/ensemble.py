"""The seeds of the recommended arm together: what that gains, by rows that chose nothing, and whether it is served."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from experiments import records as record
from experiments.study.compared import loss_factor
from experiments.study.on_test_set import Tested, score_outputs
from experiments.study.rows import Rows
from pipeline.data.examples import Split
from pipeline.statistics import scores
from pipeline.statistics.comparisons import estimates
from pipeline.statistics.ensembles import gain, losses_by_member, subsets, together
from pipeline.statistics.intervals import Interval
from pipeline.statistics.weights import average

SUBSETS = 50  # drawn at most of each size
MOST_HOLDERS = 8  # of the seeds that hold a row out are put together, since all of their subsets are scored


@dataclass(frozen=True, eq=False)
class Members:
    """The outputs of seeds that may predict together.

    Attributes:
        held_out: of every row by the seeds that hold it out, `[rings, 2, n, n_outputs]`.
        test: of the seeds with sound weights on the test rows, `[R, n, n_outputs]`.
    """

    rows: Rows
    held_out: np.ndarray
    test: np.ndarray

    def to_record(self, test: Split) -> record.Ensemble:
        """Return what `study.json` says of them."""
        steps = self.steps()
        pair = steps[0].gain if steps else Interval()
        return record.Ensemble(
            members=len(self.test),
            pair_gain=pair,
            steps=steps,
            serves=pair.low is not None and pair.low > 0 and len(self.test) > 1,
            test=self._scored(self.all_together()[None], test).scores if len(test) else None,
            gain=self.gain(test) if len(test) else None,
            by_size=self._by_size(test) if len(test) else [],
        )

    def all_together(self) -> np.ndarray:
        """Return the outputs of all members together on the test rows, `[n, n_outputs]`."""
        return together(self.rows.problem.task, self.test)

    def steps(self) -> list[record.EnsembleStep]:
        """Return how much one seed more lowers the loss, on the rows that so many seeds hold out.

        Nothing is known where no row judges two seeds, as in time with one ring.
        """
        ring = self.rows.ring
        may_judge = (ring.judges >= 0).reshape(-1, ring.n)[:MOST_HOLDERS]
        losses = [self._by_holder(may_judge, members) for members in range(1, may_judge.sum(axis=0).max() + 1)]
        steps = []
        for members, (fewer, joined) in enumerate(pairwise(losses), start=2):
            one_fewer = np.where(np.isfinite(joined), fewer, np.nan)
            [estimate] = estimates([one_fewer - joined], ring)
            before, after = ring.mean(one_fewer), ring.mean(joined)
            gained = estimate.interval().scaled(self._factor(before, after))
            loss = float(self._metric(np.array(after)))
            steps.append(record.EnsembleStep(members=members, loss=loss, gain=gained))
        return steps

    def _by_holder(self, may_judge: np.ndarray, members: int) -> np.ndarray:
        """Return the mean loss of each row over all ensembles of `members` of its holders that contain a holder.

        It is `[rings, 2, n]`, NaN where a row has too few holders.
        """
        problem, shape = self.rows.problem, self.rows.ring.judges.shape
        outputs = self.held_out.reshape(-1, *self.held_out.shape[2:])
        loss = scores.row_score_of(scores.METRICS[problem.task][0])

        def loss_of(holders: list[int]) -> np.ndarray:
            return self.rows.score(together(problem.task, outputs[holders]), slice(None))[loss]

        by_holder = np.full((shape[0] * shape[1], shape[2]), np.nan)
        by_holder[: len(may_judge)] = losses_by_member(loss_of, may_judge, members)
        return by_holder.reshape(shape)

    def gain(self, test: Split) -> Interval:
        """Return how much lower the loss of all seeds together is on the test rows than that of one of them."""
        members = len(self.test)
        losses, all_of_them = (self._losses(outputs, test) for outputs in (self.test, self._together(range(members))))
        others = [self._together(np.delete(np.arange(members), place)) for place in range(members) if members > 1]
        without = np.concatenate([self._losses(outputs, test) for outputs in others or [self.test]])
        estimate = gain(losses, all_of_them[0], without, test.weights, test.blocks)
        one, of_all = (float(average(values, test.weights).mean()) for values in (losses, all_of_them))
        return estimate.interval().scaled(self._factor(one, of_all))

    def _by_size(self, test: Split) -> list[record.EnsembleSize]:
        """Return the mean loss of subsets of each size, which doubles up to all members."""
        members, rng = len(self.test), np.random.default_rng(0)
        sizes = sorted({min(2**power, members) for power in range(members.bit_length() + 1)})
        by_size = []
        for size in sizes:
            outputs = [self._together(subset) for subset in subsets(members, size, SUBSETS, rng)]
            mean = average(self._losses(np.concatenate(outputs), test), test.weights)
            by_size.append(record.EnsembleSize(members=size, loss=float(self._metric(mean.mean()))))
        return by_size

    def _together(self, members: range | np.ndarray) -> np.ndarray:
        return together(self.rows.problem.task, self.test[np.asarray(members)])[None]

    def _losses(self, outputs: np.ndarray, test: Split) -> np.ndarray:
        return self._scored(outputs, test).loss_rows

    def _scored(self, outputs: np.ndarray, test: Split) -> Tested:
        return score_outputs(self.rows, outputs, self.rows.knowing_nothing()[:1, None], test)

    def _metric(self, mean: np.ndarray) -> np.ndarray:
        return scores.from_mean(scores.METRICS[self.rows.problem.task][0], mean)

    def _factor(self, one: float, other: float) -> float:
        return loss_factor(scores.METRICS[self.rows.problem.task][0], *map(float, self._metric(np.array([one, other]))))
