"""Reading what the stage prepare wrote."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from pipeline import prepare
from pipeline.data import splits
from pipeline.errors import InputError
from pipeline.files import write_arrays


def test_what_prepare_writes_is_read_back(project):
    project(data={"source": "iris", "test_fraction": 0.0})
    prepare.main()
    summary = splits.read_summary()
    for name in splits.SPLITS:
        split = splits.read_split(name)
        assert split.x.dtype == np.float32
        assert split.y.dtype == np.int32
        assert split.x.shape == (summary.rows[name], summary.n_features)
    assert summary.rows["test"] == 0
    assert (summary.problem.target_mean, summary.problem.target_scale) == (0.0, 1.0)


def test_targets_are_given_back_in_their_own_unit(project):
    project(data={"source": "diabetes"})
    prepare.main()
    test = splits.read_split("test")
    actual = load_diabetes().target[test.numbers]
    np.testing.assert_allclose(splits.read_summary().problem.in_unit(test.y), actual, rtol=1e-5)


@pytest.mark.parametrize("read", [splits.read_summary, lambda: splits.read_split("train")])
def test_a_missing_file_names_the_command_that_makes_it(project, read):
    project()
    with pytest.raises(InputError, match="is missing; run `dvc repro`"):
        read()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"{}"])
def test_a_file_that_prepare_did_not_write_is_refused(project, content):
    project()
    splits.PREPARED.mkdir(parents=True)
    splits.SUMMARY_FILE.write_bytes(content)
    splits.split_file("train").write_bytes(content)
    with pytest.raises(InputError, match=r"summary.json is not what the stage prepare writes"):
        splits.read_summary()
    with pytest.raises(InputError, match=r"train.npz is not what the stage prepare writes"):
        splits.read_split("train")


def test_arrays_of_other_names_are_refused(project):
    project()
    write_arrays(splits.split_file("test"), {"images": np.zeros(3)})
    with pytest.raises(InputError, match=r"test.npz is not what the stage prepare writes"):
        splits.read_split("test")
