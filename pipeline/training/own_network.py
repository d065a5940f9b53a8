"""A network of the user's own: the function that `model.build` names, and whether its network can be trained here."""

import importlib.util
from collections import Counter
from collections.abc import Callable

import keras

from pipeline.data.examples import Problem
from pipeline.errors import InputError
from pipeline.settings import Model
from pipeline.training.stacked import AS_THEY_ARE, FORMS, GENERAL, ONE_BY_ONE
from pipeline.training.strengths import Penalty
from pipeline.training.structure import source_file

KNOWN = {keras.layers.InputLayer, *FORMS, *AS_THEY_ARE, *GENERAL, *ONE_BY_ONE}


def own_network(model: Model, problem: Problem) -> keras.Model:
    """Call the function of `model.build`, and check what it returns.

    Raises:
        InputError: there is no such function, it fails, or its network cannot be trained.
    """
    build = str(model.build)
    try:
        network = _function(build)(model, problem)
    except InputError:
        raise
    except Exception as err:  # whatever the user's function raises is the user's to mend
        raise InputError(f"model.build {build}: {type(err).__name__}: {err}") from err
    if (fault := _fault(network, problem)) is not None:
        raise InputError(f"model.build {build}: {fault}")
    return _renamed(network)


def _renamed(network: keras.Model) -> keras.Model:
    """Return the network with layers named by kind and order: Keras' own names differ from one call to the next."""
    kinds: Counter[str] = Counter()

    def renamed(layer: keras.layers.Layer) -> keras.layers.Layer:
        kind = type(layer).__name__.lower()
        kinds[kind] += 1
        return type(layer).from_config(layer.get_config() | {"name": f"{kind}_{kinds[kind]}"})

    # A Sequential would put its own name before those of its layers.
    functional = keras.Model(*network.inputs, *network.outputs, name="network")
    rows = keras.Input(network.inputs[0].shape[1:], name="rows")
    return keras.models.clone_model(functional, rows, clone_function=renamed)


def _function(build: str) -> Callable[[Model, Problem], keras.Model]:
    path, name = source_file(build), build.rpartition(":")[2]
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None  # a file that ends in .py, as the settings demand, has both
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not callable(function := getattr(module, name, None)):
        raise InputError(f"model.build {build}: {path} has no function {name}")
    return function


def _fault(network: object, problem: Problem) -> str | None:
    """Return the reason why a network cannot be trained here, or None."""
    if not isinstance(network, keras.Model):
        return f"the function must return a keras.Model, got {type(network).__name__}"
    if not network.built or not network.inputs:  # a subclass of keras.Model has no graph of layers
        return "the network must be made with keras.Sequential and a keras.Input, or with the functional API"
    shapes = [tuple(tensor.shape) for tensor in (*network.inputs, *network.outputs)]
    wanted = [(None, problem.n_features), (None, problem.n_outputs)]
    if shapes != wanted:
        return f"the network must take rows {wanted[0]} and give {wanted[1]}, got {', '.join(map(str, shapes))}"
    last = network.layers[-1]
    if getattr(last, "activation", None) in (keras.activations.softmax, keras.activations.sigmoid):
        return f"layer {last.name} must give logits: leave its {last.activation.__name__} out"
    for operation in getattr(network, "operations", ()):  # a Sequential has layers alone
        if not isinstance(operation, keras.layers.Layer):
            return f"{operation.name} is an operation; take a layer in its place, such as keras.layers.Add for +"
    for layer in network.layers:
        if type(layer) not in KNOWN:
            names = ", ".join(sorted(known.__name__ for known in KNOWN))
            return f"layer {layer.name} is of a kind that is not trained here, {type(layer).__name__}; allowed: {names}"
        if isinstance(getattr(layer, "activation", None), keras.layers.Layer):
            return f"layer {layer.name} has a layer for its activation; put that layer after it"
        if getattr(layer, "activity_regularizer", None) is not None:
            return f"layer {layer.name} has an activity regularizer, which is not trained with"
        if isinstance(layer, keras.layers.BatchNormalization) and (layer.renorm or layer.axis != -1):
            return f"layer {layer.name} must have axis -1 and no renorm"
    for variable in network.trainable_variables:
        if not isinstance(variable.regularizer, Penalty | None):
            return f"weight {variable.path} has a regularizer other than L1, L2 and L1L2"
    if twice := [path for path, times in Counter(v.path for v in network.weights).items() if times > 1]:
        return f"two weights have the name {twice[0]}"
    return None
