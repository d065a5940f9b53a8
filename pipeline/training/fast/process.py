"""The changes that stages and workers make to their process so that it trains fast; the library makes none."""

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

# Loops unrolled gain nothing in kernels as small as these, and cost a fifth of the time to compile.
NOT_UNROLLED = "--xla_backend_extra_options=xla_cpu_disable_loop_unrolling"
# XLA's older emitter of kernels and simpler passes, all kernels in one module: a graph of digits compiles in a third of
# the time (0.2 to 0.6 s instead of 0.6 to 1.8), and trains a third slower. The results differ in rounding alone.
QUICK = (
    "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1 --xla_backend_optimization_level=1"
)
# Rows that a seed goes through in all its epochs, below which it costs less to compile less well.
FEW_ROWS = 100_000


def configure() -> None:
    """Import TensorFlow without the notes that it writes to standard error, and set how XLA compiles.

    To be called before anything else imports TensorFlow, once in a process; a second call does nothing new.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    add_flags(NOT_UNROLLED)
    if "tensorflow" in sys.modules:
        return
    with _stderr_held_back():
        import keras  # noqa: F401
        import tensorflow as tf
    # Imported modules stay in memory. Garbage collections that skip them save a fifth of the time of tracing.
    gc.freeze()
    tf.get_logger().setLevel("ERROR")  # see `quiet`


@contextmanager
def quiet() -> Iterator[None]:
    """Let TensorFlow give no warnings meanwhile: they are about retracing, and here each structure has its graph."""
    import tensorflow as tf

    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)


def compile_for(rows: int) -> None:
    """Choose how well this process compiles, by the rows that a seed goes through in all its epochs.

    To be called before the first graph is compiled. A trial and an arm of the same settings, which differ in the number
    of their seeds, are compiled alike.
    """
    if rows < FEW_ROWS:
        add_flags(QUICK)


def add_flags(flags: str) -> None:
    """Give XLA flags beside those in the environment, which count where the two contradict each other."""
    present = os.environ.get("XLA_FLAGS", "")
    if flags not in present:
        os.environ["XLA_FLAGS"] = f"{flags} {present}".strip()  # the last of two counts


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
