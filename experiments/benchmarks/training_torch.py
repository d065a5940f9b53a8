"""The peer that one writes by hand in PyTorch: the seeds' kernels stacked and multiplied by `baddbmm`, or by `vmap`."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from experiments.benchmarks.batches import check_plain, glorot, orders
from experiments.benchmarks.training import Answer, answer, problem_of, read_rows
from pipeline.settings import Model, Train

Layers = list[tuple[Any, Any]]
Outputs = Callable[[Layers, Any, float], Any]


def stacked(task: Answer) -> Answer:
    """Train all seeds of the task side by side, a layer of all of them as one `baddbmm`; see `training`."""

    def outputs(layers: Layers, x: Any, dropout: float) -> Any:
        for place, (kernel, bias) in enumerate(layers):
            x = torch.baddbmm(bias[:, None], x, kernel)
            if place < len(layers) - 1:
                x = functional.dropout(functional.relu(x), dropout, training=dropout > 0)
        return x

    return _train(task, outputs)


def vmapped(task: Answer) -> Answer:
    """Train all seeds of the task side by side, the network of one mapped over them by `torch.func.vmap`."""

    def of_seed(layers: Layers, x: Any, dropout: float) -> Any:
        for place, (kernel, bias) in enumerate(layers):
            x = functional.linear(x, kernel.T, bias)
            if place < len(layers) - 1:
                x = functional.dropout(functional.relu(x), dropout, training=dropout > 0)
        return x

    return _train(task, torch.func.vmap(of_seed, in_dims=(0, 0, None), randomness="different"))


def _train(task: Answer, outputs: Outputs) -> Answer:
    model, train = Model.model_validate(task["model"]), Train.model_validate(task["train"])
    check_plain(model)
    rows, validation = read_rows(task["rows"])
    sizes, seeds = [rows.x.shape[1], *model.hidden_units, problem_of(rows).n_outputs], task["seeds"]
    layers = [tuple(torch.tensor(part, requires_grad=True) for part in layer) for layer in glorot(sizes, seeds)]
    x, x_validation = torch.tensor(rows.x), torch.tensor(validation.x).expand(len(seeds), -1, -1)
    y, y_validation = torch.tensor(rows.y).long(), torch.tensor(validation.y).long().expand(len(seeds), -1)
    optimizer = torch.optim.Adam([part for layer in layers for part in layer], lr=1e-3, eps=1e-7, fused=True)
    stamps, accuracy = [time.perf_counter()], 0.0
    for batches, shares in orders(seeds, len(rows.x), train.batch_size, train.epochs):
        for batch, share in zip(torch.tensor(batches).unbind(1), torch.tensor(shares), strict=True):
            losses = _cross_entropy(outputs(layers, x[batch], model.dropout), y[batch])
            loss = (losses * share).sum()
            if model.l2:
                loss = loss + model.l2 * sum(kernel.square().sum() for kernel, _ in layers)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            logits = outputs(layers, x_validation, 0.0)
            _cross_entropy(logits, y_validation).mean(dim=1)
            accuracy = float((logits.argmax(dim=-1) == y_validation).float().mean())
        stamps.append(time.perf_counter())
    return answer(stamps, accuracy)


def _cross_entropy(logits: Any, labels: Any) -> Any:
    """Return the loss of each row, `[R, k]`."""
    return functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view_as(labels)
