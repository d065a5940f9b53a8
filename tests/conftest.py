"""Fixtures that several test files share."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """The working folder is an empty project; `project(data={"source": "iris"})` writes its params.yaml."""
    monkeypatch.chdir(tmp_path)

    def write_params(**sections: object) -> Path:
        # JSON is YAML.
        (tmp_path / "params.yaml").write_text(json.dumps(sections), encoding="utf-8")
        return tmp_path

    write_params()
    return write_params
