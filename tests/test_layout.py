"""The project's shape, as far as a linter does not hold it: what each stage depends on, what is kept and locked."""

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import BaseModel
from ruamel.yaml import YAML

from experiments import defaults
from experiments.study.jobs import code_files
from pipeline.params import read_settings

ROOT = Path(__file__).parent.parent
EXTRAS = ("search", "tracking", "stages", "notebook", "dev", "cluster")  # that `make setup` installs
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("pipeline", "experiments")
    for path in sorted((ROOT / package).rglob("*.py"))
    if path.relative_to(ROOT) != Path(package, "__init__.py")
}
STAGES = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]


def imported(module: str) -> set[str]:
    """Return the modules of ours that a module imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} line {node.lineno}: an import here names the package"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names & MODULES.keys()


def with_all_it_imports(module: str) -> set[Path]:
    """Return the files of a module and of all of ours that it imports, directly or not."""
    modules, waiting = set(), [module]
    while waiting:
        module = waiting.pop()
        if module not in modules:
            modules.add(module)
            waiting += imported(module)
    return {MODULES[name].relative_to(ROOT) for name in modules}


def test_kept_trainings_of_a_study_depend_on_all_code_that_makes_their_numbers():
    # These read and check the settings and the files of a training, which are in its digest themselves.
    names = ("choices", "errors", "files", "interrupts", "params", "paths", "settings")
    others = {Path(f"pipeline/{name}.py") for name in names}
    others |= {Path(f"experiments/study/{name}.py") for name in ("arms", "jobs")}
    others |= {Path("pipeline/statistics/intervals.py")}
    # A training that is abandoned leaves no numbers.
    others |= {Path(f"experiments/engine/{name}.py") for name in ("__init__", "abandoned")}
    digested = {path.relative_to(ROOT) for path in code_files()}
    others |= {Path("pipeline/statistics/__init__.py"), Path("experiments/study/__init__.py")}  # a docstring each
    assert with_all_it_imports("experiments.study.worker") - others <= digested


@pytest.mark.parametrize("stage", STAGES)
def test_stage_depends_on_the_code_that_it_runs(stage: str):
    python, flag, module, *_ = shlex.split(STAGES[stage]["cmd"])
    assert (python, flag) == ("python", "-m")
    code = with_all_it_imports(f"{module}.__main__" if f"{module}.__main__" in MODULES else module)
    dependencies = [Path(name) for name in STAGES[stage]["deps"] if name.startswith(("pipeline/", "experiments/"))]
    unseen = [path for path in code if not any(path.is_relative_to(dependency) for dependency in dependencies)]
    assert unseen == []
    results = Path("experiments/results")
    idle = [dep for dep in dependencies if dep.parent != results and not any(path.is_relative_to(dep) for path in code)]
    assert idle == []


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


def test_a_study_and_a_search_from_python_begin_with_what_the_params_file_says():
    settings = read_settings(ROOT / "params.yaml")
    assert (settings.model, settings.train) == (defaults.MODEL, defaults.TRAIN)
    assert (settings.search, settings.study) == (defaults.SEARCH, defaults.STUDY)


def test_lock_holds_what_pyproject_asks_for_and_names_no_host():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    versions: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", lock, flags=re.MULTILINE):
        versions.setdefault(canonicalize_name(name), []).append(version)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *(name for extra in EXTRAS for name in project["project"]["optional-dependencies"][extra]),
    ]
    for requirement in map(Requirement, asked):
        locked = versions.get(canonicalize_name(requirement.name), [])
        assert locked, f"{requirement.name} is not in requirements.lock; make lock renews it"
        assert all(requirement.specifier.contains(version) for version in locked), f"{requirement} is not {locked}"
    assert "://" not in lock
