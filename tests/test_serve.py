"""`cardwise serve`: what it says at the start, what it refuses to start with, and a client that goes away."""

from __future__ import annotations

import http.client
import json
import sys
import time
from typing import Any
from urllib.parse import urlsplit

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")
import uvicorn

from cardwise.cli import run


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The applications that would have been served."""
    found: list[Any] = []
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: (found.append(self.config), [one.close() for one in sockets]))
    return found


def test_the_extra_is_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert run(["serve"]) == 2
    assert capsys.readouterr().err.strip().endswith("pip install 'cardwise[serve]'")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "70000"], "port is 70000"),
        (["--port", "-1"], "port is -1"),
        (["--workers", "0"], "workers is 0"),
        (["--host", "203.0.113.9"], "cannot listen at 203.0.113.9"),
        (["--facts", "no-such-file.toml"], "no-such-file.toml"),
    ],
)
def test_what_it_cannot_start_with_is_one_line(
    started: list[Any], capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert run(["serve", *arguments]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1 and not started


def test_this_machine_alone_is_the_default(started: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", "--port", "0"]) == 0
    said = capsys.readouterr()
    assert "http://127.0.0.1:" in said.out and said.err == "" and len(started) == 1


def test_small_answers_are_not_held_back(served: str) -> None:
    """Nagle's algorithm and a client's delayed acknowledgement together would hold each of them up for 40 ms."""
    at = http.client.HTTPConnection(urlsplit(served).netloc, timeout=10)
    times = []
    for _ in range(9):
        start = time.perf_counter()
        at.request("GET", "/static/dom.js")
        at.getresponse().read()
        times.append(time.perf_counter() - start)
    at.close()
    assert sorted(times)[4] < 0.03


def test_another_host_is_told_what_it_means(started: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", "--host", "0.0.0.0", "--port", "0"]) == 0
    assert "no password and no encryption" in capsys.readouterr().err


def state(address: str, job: str) -> str:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    connection.request("GET", f"/api/progress/{job}")
    found: str = json.loads(connection.getresponse().read())["state"]
    connection.close()
    return found


LONG = {
    "limits": {"model": "llama-2-70b", "cards": "all", "rate": 3.5, "ttft": 400, "tpot": 40},
    "training": {"model": "deepseek-v3", "cards": "all", "training": {"tokens": "2T"}},
}
"""Questions that take seconds."""


@pytest.mark.parametrize("kind", LONG)
def test_a_question_whose_client_leaves_is_given_up(served: str, kind: str) -> None:
    """Two seconds after the client left, nothing of it runs."""
    job = f"leaver-{kind}"
    asking = http.client.HTTPConnection(urlsplit(served).netloc, timeout=10)
    asking.request("POST", "/api/plan", json.dumps(LONG[kind]), {"content-type": "application/json", "x-cardwise-job": job})
    for _ in range(50):
        if state(served, job) == "running":
            break
        time.sleep(0.05)
    assert state(served, job) == "running"
    asking.close()
    time.sleep(2.0)
    assert state(served, job) == "unknown"


def test_a_body_that_is_too_large_is_told_so_though_the_client_still_sends(served: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(served).netloc, timeout=20)
    connection.request("POST", "/api/plan", b"x" * 5_000_000, {"content-type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 413 and "1,048,576 bytes" in json.loads(answer.read())["error"]
    connection.close()
