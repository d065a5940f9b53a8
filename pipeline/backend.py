"""TensorFlow and Keras, imported without the notes about drivers and instruction sets that they write to stderr."""

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# For XLA, which compiles the graphs and reads its flags when it compiles the first. Loops unrolled gain nothing in
# kernels as small as these, and cost a fifth of the time to compile.
NOT_UNROLLED = "--xla_backend_extra_options=xla_cpu_disable_loop_unrolling"
# XLA's older emitter of kernels and simpler passes, all kernels in one module: a graph of digits compiles in a third of
# the time (0.2 to 0.6 s instead of 0.6 to 1.8), and trains a third slower. The results differ in rounding alone.
QUICK = (
    "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1 --xla_backend_optimization_level=1"
)
# Rows that a training of all seeds and epochs goes through, below which it costs less to compile less well.
FEW_ROWS = 500_000


def _add_flags(flags: str) -> None:
    given = os.environ.get("XLA_FLAGS", "")
    if flags not in given:
        os.environ["XLA_FLAGS"] = f"{flags} {given}".strip()  # of two that contradict each other the last counts


_add_flags(NOT_UNROLLED)


def compile_for(rows: int) -> None:
    """Choose how graphs are compiled in this process, before the first is, by the rows that a training goes through."""
    if rows < FEW_ROWS:
        _add_flags(QUICK)


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

__all__ = ["compile_for", "keras", "tf"]
