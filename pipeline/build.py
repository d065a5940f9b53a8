"""Stage build: write the architecture and its size, before any training.

Writes `models/architecture.json`, which `keras.models.model_from_json` reads, and `experiments/results/size.json`.
"""

# ruff: noqa: E402 (interrupts are told in a line from here on, and TensorFlow is configured before it is imported)
from pipeline.interrupts import listen

listen(__name__)

from pipeline.training.fast.process import configure

configure()

import json

import keras

from pipeline.alone import alone
from pipeline.data.splits import read_summary
from pipeline.errors import run_stage
from pipeline.files import write_json
from pipeline.params import settings_in_use
from pipeline.paths import ARCHITECTURE_FILE, SIZE_FILE
from pipeline.training.inputs import UNTRAINED
from pipeline.training.model import build_keras


def size(plain: keras.Model, training_rows: int) -> dict[str, object]:
    """Count the weights, batch normalization's statistics included: in all, by layer and for each training row.

    Those of the input encoding do not count: they are not trained.
    """
    counted = [layer for layer in plain.layers if layer.count_params() and layer.name not in UNTRAINED]
    layers = {layer.name: layer.count_params() for layer in counted}
    weights = sum(layers.values())
    return {
        "weights": weights,
        "weights_by_layer": layers,
        "training_rows": training_rows,
        "weights_per_training_row": round(weights / training_rows, 3),
    }


def main() -> None:
    """Write the architecture and its size."""
    with alone("build"), settings_in_use("model") as settings:
        summary = read_summary()
        problem = summary.problem
        plain = build_keras(settings.model, problem, problem.target_mean, problem.target_scale)
        sizes = size(plain, summary.rows["train"])
        write_json(ARCHITECTURE_FILE, json.loads(plain.to_json()))
        write_json(SIZE_FILE, sizes)
        shape = "-".join(str(n) for n in (summary.n_features, *settings.model.hidden_units, plain.output_shape[-1]))
        print(
            f"{shape}: {sizes['weights']:,} weights, {sizes['weights_per_training_row']:.3g} for each of "
            f"{summary.rows['train']:,} training rows"
        )


if __name__ == "__main__":
    run_stage(main)
