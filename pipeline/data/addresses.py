"""Files at an address, such as https:// or s3://, downloaded once through fsspec and kept under `data/raw/`."""

import hashlib
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pipeline.data.limits import check_unpacked
from pipeline.errors import InputError, without_password
from pipeline.files import written_whole

RAW = Path("data/raw")
TIMEOUT_SECONDS = 30


def is_address(source: str) -> bool:
    """Return whether a source is an address and no path."""
    return "://" in source


def file_name(source: str) -> str:
    """Return the path of a source, or the last part of an address' path, without what follows a question mark."""
    return unquote(urlsplit(source).path).rpartition("/")[2] if is_address(source) else source


def local_path(address: str) -> Path:
    """Return where the download of an address is kept; its name has a digest of the address, and its suffix."""
    name = re.sub(r"[^\w.-]", "_", file_name(address))
    return RAW / f"{hashlib.sha256(address.encode()).hexdigest()[:16]}-{name}"


def download(setting: str, address: str) -> Path:
    """Return the local copy of what is at an address, downloaded if there is none.

    Raises:
        InputError: the address cannot be reached, holds a password or too much.
    """
    shown, path = without_password(address), local_path(address)
    if shown != address:
        raise InputError(
            f"{setting} must not hold a password, which DVC and MLflow would record; got {shown}: use the variables "
            "or the configuration file of that storage"
        )
    if not path.exists():
        with written_whole(path) as beside:
            _fetch(setting, address, beside)
    return path


def _fetch(setting: str, address: str, path: Path) -> None:
    import fsspec  # with the client of HTTP it takes most of a second: only for a download
    from fsspec.callbacks import Callback

    options: dict[str, Any] = {}
    if address.startswith(("http://", "https://")):
        from aiohttp import ClientTimeout

        timeout = ClientTimeout(total=None, sock_connect=TIMEOUT_SECONDS, sock_read=TIMEOUT_SECONDS)
        options = {"client_kwargs": {"timeout": timeout}}
    limit = Callback(hooks={"limit": lambda _size, value, **_: check_unpacked(setting, address, value)})
    try:
        system, remote = fsspec.core.url_to_fs(address, **options)
        system.get_file(remote, str(path), callback=limit)
    except InputError:
        raise
    # Each kind of storage has errors of its own, which have no class in common.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{setting}: {address} could not be downloaded ({reason}); without a network, save it elsewhere and give "
            "its path"
        ) from None
