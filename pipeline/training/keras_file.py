"""A Keras model as a file that has the same bytes whenever the same training has made it."""

import json
import zipfile
from pathlib import Path

import keras

from pipeline.files import written_whole


def save_model(plain: keras.Model, path: Path) -> None:
    """Write a `.keras` file without dates in it, so a repeated training changes no lock and makes nothing run again."""
    with written_whole(path) as beside:
        plain.save(beside)
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
