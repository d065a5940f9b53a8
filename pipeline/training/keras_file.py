"""The Keras model as a file: untrained as the stage build writes it, and trained."""

import json
import zipfile
from pathlib import Path

import keras

from pipeline.data.examples import Problem
from pipeline.errors import InputError
from pipeline.files import read_json, written_whole
from pipeline.paths import ARCHITECTURE_FILE
from pipeline.settings import Model
from pipeline.training.model import build_keras


def read_untrained(model: Model, problem: Problem) -> keras.Model:
    """Return the model of `models/architecture.json`.

    Raises:
        InputError: it is missing or damaged, or of other settings or data: a stage that is run by hand may be out of
            turn.
    """
    built = build_keras(model, problem, problem.target_mean, problem.target_scale)
    if _without_version(read_json(ARCHITECTURE_FILE)) != _without_version(json.loads(built.to_json())):
        raise InputError(f"{ARCHITECTURE_FILE} is of other settings or data; run `dvc repro`")
    return built


def _without_version(architecture: object) -> object:
    """Return an architecture without the version of Keras that has written it, which may be an older one."""
    if not isinstance(architecture, dict):
        return architecture
    return {name: value for name, value in architecture.items() if name != "keras_version"}


def save_model(plain: keras.Model, path: Path) -> None:
    """Write a `.keras` file that is the same for the same model: a repeated training changes no lock for DVC."""
    # Keras writes the addresses of objects that layers share; a model made from JSON shares none.
    alone = keras.models.model_from_json(plain.to_json())
    alone.set_weights(plain.get_weights())
    with written_whole(path) as beside:
        alone.save(beside)
        _take_dates_out(beside)


def _take_dates_out(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    metadata = json.loads(contents["metadata.json"])
    del metadata["date_saved"]
    contents["metadata.json"] = json.dumps(metadata).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name), content)
