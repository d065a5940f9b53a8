"""What `params.yaml` may say, and the one line that says what is wrong with it."""

import inspect
from itertools import pairwise
from pathlib import Path
from typing import get_args

import keras
import numpy as np
import pytest

from pipeline.choices import Activation, Initializer, Optimizer
from pipeline.errors import InputError
from pipeline.params import parse_settings, read_settings, settings_in_use
from pipeline.settings import REGULARIZERS, Model, Schedule, Settings, Train, flat

SCHEDULES = "cosine_restarts, constant, exponential, step, plateau"


def refusal(content: object) -> str:
    with pytest.raises(InputError) as refused:
        parse_settings(content)
    assert "\n" not in str(refused.value)
    return str(refused.value).removeprefix("params.yaml: ")


@pytest.mark.parametrize(
    ("section", "content", "expected"),
    [
        ("train", {"optimizer": "adamn"}, "train.optimizer must be one of adam, nadam, adamw, gd, sgd, "),
        ("train", {"optimizer": None}, "train.optimizer must be one of gd, sgd, momentum, "),
        ("model", {"activation": "rellu"}, "model.activation must be one of relu, relu6, elu, "),
        ("model", {"initializer": "he_norm"}, "model.initializer must be one of he_normal, "),
        ("train", {"loss": "mse"}, "train.loss must be one of cross_entropy, mean_squared_error; got 'mse'"),
        ("train", {"schedule": "cosin"}, f"train.schedule must be one of cosine, {SCHEDULES}; got 'cosin'"),
        ("train", {"schedule": {"name": "cosin"}}, f"train.schedule.name must be one of cosine, {SCHEDULES}; got"),
    ],
)
def test_unknown_choice_shows_the_nearest_first(section, content, expected):
    assert refusal({section: content}).startswith(expected)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"trian": {}}, "unknown setting trian; known here: train, data, model"),
        ({"train": {"optimiser": "adam"}}, "unknown setting train.optimiser; known here: optimizer, learning_rate, "),
        ({"train": {"learning-rate": 0.1}}, "unknown setting train.learning-rate; known here: learning_rate, "),
        ({"train.epochs": 3}, "unknown setting train.epochs; known here: "),
        ({"train": {"schedule": {"nam": "cosine"}}}, "unknown setting train.schedule.nam; known here: name, warmup_ep"),
        (
            {"train": {"early_stopping": {"patient": 3}}},
            "unknown setting train.early_stopping.patient; known here: patience",
        ),
        ({1: 2}, "1: Keys should be strings"),
    ],
)
def test_unknown_setting_shows_the_known_ones_nearest_first(content, expected):
    assert refusal(content).startswith(expected)


@pytest.mark.parametrize(
    ("section", "name", "value", "rule"),
    [
        ("model", "dropout", 1.5, "less than 1"),
        ("model", "dropout", 1.0, "less than 1"),
        ("model", "dropout", -0.1, "greater than or equal to 0"),
        ("model", "l2", -1, "greater than or equal to 0"),
        ("model", "max_norm", 0, "greater than 0"),
        ("train", "learning_rate", 0, "greater than 0"),
        ("train", "learning_rate", float("nan"), "a finite number"),
        ("train", "learning_rate", float("inf"), "a finite number"),
        ("train", "epochs", 0, "greater than or equal to 1"),
        ("train", "momentum", 1.0, "less than 1"),
        ("data", "test_fraction", 1.0, "less than 1"),
        ("data", "train_fraction", 0.0, "greater than 0"),
        ("data", "split_seed", 2**31, "less than 2147483648"),
    ],
)
def test_value_out_of_range_names_the_limit(section, name, value, rule):
    assert refusal({section: {name: value}}) == f"{section}.{name} must be {rule}; got {value!r}"


@pytest.mark.parametrize(
    ("section", "name", "value", "rule"),
    [
        ("model", "dropout", "0.5", "a valid number"),
        ("model", "dropout", True, "a valid number"),
        ("train", "epochs", True, "a valid integer"),
        ("train", "epochs", 1.0, "a valid integer"),
        ("train", "epochs", "ten", "a valid integer"),
        ("model", "batch_norm", 1, "a valid boolean"),
        ("model", "hidden_units", 32, "a valid list"),
        ("data", "drop", "id", "a valid list"),
        ("data", "source", 3, "a valid string"),
        ("train", "schedule", None, "a section of settings"),
        ("train", "early_stopping", 5, "a section of settings"),
        ("train", "early_stopping", True, "a section of settings"),
    ],
)
def test_value_of_another_type_is_not_converted(section, name, value, rule):
    assert refusal({section: {name: value}}) == f"{section}.{name} must be {rule}; got {value!r}"


@pytest.mark.parametrize("content", [[], "adam", 3])
def test_file_that_holds_no_sections_is_refused(content):
    assert refusal(content) == f"the file must be a section of settings; got {content!r}"


def test_part_of_a_list_is_named_by_its_place():
    assert refusal({"model": {"hidden_units": [32, 0]}}) == (
        "model.hidden_units.1 must be greater than or equal to 1; got 0"
    )


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [
        ("x", "train.seeds must be a valid integer or a valid list; got 'x'"),
        (True, "train.seeds must be a valid integer or a valid list; got True"),
        (None, "train.seeds must be a valid integer or a valid list; got None"),
        (0, "train.seeds must be greater than or equal to 1 or a valid list; got 0"),
        ([1, "x"], "train.seeds.1 must be a valid integer; got 'x'"),
        ([-1], "train.seeds.0 must be greater than or equal to 0; got -1"),
        ([1, 1], "train.seeds must be a number of seeds, or a list of different seeds with at least one in it; got"),
        ([], "train.seeds must be a number of seeds, or a list of different seeds with at least one in it; got []"),
    ],
)
def test_seeds_are_a_number_or_a_list_and_a_wrong_one_is_one_problem(seeds, expected):
    assert refusal({"train": {"seeds": seeds}}).startswith(expected)
    assert "more)" not in refusal({"train": {"seeds": seeds}})


def test_other_problems_are_counted():
    found = refusal({"model": {"l1": -1, "l2": -1, "hidden_units": ["a", "b"]}})
    assert found == "model.hidden_units.0 must be a valid integer; got 'a' (and 3 more)"


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        (
            {"momentum": 0.9},
            "train.momentum has a meaning for momentum, nesterov, rmsprop, muon; "
            "leave it null for train.optimizer adam",
        ),
        (
            {"label_smoothing": 0.1, "loss": "mean_squared_error"},
            "train.label_smoothing needs train.loss cross_entropy, got mean_squared_error",
        ),
        (
            {"schedule": {"warmup_epochs": 20}, "epochs": 10},
            "train.schedule.warmup_epochs must be at most train.epochs 10, got 20",
        ),
    ],
)
def test_settings_that_do_not_go_together_name_each_other(train, expected):
    assert refusal({"train": train}) == expected


def test_schedule_is_a_name_or_a_section():
    assert parse_settings({"train": {"schedule": "cosine"}}).train.schedule == Schedule(name="cosine")
    section = {"name": "step", "decay": 0.1, "decay_epochs": 3}
    assert parse_settings({"train": {"schedule": section}}).train.schedule == Schedule(**section)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train: {optimizer: adam", "in line 1: expected ',' or '}', but got '<stream end>'"),
        ("train:\n  epochs: 3\n epochs: 4", "in line 3: expected <block end>"),
        ("train:\n\tepochs: 3", r"in line 2: found character '\t'"),
        ("train:\n  epochs: 3\n  epochs: 4", 'in line 3: found duplicate key "epochs"'),
        ("a: !!python/object:os.system x", "in line 1: could not determine a constructor"),
        ("--- 1\n--- 2", "in line 2: but found another document"),
        ("a: \x07", "special characters are not allowed"),
        ("a: 2020-13-45", "month must be in 1..12"),
        (b"\xff\xfe\x00a", "'utf-8' codec can't decode"),
    ],
)
def test_file_that_is_not_yaml_names_the_line(tmp_path, text, expected):
    path = tmp_path / "params.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match="is not valid YAML") as refused:
        read_settings(path)
    assert expected in str(refused.value)


def test_missing_file_says_where_to_run(folder):
    with pytest.raises(InputError, match=r"^params\.yaml is missing; run this in the project's root folder$"):
        read_settings()


def test_folder_in_the_files_place_is_named(folder):
    Path("params.yaml").mkdir()
    with pytest.raises(InputError, match=r"^params\.yaml cannot be read: Is a directory$"):
        read_settings()


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n", "{}"])
def test_empty_file_is_the_textbook_model(folder, text):
    Path("params.yaml").write_text(text)
    settings = read_settings()
    assert settings == Settings()
    assert (settings.model.hidden_units, settings.model.activation) == ((32,), "relu")
    assert (settings.train.optimizer, settings.train.batch_size, settings.train.epochs) == ("adam", 128, 10)


def test_numbers_are_read_as_yaml_1_2_has_them(folder):
    Path("params.yaml").write_text("train: {learning_rate: 1e-3}\nmodel: {l2: 1, hidden_units: [8, 4]}")
    settings = read_settings()
    assert (settings.train.learning_rate, settings.model.l2, settings.model.hidden_units) == (1e-3, 1.0, (8, 4))


def test_settings_do_not_change_once_read():
    with pytest.raises(ValueError, match="frozen"):
        Settings().train.epochs = 3


def test_flat_gives_every_setting_its_dotted_name():
    names = flat(Settings(model=Model(hidden_units=[8]), train=Train(schedule=Schedule(name="cosine"))))
    assert names["model.hidden_units"] == [8]
    assert names["train.schedule.name"] == "cosine"
    assert names["train.early_stopping"] is None
    assert not any(isinstance(value, dict) and value for value in names.values())


def test_activations_are_all_of_keras_that_keep_the_shape_and_need_no_argument():
    def keeps_shape(function) -> bool:
        needed = [p for p in inspect.signature(function).parameters.values() if p.default is p.empty]
        return len(needed) == 1 and tuple(function(np.ones((4, 6), np.float32)).shape) == (4, 6)

    functions = inspect.getmembers(keras.activations, inspect.isfunction)
    own = {name for name, function in functions if name not in ("get", "serialize", "deserialize")}
    assert set(get_args(Activation)) == {name for name in own if keeps_shape(getattr(keras.activations, name))}


def test_initializers_are_all_of_keras_that_make_a_matrix_without_an_argument():
    def makes_matrix(name: str) -> bool:
        # Keras 3.15 cannot read its own `constant` back without a value (KeyError), and STFT makes no matrix.
        try:
            return tuple(keras.initializers.get(name)((4, 6)).shape) == (4, 6)
        except (KeyError, ValueError):
            return False

    named = {name for name, _ in inspect.getmembers(keras.initializers, inspect.isclass) if name.islower()}
    assert set(get_args(Initializer)) == {name for name in named if makes_matrix(name)}


@pytest.mark.parametrize("optimizer", get_args(Optimizer))
def test_every_optimizer_can_be_named(optimizer):
    assert parse_settings({"train": {"optimizer": optimizer}}).train.optimizer == optimizer


# Settings of the network and its training that regularize nothing.
NO_REGULARIZERS = {
    "model": {"hidden_units", "activation", "initializer", "layer_norm", "skip", "build"},
    "train": {
        "optimizer", "learning_rate", "momentum", "schedule", "loss", "batch_size", "epochs", "seeds",
        "monitor", "train_score_rows",
    },
}  # fmt: skip


@pytest.mark.parametrize("section", [Model, Train])
def test_every_setting_is_a_regularizer_or_known_to_be_none(section: type[Model] | type[Train]):
    name = section.__name__.lower()
    marked = {setting.partition(".")[2] for setting in REGULARIZERS if setting.startswith(f"{name}.")}
    assert marked | NO_REGULARIZERS[name] == set(section.model_fields)
    assert not marked & NO_REGULARIZERS[name]


def test_regularizers_are_off_by_default_and_have_different_names():
    defaults = flat(Settings())
    assert not any(defaults[setting] for setting in REGULARIZERS)
    assert len({regularizer.name for regularizer in REGULARIZERS.values()}) == len(REGULARIZERS)


def test_class_weights_are_hashable_and_come_back_as_a_mapping():
    train = Train(class_weight={1: 5, "no": 0.5})
    assert hash(train) == hash(Train(class_weight={"1": 5.0, "no": 0.5}))
    assert train.model_dump(mode="json")["class_weight"] == {"1": 5.0, "no": 0.5}
    assert flat(train)["class_weight"] == {"1": 5.0, "no": 0.5}
    assert Train.model_validate(train.model_dump()) == Train.model_validate(dict(train)) == train


@pytest.mark.parametrize("value", ["balance", {}, {"yes": 0}, {"yes": "5"}, {"yes": True}, [1, 2], 3])
def test_class_weights_that_cannot_be_are_refused(value):
    with pytest.raises(InputError, match=r"train\.class_weight must be null, balanced, or classes with a weight above"):
        parse_settings({"train": {"class_weight": value}})


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ({"bins": 1}, r"model\.bins must be greater than or equal to 2; got 1"),
        ({"bins": 65}, r"model\.bins must be less than or equal to 64; got 65"),
        ({"inputs": "log"}, r"model\.inputs must be one of quantile, robust"),
        ({"inputs": "robust", "bins": 8}, r"model\.inputs must be null with model\.bins.+; got robust"),
        (
            {"inputs": "quantile", "build": "networks/residual.py:build"},
            r"model\.inputs must be null with model\.build",
        ),
        ({"bins": 8, "build": "networks/residual.py:build"}, r"model\.bins must be null with model\.build.+; got 8"),
    ],
)
def test_bins_and_inputs_that_cannot_be_are_refused(model, told):
    with pytest.raises(InputError, match=told):
        parse_settings({"model": model})


def test_sections_of_equal_values_are_equal_keys():
    assert {Model(hidden_units=[3, 4]): 1}[Model(hidden_units=(3, 4))] == 1
    assert hash(Train(seeds=[1, 2])) == hash(Train(seeds=[1, 2]))


def test_a_stage_refuses_to_pass_for_one_of_settings_that_were_edited_while_it_ran(project):
    project(train={"epochs": 5}, search={"trials": 3})
    with settings_in_use("train") as settings:
        project(train={"epochs": 5}, search={"trials": 4})  # the stage does not use the search's
    assert settings.train.epochs == 5
    edited = pytest.raises(InputError, match=r"params.yaml: train.epochs was changed from 5 to 9 while this stage ran")
    with edited, settings_in_use("train"):
        project(train={"epochs": 9})


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"train": {"seeds": 10**9}}, "train.seeds must be less than or equal to 1000"),
        ({"train": {"epochs": 10**9}}, "train.epochs must be less than or equal to 1000000"),
        ({"search": {"trials": 10**9}}, "search.trials must be less than or equal to 100000"),
        ({"model": {"hidden_units": [10**9]}}, "model.hidden_units.0 must be less than or equal to 1000000"),
        ({"model": {"hidden_units": [8] * 200}}, "model.hidden_units: Value should have at most 100 items"),
        (
            {"search": {"space": {"train.ema": {"low": 0.1, "high": 0.2, "when": {"train.loss": []}}}}},
            "at least 1 item",
        ),
        ({"data": {"source": "a\0.csv"}}, "data.source has a NUL or half a character in it"),
        ({"data": {"source": "a\ud800.csv"}}, "data.source has a NUL or half a character in it"),
        ({"data": {"split_seed": 10**400}}, "data.split_seed is a whole number of 1329 bits; 63 are allowed"),
        ({"study": {"remedies": {"model.l2": [[[[[[[[[[[[1]]]]]]]]]]]]}}}, "is nested more than 10 deep"),
        ({"search": {"storage": "postgresql://me:pa@ss@host/db"}}, "PGPASSWORD; got postgresql://me:***@host/db"),
        ({"search": {"storage": "postgresql://host/db?password=pass"}}, "search.storage must not hold a password"),
    ],
)
def test_absurd_settings_are_refused_in_a_short_line(content, told):
    with pytest.raises(InputError) as refused:
        parse_settings(content)
    assert told in str(refused.value)
    assert len(str(refused.value)) < 400
    assert "pass@" not in str(refused.value)


def test_aliases_that_stand_for_millions_of_values_are_refused_at_once(folder):
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for before, name in pairwise("abcdefgh"):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]")
    Path("params.yaml").write_text("\n".join(lines))
    with pytest.raises(InputError, match="holds more than 100000 values"):
        read_settings()
