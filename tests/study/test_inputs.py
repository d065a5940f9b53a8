"""Piecewise-linear inputs as a remedy of a study."""

import numpy as np
import pandas as pd

from experiments import run_study
from pipeline.settings import Model, Study, Train


def test_piecewise_linear_inputs_help_where_the_target_jumps_along_a_feature():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"age": rng.lognormal(3, 1, 400), "city": rng.choice(["Ulm", "Bonn"], 400)})
    table["cost"] = np.sin(3 * np.log(table["age"])) + (table["city"] == "Ulm") + rng.normal(0, 0.1, 400)
    study = Study(sections=["remedies"], remedies={"model.bins": [4, 16]}, seeds=5, half_width=False,
                  peers=["linear"])  # fmt: skip
    result = run_study(table, "cost", study=study, model=Model(hidden_units=(16,)), workers=1, progress=False,
                       train=Train(epochs=20, batch_size=32, learning_rate=0.01))  # fmt: skip
    arms = {arm.name: arm for arm in result.record.arms}
    best = arms["piecewise-linear inputs 16"]
    assert (best.chosen, best.verdict) == (True, "helps")
    # A number, its bins, and two categories.
    assert (arms["baseline"].weights, best.weights) == (3 * 16 + 16 + 17, 3 * 16 * 16 + 16 + 17)
    assert result.recommendation.settings["model"]["bins"] == 16
    predicted = result.model.predict(table.drop(columns="cost"))
    assert np.corrcoef(predicted, table["cost"])[0, 1] > 0.9


def test_transformed_inputs_help_where_a_feature_has_heavy_tails_and_are_served():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"income": np.exp(rng.normal(0, 3, 400))})
    table["cost"] = np.log(table["income"]) + rng.normal(0, 0.1, 400)
    study = Study(sections=["remedies"], remedies={"model.inputs": ["quantile", "robust"]}, seeds=5, half_width=False,
                  peers=["linear"])  # fmt: skip
    result = run_study(table, "cost", study=study, model=Model(hidden_units=(16,)), workers=1, progress=False,
                       train=Train(epochs=20, batch_size=32, learning_rate=0.01))  # fmt: skip
    arms = {arm.name: arm for arm in result.record.arms}
    assert arms["transformed inputs quantile"].verdict == "helps" and arms["transformed inputs quantile"].chosen
    assert result.recommendation.settings["model"]["inputs"] == "quantile"
    predicted = result.model.predict(table.drop(columns="cost"))
    assert np.corrcoef(predicted, table["cost"])[0, 1] > 0.9
