"""The limit on what a file may hold once it is unpacked or downloaded."""

from pathlib import Path

from pipeline.errors import InputError

# A few kilobytes can claim a thousand times as much as any machine has.
MOST_UNPACKED = 32 * 2**30


def check_unpacked(setting: str, path: str | Path, unpacked: int) -> None:
    """Check the bytes that a compressed file says it unpacks to, or that a download has.

    Raises:
        InputError: they are more than `MOST_UNPACKED`.
    """
    if unpacked > MOST_UNPACKED:
        raise InputError(
            f"{setting}: {path} unpacks to {unpacked / 2**30:.0f} GiB; {MOST_UNPACKED // 2**30} GiB are allowed"
        )
