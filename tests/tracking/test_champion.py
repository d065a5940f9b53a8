"""The champion as a user meets it: loaded elsewhere, raw columns or images in, names and numbers out."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import uvicorn

from pipeline.data.load import load
from pipeline.data.partition import partition
from pipeline.data.prepare import Prepared, prepare
from pipeline.serving import Champion, apply
from pipeline.settings import Data, Model
from pipeline.tracking import champion
from pipeline.tracking.champion import register_champion, registered_name
from pipeline.tracking.run import RunRecord, log_run
from pipeline.tracking.store import tracking_uri
from pipeline.training.model import build_keras

# MLflow says so of its own classes when `mlflow.pyfunc` is imported.
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning")

# What a user does, where this project is not: load by alias, predict from a file.
ELSEWHERE = """
import sys
import mlflow, numpy as np, pandas as pd
for name, file in zip(sys.argv[1::2], sys.argv[2::2]):
    model = mlflow.pyfunc.load_model(f"models:/{name}@champion")
    raw = np.load(file) if file.endswith(".npy") else pd.read_csv(file)
    model.predict(raw).to_csv(file + ".predicted", index=False)
assert "pipeline" not in sys.modules
"""


@dataclass
class Case:
    """A model of some data, its raw test rows and what the project itself predicts for them."""

    prepared: Prepared
    model: object
    raw: pd.DataFrame | np.ndarray
    expected: np.ndarray


def a_case(data: Data) -> Case:
    import keras

    keras.utils.set_random_seed(0)
    dataset = load(data)
    prepared = prepare(dataset, data)
    summary = prepared.summary
    y = prepared.splits["train"].y
    labels = pd.factorize(dataset.target, sort=True)[0] if summary.classes else np.zeros(len(dataset), np.int32)
    test = partition(labels.astype(np.int32), data, dataset.groups, dataset.test_rows)["test"]
    settings = Model(hidden_units=[8], dropout=0.1, batch_norm=True, l2=0.01, max_norm=3.0)
    problem = summary.problem
    model = build_keras(settings, problem, problem.target_mean, problem.target_scale)
    model.compile(loss="mse" if summary.classes is None else "sparse_categorical_crossentropy")
    model.fit(prepared.splits["train"].x, y, epochs=2, verbose=0)
    raw = dataset.features.iloc[test] if isinstance(dataset.features, pd.DataFrame) else dataset.features[test]
    if data.source.endswith(".csv"):
        raw = pd.read_csv(data.source).iloc[test]
    expected = model.predict(prepared.splits["test"].x, verbose=0)
    return Case(prepared, model, raw, expected)


def patients(path: Path) -> None:
    """Whole numbers, fractions, truth and text, with values missing in each."""
    draw = np.random.default_rng(0)
    n = 200
    table = pd.DataFrame(
        {
            "age": draw.integers(20, 90, n),
            "blood sugar": np.where(draw.random(n) < 0.1, np.nan, draw.normal(100, 20, n)),
            "smoker": pd.Series(draw.random(n) < 0.5).astype(object).where(draw.random(n) > 0.1),
            "city": pd.Series(draw.choice(["Ulm", "Bonn", "Köln, Süd"], n)).where(draw.random(n) > 0.1),
            "diagnosis": draw.choice(["ill", "well", "unsure"], n),
        }
    )
    table.to_csv(path, index=False)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    table = tmp_path_factory.mktemp("data") / "patients.csv"
    patients(table)
    return {
        "table": a_case(Data(source=str(table), target="diagnosis")),
        "digits": a_case(Data(source="digits")),
        "regression": a_case(Data(source="diabetes")),
    }


def given(case: Case) -> dict[str, object]:
    return {"summary": case.prepared.summary, "preprocessing": case.prepared.preprocessing}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, empty_store: Path, cases: dict[str, Case]) -> Path:
    """A project's folder in which each of the cases has its champion."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "mlruns").mkdir()
    shutil.copyfile(empty_store, folder / "mlruns" / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        for name, case in cases.items():
            parent = log_run(RunRecord("study", name))
            assert register_champion(case.model, **given(case), run_id=parent, scores={"test.accuracy": 0.5}) == 1
    return folder


@pytest.fixture
def client(store: Path, monkeypatch: pytest.MonkeyPatch):
    from mlflow import MlflowClient

    monkeypatch.chdir(store)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    uri = tracking_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return MlflowClient(uri)


@pytest.fixture(scope="module")
def predicted(store: Path, cases: dict[str, Case], tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """Return what the champions predict in a process of their own, in a folder of its own."""
    elsewhere, arguments, files = tmp_path_factory.mktemp("elsewhere"), [], {}
    for name, case in cases.items():
        if isinstance(case.raw, pd.DataFrame):
            files[name] = elsewhere / f"{name}.csv"
            case.raw.to_csv(files[name], index=False)
        else:
            files[name] = elsewhere / f"{name}.npy"
            np.save(files[name], case.raw)
        arguments += [registered_name(case.prepared.summary.name), str(files[name])]
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": f"sqlite:///{store}/mlruns/mlflow.db",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    }
    command = [sys.executable, "-c", ELSEWHERE, *arguments]
    done = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return {name: pd.read_csv(f"{file}.predicted") for name, file in files.items()}


@pytest.mark.parametrize("name", ["table", "digits"])
def test_classes_and_probabilities_are_those_of_the_project(predicted, cases, name):
    case, table = cases[name], predicted[name]
    classes = case.prepared.summary.classes
    assert list(table) == ["class", *(f"probability_{each}" for each in classes)]
    np.testing.assert_allclose(table.iloc[:, 1:], case.expected, atol=1e-6)
    assert table["class"].astype(str).tolist() == [classes[place] for place in case.expected.argmax(axis=1)]


def test_numbers_are_in_the_unit_of_the_target(predicted, cases):
    assert list(predicted["regression"]) == ["prediction"]
    np.testing.assert_allclose(predicted["regression"], cases["regression"].expected, rtol=1e-6)
    assert predicted["regression"]["prediction"].mean() > 10


@pytest.mark.parametrize("name", ["table", "digits", "regression"])
def test_nothing_of_it_is_pickled(client, cases, name, tmp_path):
    import mlflow

    model = registered_name(cases[name].prepared.summary.name)
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/{model}@champion", dst_path=str(tmp_path)))
    # Python compiles the code where another test has loaded the model.
    files = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"
    }
    example = {"input_example.json", "serving_input_example.json"} if name != "digits" else set()
    assert files - {"registered_model_meta"} == {
        "MLmodel", "requirements.txt", "python_env.yaml", "conda.yaml", "served_model.py", "code/serving.py",
        "artifacts/model.keras", "artifacts/preprocessing.json", *example,
    }  # fmt: skip
    assert "pickle" not in (folder / "MLmodel").read_text().replace("cloudpickle_version", "")


@pytest.fixture
def loaded(client, cases):
    import mlflow

    return mlflow.pyfunc.load_model(f"models:/{registered_name(cases['table'].prepared.summary.name)}@champion")


def test_the_metadata_name_the_raw_columns_and_what_they_hold(loaded):
    assert loaded.metadata.metadata["columns"] == {
        "age": "number", "blood sugar": "number", "smoker": "boolean", "city": "text",
    }  # fmt: skip


def test_columns_that_are_not_there_are_named(loaded, cases):
    import mlflow

    with pytest.raises(mlflow.MlflowException, match="column 'smoker', 'city' is missing"):
        loaded.predict(cases["table"].raw.drop(columns=["city", "smoker"]))


def test_value_of_another_kind_is_named_with_its_column_and_row(loaded, cases):
    import mlflow

    raw = cases["table"].raw.head(2).assign(age=[1, "old"])
    with pytest.raises(mlflow.MlflowException, match="column 'age' holds 'old' in row 2, which is no number"):
        loaded.predict(raw)


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e300, "1e400"])
def test_infinity_and_numbers_beyond_the_limit_are_refused(loaded, cases, value):
    import mlflow

    raw = cases["table"].raw.head(2).astype({"age": object}).assign(age=value)
    with pytest.raises(mlflow.MlflowException, match=r"column 'age' holds .* in row 1; numbers up to 3"):
        loaded.predict(raw)


def test_row_without_any_value_and_with_a_new_category_is_predicted(loaded):
    new = {"age": np.nan, "blood sugar": None, "smoker": np.nan, "city": "Paris"}
    answer = loaded.predict(pd.DataFrame([new], index=["a patient"]))
    assert answer.index.tolist() == ["a patient"]
    assert answer.iloc[0, 1:].sum() == pytest.approx(1)
    assert len(loaded.predict(pd.DataFrame([new]).head(0))) == 0


@pytest.mark.parametrize(
    ("categories", "values", "found"),
    [
        (["1", "2", "x"], [1, np.nan, 2], ["1", "x", "2"]),
        (["1", "2", "x"], np.array([2, 1], np.float32), ["2", "1"]),
        (["1", "2", "x"], [1.5, np.inf], [None, None]),
        (["1.0", "2.0", "x"], [1.0, np.nan], ["1.0", "x"]),
        (["01067", "20095", "x"], [1067, 20095], ["01067", "20095"]),
        (["007", "7", "x"], [7, "007"], ["7", "007"]),
    ],
)
def test_category_that_pandas_reads_as_a_number_is_found(categories, values, found):
    column = {"name": "code", "kind": "text", "missing": "x", "categories": categories}
    rows = apply({"kind": "table", "columns": [column]}, pd.DataFrame({"code": values}))
    np.testing.assert_array_equal(rows, [[float(each == category) for category in categories] for each in found])


@pytest.fixture
def post(loaded) -> Iterator[Callable[..., tuple[int, dict]]]:
    """`post(body, "text/csv")` sends a request to MLflow's server of the model; status and answer."""
    from mlflow.pyfunc.scoring_server import init

    server = uvicorn.Server(uvicorn.Config(init(loaded), port=0, log_level="warning", lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/invocations"

        def send(body: str, content: str = "application/json") -> tuple[int, dict]:
            request = urllib.request.Request(url, body.encode(), {"Content-Type": content})
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as error:
                return error.code, json.load(error)

        yield send
        server.should_exit = True
        thread.join()


def test_a_server_takes_each_form_of_request(post, cases):
    case = cases["table"]
    raw = case.raw.drop(columns="diagnosis").assign(extra="is ignored").head(20)
    rows = json.loads(raw.to_json(orient="records"))
    split = json.loads(raw.to_json(orient="split"))
    columns = {name: [row[name] for row in rows] for name in raw}
    requests = {"dataframe_split": split, "dataframe_records": rows, "instances": rows, "inputs": columns}
    answers = [post(json.dumps({form: content})) for form, content in requests.items()]
    answers += [post(json.dumps({"inputs": rows})), post(raw.to_csv(index=False), "text/csv")]
    for status, answer in answers:
        assert status == 200, answer
        probabilities = pd.DataFrame(answer["predictions"]).filter(like="probability_")
        np.testing.assert_allclose(probabilities.to_numpy(), case.expected[:20], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"age": "old"}, "column 'age' holds 'old' in row 2, which is no number"),
        ({"age": 1e400}, "column 'age' holds inf in row 2; numbers up to 3.4e+38 are allowed"),
        ({"smoker": "perhaps"}, "column 'smoker' holds 'perhaps' in row 2, which is no boolean"),
        ({"city": ...}, "column 'city' is missing"),
    ],
)
def test_the_servers_answer_says_why_a_request_is_refused(post, cases, change, reason):
    raw = cases["table"].raw.drop(columns="diagnosis").head(3)
    rows = json.loads(raw.to_json(orient="records"))
    if ... in change.values():
        rows = [{name: value for name, value in row.items() if name not in change} for row in rows]
    else:
        rows[1] |= change
    bodies = [(json.dumps({form: rows}), "application/json") for form in ("dataframe_records", "instances")]
    for body, content in [*bodies, (pd.DataFrame(rows).to_csv(index=False), "text/csv")]:
        status, answer = post(body, content)
        assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
        assert reason in answer["message"]


def test_the_example_is_a_row_that_can_be_predicted(loaded, cases):
    assert loaded.predict(loaded.input_example)["class"].isin(cases["table"].prepared.summary.classes).all()


def test_images_come_as_rows_of_pixels_too(cases):
    case = cases["digits"]
    loaded = Champion(case.model, case.prepared.preprocessing)
    flat = case.raw.reshape(len(case.raw), -1)
    for raw in (flat, flat.astype(np.uint8), pd.DataFrame(flat), case.raw.tolist()):
        np.testing.assert_allclose(loaded.predict(raw).iloc[:, 1:], case.expected, atol=1e-6)
    with pytest.raises(ValueError, match=r"images must have 64 pixels each, \[n, ...\]; got \[2, 7, 8\]"):
        loaded.predict(np.zeros((2, 7, 8)))


def test_registry_knows_run_model_and_scores(client, cases):
    name = registered_name(cases["digits"].prepared.summary.name)
    version = client.get_model_version_by_alias(name, "champion")
    assert client.get_run(version.run_id).info.run_name == "digits"
    [model] = client.search_logged_models(["1"], f"source_run_id = '{version.run_id}'")
    assert version.source == model.artifact_location
    assert json.loads(model.tags["mlflow.modelVersions"]) == [{"name": name, "version": 1}]
    assert {metric.key: metric.value for metric in model.metrics} == {"test.accuracy": 0.5}


def test_second_study_is_the_second_version_and_has_the_alias(client, cases, tmp_path):
    case = cases["digits"]
    file = tmp_path / "model.keras"
    case.model.save(file)
    parent = log_run(RunRecord("study", "again"))
    for _ in range(2):  # once for each run
        assert register_champion(file, **given(case), run_id=parent) == 2
    assert client.get_model_version_by_alias("overfitting-study-digits", "champion").run_id == parent


def test_lost_registry_costs_one_line(client, cases, monkeypatch, capfd):
    parent = log_run(RunRecord("study", "lost"))
    lost = champion.open_client(tracking_uri())
    monkeypatch.setattr(type(lost), "create_model_version", lambda *_, **__: Path("the registry").stat())
    assert register_champion(cases["digits"].model, **given(cases["digits"]), run_id=parent) is None
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("warning: the champion is not registered in sqlite:")


@pytest.mark.parametrize(
    ("given", "name"),
    [("my table", "my-table"), ("openml:61", "openml-61"), ("日本", "日本"), ("a/b%", "a-b"), ("::", "data")],
)
def test_name_in_the_registry_has_valid_characters_only(client, given, name):
    assert registered_name(given) == f"overfitting-study-{name}"
    client.create_registered_model(registered_name(given))
    assert client.get_registered_model(registered_name(given)).name == registered_name(given)
