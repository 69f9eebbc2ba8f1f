"""Requests drawn from the OpenAPI document, valid and not: whatever is sent, the server answers it and breaks on none."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")
pytest.importorskip("schemathesis", reason="schemathesis is not installed")
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.generation import GenerationMode

from cardwise.web.app import create_app

EXAMPLES = 12
SLOW = {"/api/article"}
"""Takes no input and seconds."""
PATHS = (
    "/api/plan", "/api/explain", "/api/simulate", "/api/deploy", "/api/cards", "/api/model", "/api/validate", "/api/read", "/api/charts",
    "/api/models", "/api/accuracy", "/api/names", "/api/messages", "/api/progress/{id}", "/api/article", "/api/charts/bundle.js",
)  # fmt: skip


@pytest.fixture(scope="module")
def operations() -> dict[str, Any]:
    schema = schemathesis.openapi.from_dict(create_app().openapi())
    return {operation.ok().path: operation.ok() for operation in schema.get_all_operations()}


def test_every_route_is_in_the_document(operations: dict[str, Any]) -> None:
    assert sorted(operations) == sorted(PATHS)


@pytest.mark.parametrize("path", [path for path in PATHS if path not in SLOW])
def test_no_request_breaks_the_server(served: str, operations: dict[str, Any], path: str) -> None:
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        asks(served, operations[path].as_strategy(generation_mode=mode))


def asks(address: str, strategy: Any) -> None:
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=strategy)
    def one(case: Any) -> None:
        answer = case.call(base_url=address, timeout=30)
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400 and "json" in answer.headers.get("content-type", [""])[0]:
            assert "\n" not in answer.json()["error"]

    with contextlib.suppress(Unsatisfiable):  # a route without input has nothing that could be wrong with it
        one()
