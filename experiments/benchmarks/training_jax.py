"""The peer that one writes by hand in JAX: a training step mapped over the seeds by `vmap`, an epoch one `scan`."""

import time
from typing import Any

import jax
import jax.numpy as jnp

from experiments.benchmarks.batches import check_plain, glorot, orders
from experiments.benchmarks.training import Answer, answer, problem_of, read_rows
from pipeline.settings import Model, Train

Layers = list[tuple[Any, Any]]


def vmapped(task: Answer) -> Answer:
    """Train all seeds of the task side by side; see `training`."""
    model, train = Model.model_validate(task["model"]), Train.model_validate(task["train"])
    check_plain(model)
    rows, validation = read_rows(task["rows"])
    layers = glorot([rows.x.shape[1], *model.hidden_units, problem_of(rows).n_outputs], task["seeds"])
    epoch = jax.jit(jax.vmap(_epoch(model, rows, validation), in_axes=(0, 0, 0, None)))
    zeros = jax.tree.map(jnp.zeros_like, layers)
    state = (layers, zeros, zeros, jnp.zeros(len(task["seeds"])))
    keys = jax.random.split(jax.random.key(0), len(task["seeds"]))
    stamps, accuracy = [time.perf_counter()], 0.0
    for batches, shares in orders(task["seeds"], len(rows.x), train.batch_size, train.epochs):
        keys = jax.vmap(lambda key: jax.random.split(key, 1)[0])(keys)
        state, (_, accuracies) = epoch(state, batches, keys, shares)
        accuracy = float(accuracies.mean())  # it waits for the epoch
        stamps.append(time.perf_counter())
    return answer(stamps, accuracy)


def _epoch(model: Model, rows: Any, validation: Any) -> Any:
    """Return the function of one seed's epoch: its state, batches and key, and the shares, in; state and scores out."""
    x, y, x_validation, y_validation = map(jnp.asarray, (rows.x, rows.y, validation.x, validation.y))

    def outputs(layers: Layers, x: Any, key: Any = None) -> Any:
        for place, (kernel, bias) in enumerate(layers[:-1]):
            x = jax.nn.relu(x @ kernel + bias)
            if key is not None and model.dropout:
                stays = jax.random.bernoulli(jax.random.fold_in(key, place), 1 - model.dropout, x.shape)
                x = jnp.where(stays, x / (1 - model.dropout), 0.0)
        return x @ layers[-1][0] + layers[-1][1]

    def cross_entropy(logits: Any, labels: Any) -> Any:
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=-1)[:, 0]

    def loss(layers: Layers, batch: Any, shares: Any, key: Any) -> Any:
        data = jnp.sum(cross_entropy(outputs(layers, x[batch], key), y[batch]) * shares)
        return data + model.l2 * sum(jnp.sum(jnp.square(kernel)) for kernel, _ in layers)

    def step(state: Any, inputs: Any) -> tuple[Any, None]:
        (layers, means, squares, count), (batch, shares, key) = state, inputs
        gradients, count = jax.grad(loss)(layers, batch, shares, key), count + 1
        # Adam (Kingma and Ba 2015, algorithm 1 with the corrections moved into the rate), with Keras' constants.
        means = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, means, gradients)
        squares = jax.tree.map(lambda s, g: 0.999 * s + 0.001 * g * g, squares, gradients)
        rate = 1e-3 * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        layers = jax.tree.map(lambda w, m, s: w - rate * m / (jnp.sqrt(s) + 1e-7), layers, means, squares)
        return (layers, means, squares, count), None

    def epoch(state: Any, batches: Any, key: Any, shares: Any) -> tuple[Any, tuple[Any, Any]]:
        state, _ = jax.lax.scan(step, state, (batches, shares, jax.random.split(key, len(shares))))
        logits = outputs(state[0], x_validation)
        hits = jnp.argmax(logits, axis=-1) == y_validation
        return state, (cross_entropy(logits, y_validation).mean(), hits.mean())

    return epoch
