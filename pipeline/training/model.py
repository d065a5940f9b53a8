"""The network as a plain Keras model, the only statement of it, and its weights by path."""

import math

import keras
import numpy as np

from pipeline.data.examples import Problem
from pipeline.settings import Inputs, Model
from pipeline.training.encoding import LAYER as ENCODING
from pipeline.training.inputs import LEAST_SHARE, QUANTILES, SCALE, SHARE, SMOOTH_CLIP
from pipeline.training.own_network import own_network


def build_network(model: Model, problem: Problem) -> keras.Model:
    """Return the network: prepared rows in; logits, or standardized numbers, out.

    Raises:
        InputError: `model.build` does not give one that can be trained.
    """
    return own_network(model, problem) if model.build else _mlp(model, problem)


def _mlp(model: Model, problem: Problem) -> keras.Model:
    inputs = keras.Input((problem.n_features,), name="rows")
    x = inputs
    if model.gaussian_noise:
        x = keras.layers.GaussianNoise(model.gaussian_noise, name="noise")(x)
    if model.inputs:
        x = _transformed(x, model.inputs, problem.n_features)
    if model.bins:
        x = _untrained(ENCODING, "bf,qf->bqf", (model.bins, problem.n_features))(x)
        x = keras.layers.ReLU(max_value=1.0, name=f"{ENCODING}_relu")(x)
    if model.input_dropout:
        # It drops a feature with all its bins. Before the encoding, values that are kept would be scaled up into other
        # bins.
        dropout = keras.layers.SpatialDropout1D if model.bins else keras.layers.Dropout
        x = dropout(model.input_dropout, name="input_dropout")(x)
    if model.bins:
        x = keras.layers.Flatten(name=f"{ENCODING}_flat")(x)
    for number, units in enumerate(model.hidden_units, start=1):
        name = f"hidden_{number}"
        before = x
        x = _dense(model, units, name)(x)
        if model.batch_norm:
            x = keras.layers.BatchNormalization(name=f"{name}_norm")(x)
        if model.layer_norm:
            x = keras.layers.LayerNormalization(name=f"{name}_layer_norm")(x)
        x = keras.layers.Activation(model.activation, name=f"{name}_{model.activation}")(x)
        if model.dropout:
            x = keras.layers.Dropout(model.dropout, name=f"{name}_dropout")(x)
        if model.skip and number > 1:  # a residual block (He, Zhang, Ren and Sun 2016)
            if before.shape != x.shape:
                before = _dense(model, units, f"{name}_projection", use_bias=False)(before)
            x = keras.layers.Add(name=f"{name}_skip")([before, x])
    return keras.Model(inputs, _dense(model, problem.n_outputs, "output")(x), name="mlp")


def _transformed(x: keras.KerasTensor, inputs: Inputs, n_features: int) -> keras.KerasTensor:
    """Return rows `[batch, n_features]`, transformed as `pipeline.training.inputs` says."""
    if inputs == "robust":
        x = _untrained(SCALE, "bf,f->bf", (n_features,))(x)
        return x / keras.ops.sqrt(1 + keras.ops.square(x / SMOOTH_CLIP))
    x = _untrained(SCALE, "bf,qf->bqf", (QUANTILES - 1, n_features))(x)
    x = keras.layers.ReLU(max_value=1.0, name=f"{SCALE}_relu")(x)
    share = keras.ops.clip(_untrained(SHARE, "bqf,qf->bf", (n_features,))(x), LEAST_SHARE, 1 - LEAST_SHARE)
    # The inverse of the normal distribution function. Keras takes a product with a number for sparse.
    x = keras.ops.erfinv(keras.layers.Rescaling(2.0, -1.0, name=f"{SHARE}_centered")(share))
    return keras.layers.Rescaling(math.sqrt(2), name=f"{SHARE}_normal")(x)


def _untrained(name: str, equation: str, units: tuple[int, ...]) -> keras.layers.EinsumDense:
    """Return a layer whose weights come from the training rows; each of its units has a bias."""
    return keras.layers.EinsumDense(
        equation,
        output_shape=units,
        bias_axes=equation.partition("->")[2].removeprefix("b"),
        kernel_initializer="zeros",
        trainable=False,
        name=name,
    )


def _dense(model: Model, units: int, name: str, use_bias: bool = True) -> keras.layers.Dense:
    return keras.layers.Dense(
        units,
        use_bias=use_bias,
        kernel_initializer=model.initializer or "glorot_uniform",
        kernel_regularizer=keras.regularizers.L1L2(model.l1, model.l2) if model.l1 or model.l2 else None,
        kernel_constraint=None if model.max_norm is None else keras.constraints.MaxNorm(model.max_norm, axis=0),
        name=name,
    )


def build_keras(
    model: Model, problem: Problem, mean: float = 0.0, scale: float = 1.0, temperature: float | None = None
) -> keras.Model:
    """Return the network with its last step: prepared rows in; probabilities, or numbers in the target's unit, out.

    Args:
        mean, scale: of the target; the network itself sees `(y - mean) / scale`.
        temperature: by which the logits of classes are divided; None for 1.
    """
    network = build_network(model, problem)
    outputs = network.outputs[0]
    if problem.is_classification:
        if temperature is not None:
            outputs = keras.layers.Rescaling(1 / temperature, name="temperature")(outputs)
        outputs = keras.layers.Softmax(name="probabilities")(outputs)
    elif (mean, scale) != (0.0, 1.0):
        # In float32 a target such as a time in seconds would lose all but its offset.
        outputs = keras.layers.Rescaling(scale, mean, name="target_unit", dtype="float64")(outputs)
    return keras.Model(network.input, outputs, name=network.name)


def build_ensemble(
    model: Model,
    problem: Problem,
    weights: dict[str, np.ndarray],
    mean: float = 0.0,
    scale: float = 1.0,
    temperature: float | None = None,
) -> keras.Model:
    """Return trained seeds as one Keras model, which predicts the mean of their probabilities or numbers.

    Its outputs are a dictionary: `mean`, `[n, n_outputs]`, and `members`, `[n, R, n_outputs]`, whose spread tells how
    far the seeds agree.

    Args:
        weights: of R seeds, `[R, ...]` by path.
        mean, scale, temperature: see `build_keras`.
    """
    rows, members = keras.Input((problem.n_features,), name="rows"), []
    for place in range(len(next(iter(weights.values())))):
        plain = build_keras(model, problem, mean, scale, temperature)
        set_weights(plain, {path: value[place] for path, value in weights.items()})
        member = keras.Model(plain.input, plain.output, name=f"member_{place + 1}")
        in_a_row = keras.layers.Reshape((1, problem.n_outputs), name=f"row_{place + 1}", dtype=plain.output.dtype)
        members.append(in_a_row(member(rows)))
    joined = keras.layers.Concatenate(axis=1, name="members", dtype=members[0].dtype)(members)
    together = keras.layers.GlobalAveragePooling1D(name="mean", dtype=members[0].dtype)(joined)
    return keras.Model(rows, {"mean": together, "members": joined}, name="ensemble")


def set_weights(plain: keras.Model, weights: dict[str, np.ndarray]) -> None:
    """Give a Keras model one seed's weights by path."""
    for variable in plain.weights:
        variable.assign(weights[variable.path])


def initial_weights(network: keras.Model, seed: int) -> dict[str, np.ndarray]:
    """Return one seed's weights before training by path, float32: a weight whose initializer draws is drawn anew."""
    weights: dict[str, np.ndarray] = {}
    place = 0
    for layer in network.layers:
        for variable in layer.weights:
            weights[variable.path] = variable.numpy()
            initializer = getattr(layer, f"{variable.name}_initializer", None)
            if not isinstance(initializer, keras.Initializer) or "seed" not in initializer.get_config():
                continue
            drawn = int(np.random.SeedSequence([seed, 0, place]).generate_state(1)[0])
            seeded = initializer.from_config(initializer.get_config() | {"seed": drawn})
            weights[variable.path] = np.asarray(seeded(variable.shape))
            place += 1
    return weights
