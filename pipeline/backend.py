"""TensorFlow and Keras, imported without the notes about drivers and instruction sets that they write to stderr."""

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.compiler import NOT_UNROLLED, add_flags

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

# What is imported stays, and need not be looked through at each garbage collection: a fifth of the time of tracing.
gc.freeze()

# Its warnings are about retracing, which here is one graph per structure, on purpose.
tf.get_logger().setLevel("ERROR")

__all__ = ["keras", "tf"]
