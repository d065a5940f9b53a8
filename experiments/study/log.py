"""The record of a finished study in MLflow: a run for the study, and under it one for each arm."""

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd

from experiments.records import STUDY_CURVES_FILE, STUDY_FILE, STUDY_SEEDS_FILE, Arm, Peer, Study, StudyRun
from experiments.study.tables import Tables
from pipeline.data.constants import read_preprocessing
from pipeline.data.splits import SPLITS, Summary
from pipeline.files import check_archive, read_of
from pipeline.interrupts import before_the_end
from pipeline.settings import Settings, flat
from pipeline.statistics import scores
from pipeline.statistics.intervals import Interval
from pipeline.tracking.champion import register_champion
from pipeline.tracking.entities import Dataset
from pipeline.tracking.parent import ChildRecord, ParentRun

EXPERIMENT = "study"
LOG_AGAIN = "the result files are complete, log them with: python -m experiments.study --log-only"

# Fields of an arm's record and columns of `study.csv`, besides the scores.
MEASURES = ("best_epoch", "epochs", "onset_epoch")
NOT_CURVES = ("section", "arm", "epoch", "seeds")


def log_study(
    study: Study,
    run: StudyRun,
    tables: Tables,
    settings: Settings,
    summary: Summary,
    champion: Path | None = None,
    files: Sequence[Path] = (STUDY_FILE, STUDY_SEEDS_FILE, STUDY_CURVES_FILE),
    in_project: bool = True,
) -> tuple[str | None, dict[str, str]]:
    """Log a study, or what is missing of it.

    Returns the id of its run, and the ids of its arms' runs by `section/arm`. A lost store costs one line on standard
    error; the ids of what was logged before are returned all the same.

    Args:
        run: how long its arms took, and what was logged of this very study before.
        champion: the recommended model, a `.keras` file from prepared rows to probabilities or the target's unit; None
            to register none.
        files: the study's files, which are logged with it.
        in_project: whether `make ui` shows the store, and a line says so.
    """
    identity = hashlib.sha256(study.model_dump_json().encode()).hexdigest()
    parent = ParentRun(EXPERIMENT, parent_name(study), run.parent_run, LOG_AGAIN, identity)
    with before_the_end(partial(parent.end, "KILLED")):
        parent.open()
        parent.add(child_records(study, run, tables))
    headline = headline_numbers(study, tables.seeds)
    params = {name: value for name, value in flat(settings).items() if not name.startswith("search.")}
    parent.finish(headline, params, files, datasets(study, summary))
    if in_project:
        parent.show("arms", columns(study))
    if champion is not None and parent.run_id is not None and not parent.lost:
        preprocessing = read_preprocessing(summary)
        read_of("study", champion, check_archive)
        if study.threshold is not None and study.threshold.helps:
            preprocessing["threshold"] = study.threshold.threshold
        is_ensemble = study.ensemble is not None and study.ensemble.serves
        register_champion(champion, summary, preprocessing, parent.run_id, headline, is_ensemble)
    return parent.run_id, run.runs | parent.children


def parent_name(study: Study) -> str:
    """Return the name of the study's run, such as `digits: 87 arms, 10 seeds`."""
    return f"{study.about.source}: {len(study.arms)} arms, {len(study.about.seeds)} seeds"


def columns(study: Study) -> list[str]:
    """Return the columns of the arms in MLflow's table of runs."""
    loss, score = f"holdout.{study.about.loss}", f"holdout.{study.about.score}"
    before = [loss, f"{loss}_low", f"{loss}_high", "difference", "difference_low", "difference_high"]
    after = ["p_adjusted", score, f"{score}_sd", "best_epoch"]
    return [*(f"metrics.`{name}`" for name in before), "tags.`verdict`", *(f"metrics.`{name}`" for name in after)]


def arm_key(arm: Arm) -> str:
    """Return the name that an arm has among all of the study, `section/arm`."""
    return f"{arm.section}/{arm.name}"


def child_records(study: Study, run: StudyRun, tables: Tables) -> Iterator[ChildRecord]:
    """Yield the record of every arm's run, and of every peer's; they begin in the order of the study."""
    by_seed, by_epoch = (dict(list(table.groupby(["section", "arm"]))) for table in (tables.seeds, tables.curves))
    milliseconds = {key: int(1000 * seconds) for key, seconds in run.seconds.items()}
    first = int(time.time() * 1000) - max(milliseconds.values(), default=0)
    children = [
        *(_of_arm(arm, by_seed[arm.section, arm.name], by_epoch.get((arm.section, arm.name))) for arm in study.arms),
        *(_of_peer(peer, by_seed["peers", peer.name], study.about.loss) for peer in study.peers or []),
    ]
    for began, child in enumerate(children, start=first):
        yield replace(child, began=began, ended=began + milliseconds.get(child.key, 0))


def _of_arm(arm: Arm, rows: pd.DataFrame, epochs: pd.DataFrame | None) -> ChildRecord:
    tags = {"section": arm.section, "arm": arm.name, "factor": arm.factor, "group": arm.group}
    return ChildRecord(
        key=arm_key(arm),
        name=f"{arm.section}: {arm.name}",
        status="FINISHED",
        params=arm.changes,
        scores=arm_numbers(arm, rows),
        curves={} if epochs is None else epoch_curves(epochs),
        tags=tags | _verdict_tag(arm.verdict),
    )


def _of_peer(peer: Peer, rows: pd.DataFrame, loss: str) -> ChildRecord:
    tags = {"section": "peers", "arm": peer.name, "factor": "model", "group": "peers"}
    return ChildRecord(
        key=peer_key(peer),
        name=f"peers: {peer.name}",
        status="FINISHED",
        params={"estimator": peer.estimator},
        scores=peer_numbers(peer, rows, loss),
        curves={},
        tags=tags | _verdict_tag(peer.comparisons[loss].verdict if loss in peer.comparisons else None),
    )


def arm_numbers(arm: Arm, rows: pd.DataFrame) -> dict[str, float]:
    """Return an arm's metrics: means as in `study.json`, and under `<name>_sd` deviations over rows of `study.csv`."""
    numbers = _split_numbers(arm.scores, rows) | _ends_on_new_rows(arm.scores)
    for name in MEASURES:
        numbers |= _with_spread(name, getattr(arm, name), rows, name)
    numbers |= {f"gap.{metric}": interval.mean for metric, interval in arm.gap.items()}
    for name in ("difference", "probability_better"):
        if (interval := getattr(arm, name)) is not None:
            numbers |= {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}
    numbers |= {"p_adjusted": arm.p_adjusted, "detectable": arm.detectable}
    numbers |= {"diverged": arm.diverged, "weights": arm.weights}
    return _known(numbers | {"train_rows": arm.train_rows})


def peer_key(peer: Peer) -> str:
    """Return the name that a peer has among all arms of the study."""
    return f"peers/{peer.name}"


def peer_numbers(peer: Peer, rows: pd.DataFrame, loss: str) -> dict[str, float]:
    """Return a peer's metrics as `arm_numbers` does; its difference by the loss is named as those of arms are."""
    numbers = _split_numbers(peer.scores, rows) | _ends_on_new_rows(peer.scores)
    for metric, comparison in peer.comparisons.items():
        name, interval = "difference" if metric == loss else f"difference.{metric}", comparison.difference
        numbers |= {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}
    if loss in peer.comparisons:
        comparison = peer.comparisons[loss]
        numbers |= {"p_adjusted": comparison.p_adjusted, "detectable": comparison.detectable}
    return _known(numbers)


def epoch_curves(rows: pd.DataFrame) -> dict[str, list[float | None]]:
    """Return an arm's curves under `epoch.<metric>`, from its rows of `study_curves.csv`."""
    # The place in the list is the epoch, so one that is missing has to be None.
    by_epoch = rows.set_index("epoch").reindex(range(1, rows["epoch"].max() + 1))
    columns = by_epoch.drop(columns=[name for name in NOT_CURVES if name in by_epoch])
    return {
        f"epoch.{name}": [None if pd.isna(value) else value for value in column.tolist()]
        for name, column in columns.items()
        if column.notna().any()
    }


def headline_numbers(study: Study, seeds_table: pd.DataFrame) -> dict[str, float]:
    """Return the study's own metrics: the scores to expect of what it recommends, the optimism, the baseline's rise."""
    recommended = study.recommendation
    rows = seeds_table[(seeds_table["section"] == recommended.section) & (seeds_table["arm"] == recommended.arm)]
    numbers = _split_numbers({"holdout": recommended.holdout, "test": recommended.test or {}}, rows)
    numbers |= {f"overfits.gap.{metric}": interval.mean for metric, interval in study.overfits.gap.items()}
    numbers |= {"overfits.rise": study.overfits.rise.mean, "arms": len(study.arms)}
    numbers["arms_that_help"] = sum(arm.verdict == "helps" for arm in study.arms)
    if study.ensemble is not None:
        numbers |= {"ensemble.members": study.ensemble.members, "ensemble.pair_gain": study.ensemble.pair_gain.mean}
        numbers |= {f"ensemble.test.{metric}": score.mean for metric, score in (study.ensemble.test or {}).items()}
    if study.further is not None:
        numbers |= {f"holdout.{metric}": score.mean for metric, score in study.further.holdout.items()}
        numbers |= {f"served.test.{metric}": score.mean for metric, score in (study.further.test or {}).items()}
    if study.optimism is not None:
        numbers |= {f"optimism_{name}": getattr(study.optimism, f"optimism_{name}") for name in ("fresh", "test")}
        numbers["promised"] = study.optimism.promised
    return _known(numbers)


def datasets(study: Study, summary: Summary) -> list[Dataset]:
    """Return the splits that the study read; the test set only if something was scored on it."""
    read = [name for name in SPLITS if summary.rows[name] and (name != "test" or study.recommendation.test)]
    return [
        Dataset(f"{summary.source} {name}", study.about.digest[name], summary.source, summary.rows[name], name)
        for name in read
    ]


def _split_numbers(of_splits: Mapping[str, Mapping[str, Interval]], rows: pd.DataFrame) -> dict[str, float | None]:
    numbers: dict[str, float | None] = {}
    for split, metrics in of_splits.items():
        for metric, interval in metrics.items():
            numbers |= _with_spread(f"{split}.{metric}", interval, rows, f"{split}_{metric}")
    return numbers


def _ends_on_new_rows(scores: Mapping[str, Mapping[str, Interval]]) -> dict[str, float | None]:
    """Return the ends of the intervals on held-out rows."""
    return {
        f"holdout.{metric}_{end}": getattr(interval, end)
        for metric, interval in scores.get("holdout", {}).items()
        for end in ("low", "high")
    }


def _with_spread(name: str, interval: Interval, rows: pd.DataFrame, column: str) -> dict[str, float | None]:
    return {name: interval.mean, f"{name}_sd": scores.spread(rows[column]) if column in rows else None}


def _known(numbers: Mapping[str, float | None]) -> dict[str, float]:
    """Return the numbers that there are, with six digits: MLflow's table shows as many as fit into a column."""
    return {
        name: value if isinstance(value, int) else float(f"{value:.6g}")
        for name, value in numbers.items()
        if value is not None
    }


def _verdict_tag(verdict: str | None) -> dict[str, str]:
    return {} if verdict is None else {"verdict": verdict}
