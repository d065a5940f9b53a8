"""The study's result files: their paths, and the schemas of `study.json` and `study_run.json`."""

from experiments.records.arms import Arm, Influence, Overfits, PowerLaw
from experiments.records.choices import Incumbent, Optimism, OtherChoice, Recommendation
from experiments.records.files import (
    STUDY_CURVES_FILE,
    STUDY_FILE,
    STUDY_SEEDS_FILE,
    read_study,
    read_study_run,
    write_study,
)
from experiments.records.model import (
    Calibration,
    ClassScores,
    DoubtfulLabel,
    DoubtfulLabels,
    Ensemble,
    EnsembleSize,
    EnsembleStep,
    FurtherScores,
    Importance,
    Threshold,
)
from experiments.records.peers import Peer, PeerComparison, PeerFinding
from experiments.records.record import RUN_ID, OtherScore, Record, RemedyGroup, SectionName
from experiments.records.run import Cost, EqualTime, StudyRun, TestLooks
from experiments.records.study import About, Study

__all__ = [
    "RUN_ID",
    "STUDY_CURVES_FILE",
    "STUDY_FILE",
    "STUDY_SEEDS_FILE",
    "About",
    "Arm",
    "Calibration",
    "ClassScores",
    "Cost",
    "DoubtfulLabel",
    "DoubtfulLabels",
    "Ensemble",
    "EnsembleSize",
    "EnsembleStep",
    "EqualTime",
    "FurtherScores",
    "Importance",
    "Incumbent",
    "Influence",
    "Optimism",
    "OtherChoice",
    "OtherScore",
    "Overfits",
    "Peer",
    "PeerComparison",
    "PeerFinding",
    "PowerLaw",
    "Recommendation",
    "Record",
    "RemedyGroup",
    "SectionName",
    "Study",
    "StudyRun",
    "TestLooks",
    "Threshold",
    "read_study",
    "read_study_run",
    "write_study",
]
