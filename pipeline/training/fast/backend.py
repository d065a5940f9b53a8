"""TensorFlow and Keras, imported without the notes about drivers and instruction sets that they write to stderr."""

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.training.fast.compiler import NOT_UNROLLED, add_flags

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

add_flags(NOT_UNROLLED)


@contextmanager
def _stderr_held_back() -> Iterator[None]:
    # The notes come from C++ before its log levels are read, so only the file descriptor itself can stop them.
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(stderr, held.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


with _stderr_held_back():
    import keras
    import tensorflow as tf
    from tensorflow.python.framework import ops

# What is imported stays, and need not be looked through at each garbage collection: a fifth of the time of tracing.
gc.freeze()

# Its warnings are about retracing, which here is one graph per structure, on purpose.
tf.get_logger().setLevel("ERROR")

__all__ = ["gradients_forgotten", "keras", "tf"]


@contextmanager
def gradients_forgotten() -> Iterator[None]:
    """Trace a graph that is not differentiated later; it then leaves the memory when nobody needs it any longer.

    `tf.custom_gradient`, which Keras' optimizers and some activations use too, registers a function that holds the
    graph it is called in, and TensorFlow forgets none: 4,000 objects each, which slow down every garbage collection.
    """
    registered = ops.gradient_registry._registry
    before = set(registered)
    try:
        yield
    finally:
        # Not those that a module of TensorFlow's has registered, imported meanwhile.
        for name in {name for name in registered if name.startswith("CustomGradient-")} - before:
            del registered[name]
