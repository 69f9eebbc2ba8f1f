"""For all tests: the same examples on every run, no colours in captured text, no network beyond this machine."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

os.environ.update(NO_COLOR="1", TERM="dumb", COLUMNS="120")

settings.register_profile("house", derandomize=True, database=None, deadline=None)
settings.load_profile("house")

_LOCAL = ("127.0.0.1", "::1", "localhost")


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may leave the machine unless a person said --online: a connection to any other host fails the test."""
    connect = socket.socket.connect

    def local_only(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in _LOCAL:
            raise AssertionError(f"a test tried to reach {address[0]}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)


@pytest.fixture(scope="session")
def served() -> Iterator[str]:
    """The address of a `cardwise serve` of its own, on a free port."""
    command = [sys.executable, "-m", "cardwise.cli", "serve", "--port", "0", "--no-warm", "--workers", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None and server.stderr is not None
        line = server.stdout.readline()
        found = re.search(r"http://[\d.]+:\d+", line)
        try:
            assert found, line + (server.stderr.read() if server.poll() is not None else "")
            yield found[0]
        finally:
            server.terminate()
            server.wait(10)
