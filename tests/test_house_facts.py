"""Facts are data, laws are code: every number of the data has a source, and the code holds no number of the world."""

from __future__ import annotations

import ast
import csv
import math
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "cardwise"
CODE = sorted(path for name in ("laws", "passes", "serving") for path in (PACKAGE / name).rglob("*.py"))
TOML = sorted((PACKAGE / "catalogue").rglob("*.toml"))
CSV = sorted((PACKAGE / "catalogue").rglob("*.csv"))
SMALL = 1000
UNITS = {3600, 8760, 86_400, 604_800}  # seconds of an hour, hours of a year, seconds of a day and of a week


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def allowed(number: float) -> bool:
    """A number of mathematics or of units: small, a power of two or of ten, an hour, a year."""
    size = abs(number)
    return (
        not math.isfinite(size) or size <= SMALL or size in UNITS or math.log2(size).is_integer() or 10.0 ** round(math.log10(size)) == size
    )


def large_numbers(text: str) -> list[tuple[int, float]]:
    constants = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant))
    return sorted((node.lineno, node.value) for node in constants if type(node.value) in (int, float) and not allowed(node.value))


@pytest.mark.parametrize("path", CODE, ids=short)
def test_the_laws_hold_no_number_of_the_world(path: Path) -> None:
    assert large_numbers(path.read_text(encoding="utf-8")) == [], "a card, price or model number belongs into the data, with its source"


def test_large_numbers_are_found() -> None:
    assert large_numbers("a = 24564 * 2**20\nb = 1_000_000 + 4096 + 3600 + 0.5\nc = 312e12\n") == [(1, 24564), (3, 312e12)]


def is_number(value: Any) -> bool:
    return type(value) in (int, float) or (isinstance(value, list) and any(is_number(item) for item in value))


def unsourced(table: dict[str, Any], place: str = "", has_source: bool = False) -> Iterator[str]:
    """Dotted names of the numbers that no table on their way gives a source, or the rule by which they are derived."""
    has_source = has_source or any(table.get(key) for key in ("source", "sources", "rule"))
    for key, value in table.items():
        name = f"{place}.{key}" if place else key
        if isinstance(value, dict):
            yield from unsourced(value, name, has_source)
        elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
            for index, item in enumerate(value):
                yield from unsourced(item, f"{name}[{index}]", has_source)
        elif is_number(value) and not has_source:
            yield name


@pytest.mark.parametrize("path", TOML, ids=short)
def test_every_number_has_a_source(path: Path) -> None:
    assert list(unsourced(tomllib.loads(path.read_text(encoding="utf-8")))) == []


def test_a_number_without_a_source_is_found() -> None:
    text = 'a = 1\n[b]\nsource = "sheet"\nc = 2\n[b.d]\ne = 3\n[f]\nsource = ""\ng = [4]\nname = "x"\n[[h]]\ni = 5\nj = ["k"]\n'
    assert list(unsourced(tomllib.loads(text))) == ["a", "f.g", "h[0].i"]


@pytest.mark.parametrize("path", CSV, ids=short)
def test_every_row_has_a_source(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        columns = [name for name in rows.fieldnames or () if name in ("source", "source_id")]
        if path.parent.name == "calibration":  # written by the fit, whose passport names program, data and date for all of them
            assert tomllib.loads((path.parent / "fit.toml").read_text(encoding="utf-8"))["source"]
            return
        assert columns, "a table of facts has a column `source`"
        assert [rows.line_num for row in rows if not any(row[name] for name in columns)] == []


def tracked() -> list[Path]:
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name]


REGISTRY = re.compile(r"files\.pythonhosted\.org|pypi\.org/simple|registry\.npmjs\.org|(?<!\S)--(?:extra-)?index-url|(?<!\S)--find-links")
# A place on one machine. The cache of the model hub inside a container is no such place.
MACHINE_PATH = re.compile(r"(?<![\w.:/~-])/(?:home|root|Users|opt|mnt)/(?!\.cache/huggingface)\w")


def test_no_registry_and_no_place_on_one_machine() -> None:
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        found += [f"{short(path)}: {match.group()}" for pattern in (REGISTRY, MACHINE_PATH) for match in pattern.finditer(text)]
    assert found == []


def test_locks_pin_every_release() -> None:
    for path in sorted(ROOT.glob("requirements*.lock")):
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
        assert lines and all(re.fullmatch(r"[\w.-]+==[\w.]+(?: ; .+)?", line) for line in lines), path.name
    run, dev, fit = (set((ROOT / f"requirements{kind}.lock").read_text().splitlines()[1:]) for kind in ("", "-dev", "-fit"))
    assert run < dev < fit, "the larger locks repeat the pins of the smaller ones"
