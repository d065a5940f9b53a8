"""The dashboard answers for this machine alone."""

import pytest

from experiments.search.dashboard import for_this_machine


def answer(host: str) -> tuple[list[str], list[bytes]]:
    """Return the status and the body that a request for a host gets."""
    statuses: list[str] = []

    def dashboard(_: object, start) -> list[bytes]:
        start("200 OK", [])
        return [b"shown"]

    body = for_this_machine(dashboard)({"HTTP_HOST": host}, lambda status, _: statuses.append(status))
    return statuses, list(body)


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "localhost", "[::1]:8080"])
def test_requests_of_this_machine_are_answered(host):
    assert answer(host) == (["200 OK"], [b"shown"])


@pytest.mark.parametrize("host", ["evil.example:8080", "localhost.evil.example", "", "10.0.0.1"])
def test_requests_under_another_name_are_refused(host):
    assert answer(host)[0] == ["403 Forbidden"]
