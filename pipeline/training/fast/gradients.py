"""A mend for TensorFlow, which keeps every graph that has a custom gradient in memory for good."""

from collections.abc import Iterator
from contextlib import contextmanager

# Private: TensorFlow has no public way to forget a registered gradient. A test fails when this way is gone.
from tensorflow.python.framework import ops


@contextmanager
def gradients_forgotten() -> Iterator[None]:
    """Trace a graph that is not differentiated later, so that it leaves the memory when nobody needs it any longer.

    `tf.custom_gradient`, which Keras' optimizers and some activations use too, registers a function that holds the
    graph it is called in, and TensorFlow forgets none: 4,000 objects each, which slow down every garbage collection.
    """
    registered = ops.gradient_registry._registry
    before = set(registered)
    try:
        yield
    finally:
        # Modules of TensorFlow that were imported meanwhile have registered gradients too, under other names.
        for name in {name for name in registered if name.startswith("CustomGradient-")} - before:
            del registered[name]
