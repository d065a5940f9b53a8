"""Optuna's dashboard of the searches in the browser of this machine: `python -m experiments.search.dashboard`.

A page of another site that the browser shows cannot reach it under a name of its own (DNS rebinding), since requests
for other hosts than this machine are refused.
"""

import argparse
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import optuna_dashboard

from experiments.search import storage
from pipeline.errors import InputError, run_stage
from pipeline.params import read_settings

HOST = "127.0.0.1"
LOOPBACK = (HOST, "localhost", "::1")
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Write nothing; a line for each request would hide the address."""


def for_this_machine(application: Application) -> Application:
    """Return the application for requests of this machine, which refuses those for any other host."""

    def answer(request: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if urlsplit(f"//{request.get('HTTP_HOST', '')}").hostname in LOOPBACK:
            return application(request, start)
        start("403 Forbidden", [("Content-Type", "text/plain")])
        return [b"This dashboard answers under 127.0.0.1 and localhost alone.\n"]

    return answer


def main() -> None:
    """Show the dashboard until Ctrl-C.

    Raises:
        InputError: there is no search yet, or the port is taken.
    """
    parser = argparse.ArgumentParser(prog="python -m experiments.search.dashboard", description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=8080)
    port, url = parser.parse_args().port, read_settings().search.storage
    path = storage.journal_path(url)
    if path is not None and not path.exists():
        raise InputError(f"there is no {path} yet; `make repro` runs a search")
    application = for_this_machine(optuna_dashboard.wsgi(storage.open_storage(url)))
    try:
        server = make_server(HOST, port, application, _Server, _Quiet)
    except OSError as error:
        raise InputError(f"port {port} cannot be used: {error.strerror}; --port takes another") from None
    print(f"http://{HOST}:{port} shows the searches; Ctrl-C ends it", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    run_stage(main)
