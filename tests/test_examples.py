"""The examples run as they stand and print something."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from cardwise.planning import facade

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        runpy.run_path(str(path), run_name="__main__")
    finally:
        facade.use_facts([])
    assert len(capsys.readouterr().out.splitlines()) >= 2
