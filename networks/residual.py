"""A network of one's own, for `model.build: networks/residual.py:build`: residual blocks with layer normalization."""

import keras


def build(model, problem):
    """Return the network: prepared rows in; logits, or one standardized number, out.

    Args:
        model: the section `model` of `params.yaml`; `hidden_units`, `activation` and `dropout` are used.
        problem: `n_features`, `n_outputs` and `is_classification` of the prepared data.
    """
    inputs = keras.Input((problem.n_features,))
    x = keras.layers.Dense(model.hidden_units[0])(inputs)
    for units in model.hidden_units:
        block = keras.layers.LayerNormalization()(x)
        block = keras.layers.Dense(units, activation=model.activation)(block)
        if model.dropout:
            block = keras.layers.Dropout(model.dropout)(block)
        x = keras.layers.Add()([x, keras.layers.Dense(model.hidden_units[0])(block)])
    return keras.Model(inputs, keras.layers.Dense(problem.n_outputs)(x))
