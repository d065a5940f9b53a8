"""The project's shape, read from its files: which module imports which, what each stage depends on, what is locked."""

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import BaseModel
from ruamel.yaml import YAML

from experiments.study_jobs import CODE
from pipeline.params import read_settings

ROOT = Path(__file__).parent.parent
MODULES = {
    f"{package}.{path.stem}": path
    for package in ("pipeline", "experiments", "experiments.benchmarks")
    for path in sorted((ROOT / package.replace(".", "/")).glob("*.py"))
    if path.stem != "__init__"
}
STAGES = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]

# What each module of ours may import of ours. A new file needs a line here; nothing points back up.
MAY_IMPORT = {
    "pipeline.errors": "",
    "pipeline.files": "errors",
    "pipeline.params": "errors",
    "pipeline.paths": "",
    "pipeline.compiler": "",
    "pipeline.backend": "compiler",
    "pipeline.examples": "",
    "pipeline.scores": "intervals",
    # Where a run goes, what made it, and its record.
    "pipeline.store": "errors",
    "pipeline.provenance": "",
    "pipeline.intervals": "",
    "pipeline.comparisons": "intervals ring",
    "pipeline.overfitting": "scores",
    "pipeline.learning_curve": "intervals",
    "pipeline.tracking_model": "",
    "pipeline.tracking_view": "",
    "pipeline.tracking": "errors store provenance tracking_model tracking_view",
    "pipeline.tracking_parent": "provenance store tracking tracking_view",
    "pipeline.tracking_read": "store tracking tracking_parent",
    # The examples, from their source to the three splits.
    "pipeline.source": "errors files params",
    "pipeline.downloads": "errors files backend",
    "pipeline.tables": "errors",
    "pipeline.datasets": "errors files params source downloads tables",
    "pipeline.targets": "errors params tables",
    "pipeline.preprocessing": "tables",
    "pipeline.partition": "errors params",
    "pipeline.ring": "errors partition",
    "pipeline.splits": "errors files examples",
    "pipeline.summarize": "examples splits targets",
    "pipeline.prepare": "errors files examples params datasets partition preprocessing splits summarize targets",
    # The model and its training, which know neither MLflow nor Optuna nor files.
    "pipeline.noise": "backend",
    "pipeline.model": "params examples backend noise",
    "pipeline.packing": "backend",
    "pipeline.losses": "backend",
    "pipeline.optimizers": "errors params backend packing",
    "pipeline.schedules": "params",
    "pipeline.stack": "params examples backend noise losses model optimizers packing",
    "pipeline.trainer": "errors params backend examples noise model optimizers schedules stack",
    # What happens beside the training comes in through callbacks.
    "pipeline.bar": "",
    "pipeline.progress": "bar trainer",
    "pipeline.checkpoint": "files trainer",
    # What a stage leaves for the next, and the pictures.
    "pipeline.seeds": "errors files paths",
    "pipeline.figures": "files",
    # The stages that bring these together.
    "pipeline.keras_file": "files backend",
    "pipeline.build": "errors files params paths backend splits model",
    "pipeline.train": "errors files params paths backend examples splits seeds store keras_file model trainer progress "
    "checkpoint",
    "pipeline.evaluate": "errors files params paths examples splits seeds scores figures store tracking model "
    "intervals",
    # The model that a study recommends, as a user calls it. Its loader runs where this project is not.
    "pipeline.champion_loader": "",
    "pipeline.champion": "champion_loader examples splits store tracking tracking_model",
    # The experiments stand on the pipeline; none of its files knows them.
    # The benchmarks stand beside the project: they start its commands and train with its trainer and without it.
    "experiments.benchmarks.fresh": "",
    "experiments.benchmarks.records": "",
    "experiments.benchmarks.peers": "experiments.benchmarks.records",
    "experiments.benchmarks.project": "params experiments.benchmarks.fresh",
    "experiments.benchmarks.works": "datasets files params prepare",
    "experiments.benchmarks.training": "backend examples files model optimizers params trainer",
    "experiments.benchmarks.floor": "params experiments.benchmarks.training",
    "experiments.benchmarks.plain": "backend params splits experiments.benchmarks.training",
    "experiments.benchmarks.tuners": "backend model optimizers params splits",
    "experiments.benchmarks.profile": "params splits trainer experiments.study_data",
    "experiments.benchmarks.populations": "examples files",
    "experiments.benchmarks.judging": "comparisons errors examples files intervals model params paths ring scores "
    "experiments.benchmarks.populations experiments.study_data experiments.study_jobs experiments.study_worker",
    "experiments.benchmarks.epochs": "experiments.benchmarks.fresh experiments.benchmarks.peers "
    "experiments.benchmarks.records experiments.benchmarks.works",
    "experiments.benchmarks.search": "experiments.benchmarks.fresh experiments.benchmarks.peers "
    "experiments.benchmarks.project experiments.benchmarks.records",
    "experiments.benchmarks.study": "files params experiments.study_jobs experiments.benchmarks.fresh "
    "experiments.benchmarks.peers experiments.benchmarks.profile experiments.benchmarks.project "
    "experiments.benchmarks.records",
    "experiments.benchmarks.tracking": "evaluate tracking tracking_parent experiments.benchmarks.fresh "
    "experiments.benchmarks.project experiments.benchmarks.records",
    "experiments.benchmarks.overhead": "experiments.benchmarks.project experiments.benchmarks.records",
    "experiments.benchmarks.start": "experiments.benchmarks.fresh experiments.benchmarks.peers "
    "experiments.benchmarks.project experiments.benchmarks.records",
    "experiments.benchmarks.memory": "experiments.benchmarks.epochs experiments.benchmarks.peers "
    "experiments.benchmarks.records experiments.benchmarks.works",
    "experiments.benchmarks.aims": "experiments.benchmarks.epochs experiments.benchmarks.memory "
    "experiments.benchmarks.overhead experiments.benchmarks.records experiments.benchmarks.search "
    "experiments.benchmarks.start experiments.benchmarks.study experiments.benchmarks.works",
    "experiments.benchmarks.tables": "experiments.benchmarks.aims experiments.benchmarks.records",
    "experiments.benchmarks.picture": "figures experiments.benchmarks.epochs experiments.benchmarks.records",
    "experiments.benchmarks.__main__": "errors figures files paths experiments.benchmarks.epochs "
    "experiments.benchmarks.memory experiments.benchmarks.overhead experiments.benchmarks.picture "
    "experiments.benchmarks.records experiments.benchmarks.search experiments.benchmarks.start "
    "experiments.benchmarks.study "
    "experiments.benchmarks.tables experiments.benchmarks.tracking",
    "experiments.search_space": "errors params",
    "experiments.search_samplers": "params",
    "experiments.search_storage": "errors params experiments.search_samplers",
    "experiments.search_queue": "errors params experiments.search_samplers experiments.search_storage",
    "experiments.search_trial": "examples params scores trainer",
    "experiments.processes": "",
    "experiments.search_data": "errors examples params partition ring splits",
    "experiments.search_worker": "compiler errors examples optimizers params trainer experiments.processes "
    "experiments.search_queue experiments.search_space experiments.search_storage experiments.search_trial "
    "experiments.search_data",
    "experiments.search_workers": "errors params experiments.processes experiments.search_storage "
    "experiments.search_worker",
    "experiments.search_cluster": "errors experiments.processes experiments.search_storage experiments.search_workers",
    "experiments.search_results": "files figures params paths tracking_parent intervals experiments.search_samplers "
    "experiments.search_storage",
    "experiments.study_record": "errors files paths comparisons intervals",
    "experiments.study_data": "errors examples partition splits ring scores",
    "experiments.study_arms": "params experiments.search_space experiments.study_data",
    "experiments.study_jobs": "files params splits experiments.study_arms experiments.study_data",
    "experiments.study_worker": "splits trainer model seeds experiments.study_data experiments.study_jobs",
    "experiments.study_workers": "bar errors params experiments.processes experiments.study_jobs "
    "experiments.study_worker",
    "experiments.study_scores": "comparisons overfitting params scores intervals ring experiments.study_arms "
    "experiments.study_data experiments.study_jobs experiments.study_record",
    "experiments.study_choose": "learning_curve scores comparisons intervals params experiments.study_record "
    "experiments.study_scores",
    "experiments.study_test": "errors examples keras_file model paths scores splits comparisons intervals seeds "
    "experiments.study_scores",
    "experiments.study_cost": "scores experiments.study_jobs experiments.study_record experiments.study_scores",
    "experiments.study_sections": "params experiments.study_arms experiments.study_choose experiments.study_data "
    "experiments.study_jobs experiments.study_scores",
    "experiments.study_conclude": "examples intervals params scores splits experiments.study_arms "
    "experiments.study_choose experiments.study_data experiments.study_record experiments.study_scores "
    "experiments.study_sections experiments.study_test",
    "experiments.study": "errors files params paths splits store tracking_read experiments.study_cost "
    "experiments.study_data experiments.study_jobs experiments.study_log experiments.study_record "
    "experiments.study_scores experiments.study_sections experiments.study_workers experiments.study_conclude",
    "experiments.study_log": "champion files params scores splits tracking tracking_parent intervals "
    "experiments.study_record",
    # The report reads what the study left, and trains nothing.
    "experiments.report": "errors files paths experiments.study_record experiments.report_figures "
    "experiments.report_numbers experiments.report_page",
    "experiments.report_page": "experiments.study_record experiments.report_alt experiments.report_method "
    "experiments.report_numbers experiments.report_settings experiments.report_svg experiments.report_tables "
    "experiments.report_text experiments.report_arms",
    "experiments.report_figures": "figures experiments.study_record experiments.report_arms "
    "experiments.report_numbers experiments.report_svg",
    "experiments.report_alt": "experiments.study_record experiments.report_arms experiments.report_numbers",
    "experiments.report_text": "experiments.study_record experiments.report_arms experiments.report_numbers "
    "experiments.report_answers experiments.report_phrases",
    "experiments.report_phrases": "experiments.report_arms experiments.report_numbers experiments.study_record",
    "experiments.report_answers": "experiments.report_arms experiments.report_numbers experiments.report_phrases "
    "experiments.study_record",
    "experiments.report_tables": "experiments.study_record experiments.report_arms experiments.report_numbers",
    "experiments.report_method": "experiments.study_record experiments.report_numbers",
    "experiments.report_numbers": "experiments.study_record experiments.report_arms",
    "experiments.report_arms": "experiments.study_record",
    "experiments.report_settings": "",
    "experiments.report_svg": "",
    "experiments.check_comparison": "",
    "experiments.check_search": "errors files params tracking_read experiments.check_comparison "
    "experiments.search_queue experiments.search_results experiments.search_storage",
    "experiments.check": "errors files params paths scores splits store tracking tracking_read "
    "experiments.check_comparison experiments.check_search experiments.study_log experiments.study_record",
    "experiments.search": "bar errors files params paths splits store tracking_parent experiments.search_cluster "
    "experiments.processes experiments.search_queue experiments.search_results experiments.search_space "
    "experiments.search_storage experiments.search_worker experiments.search_workers experiments.search_data",
}

# Libraries that these modules alone may import.
SEARCH = {f"experiments.search{part}" for part in ("", "_queue", "_results", "_samplers", "_storage", "_worker")}
BENCH = "experiments.benchmarks"  # some of which do plainly what the project does
MLFLOW = {
    "pipeline.tracking",
    "pipeline.tracking_model",
    "pipeline.tracking_parent",
    "pipeline.tracking_view",
    "pipeline.tracking_read",
    "pipeline.champion",
}
ONLY_IN = {
    "mlflow": {*MLFLOW, f"{BENCH}.plain", f"{BENCH}.tracking"},
    "optuna": {
        *SEARCH,
        "experiments.check_search",
        f"{BENCH}.plain",
        f"{BENCH}.project",
        f"{BENCH}.tracking",
        f"{BENCH}.overhead",
    },
}


def imported(path: Path) -> set[str]:
    """The dotted names that a file imports, inside functions too; `from a import b` counts as a and as a.b."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path.name} line {node.lineno}: an import here names the package"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


IMPORTED = {module: imported(path) for module, path in MODULES.items()}
OURS = {module: names & MODULES.keys() for module, names in IMPORTED.items()}


def with_all_it_imports(module: str) -> set[str]:
    """A module and all of ours that it imports, directly or not."""
    found, waiting = set(), [module]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += OURS[module]
    return found


def test_every_module_has_its_line_in_the_table():
    assert sorted(MODULES) == sorted(MAY_IMPORT)


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_only_what_the_table_allows(module: str):
    names = MAY_IMPORT.get(module, "").split()
    allowed = {name if "." in name else f"pipeline.{name}" for name in names}
    assert OURS[module] - allowed == set()


def test_no_import_cycle():
    TopologicalSorter(OURS).prepare()


@pytest.mark.parametrize("library", ONLY_IN)
def test_library_is_imported_in_one_place(library: str):
    users = {module for module, names in IMPORTED.items() if any(name.split(".")[0] == library for name in names)}
    assert users <= ONLY_IN[library]


def test_kept_trainings_of_a_study_depend_on_all_code_that_makes_their_numbers():
    # These read and check what the trainings are told, which is in their digests itself, or tell what came out of them.
    told = {f"pipeline.{name}" for name in ["errors", "files", "intervals", "params", "paths", "splits"]}
    told |= {f"experiments.{name}" for name in ["search_space", "study_arms", "study_jobs"]}
    numbers = with_all_it_imports("experiments.study_worker") - told
    assert {MODULES[name].relative_to(ROOT).as_posix() for name in numbers} == set(CODE)


@pytest.mark.parametrize("stage", STAGES)
def test_stage_depends_on_the_code_that_it_runs(stage: str):
    python, flag, module, *_ = shlex.split(STAGES[stage]["cmd"])
    assert (python, flag) == ("python", "-m")
    assert module in MODULES
    code = {MODULES[name].relative_to(ROOT).as_posix() for name in with_all_it_imports(module)}
    assert {dep for dep in STAGES[stage]["deps"] if dep.endswith(".py")} == code


@pytest.mark.parametrize("stage", STAGES)
def test_stage_names_settings_that_exist(stage: str):
    settings = YAML(typ="safe").load(ROOT / "params.yaml")
    for name in STAGES[stage].get("params", []):
        value = settings
        for part in name.split("."):
            assert part in value, f"{name} is not in params.yaml"
            value = value[part]


def test_only_the_last_stages_depend_on_the_test_set():
    readers = {stage for stage, parts in STAGES.items() if "data/prepared/test.npz" in parts["deps"]}
    assert readers <= {"evaluate", "study"}


def test_params_file_holds_every_setting():
    def left_out(section: BaseModel, prefix: str = "") -> Iterator[str]:
        for name in type(section).model_fields:
            value = getattr(section, name)
            if name not in section.model_fields_set:
                yield prefix + name
            elif isinstance(value, BaseModel):
                yield from left_out(value, f"{prefix}{name}.")

    # An unknown setting is refused by the reading itself.
    assert list(left_out(read_settings(ROOT / "params.yaml"))) == []


def test_lock_holds_what_pyproject_asks_for_and_names_no_host():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    versions: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", lock, flags=re.MULTILINE):
        versions.setdefault(canonicalize_name(name), []).append(version)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["dev"],
    ]
    for requirement in map(Requirement, asked):
        locked = versions.get(canonicalize_name(requirement.name), [])
        assert locked, f"{requirement.name} is not in requirements.lock; make lock renews it"
        assert all(requirement.specifier.contains(version) for version in locked), f"{requirement} is not {locked}"
    assert "://" not in lock
