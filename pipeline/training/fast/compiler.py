"""How XLA compiles the graphs: by flags in the environment, which it reads when a process compiles its first."""

import os

# Loops unrolled gain nothing in kernels as small as these, and cost a fifth of the time to compile.
NOT_UNROLLED = "--xla_backend_extra_options=xla_cpu_disable_loop_unrolling"
# XLA's older emitter of kernels and simpler passes, all kernels in one module: a graph of digits compiles in a third of
# the time (0.2 to 0.6 s instead of 0.6 to 1.8), and trains a third slower. The results differ in rounding alone.
QUICK = (
    "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1 --xla_backend_optimization_level=1"
)
# Rows that a training of all seeds and epochs goes through, below which it costs less to compile less well.
FEW_ROWS = 500_000


def compile_for(rows: int) -> None:
    """Choose how well this process compiles by the rows that a training goes through, all seeds and epochs of it."""
    if rows < FEW_ROWS:
        add_flags(QUICK)


def add_flags(flags: str) -> None:
    """Give XLA flags beside those that there are, which count where the two contradict each other."""
    given = os.environ.get("XLA_FLAGS", "")
    if flags not in given:
        os.environ["XLA_FLAGS"] = f"{flags} {given}".strip()  # the last of two counts
