"""The house: imports run downward only, modules stay readable, the core stays light."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "cardwise"
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_LINES = 400

# Room -> floor. A room may import rooms of a lower floor; rooms of one floor do not know each other.
GROUND, NOUNS = 0, 1
FLOORS = {
    "quantities": GROUND,
    "errors": GROUND,
    "nouns": NOUNS,
    "readers": 2,
    "catalogue": 2,
    "measuring": 2,
    "laws": 3,
    "passes": 4,
    "serving": 5,
    "tracing": 5,
    "calibration": 6,
    "planning": 7,
    "reports": 8,
    "deploy": 8,
    "web": 9,
    "commands": 10,
    "cli": 11,
    "__main__": 12,
    "__init__": 12,
}
# Laws get facts as arguments and load nothing; of what is measured only the calibration knows.
NEVER = {"laws": {"readers", "catalogue", "measuring"}, "passes": {"measuring"}, "serving": {"measuring"}, "planning": {"measuring"}}
THIRD_PARTY = {"nouns": {"numpy"}, "laws": {"numpy"}, "passes": {"numpy"}, "serving": {"numpy"}, "quantities": set(), "errors": set()}


def room(parts: tuple[str, ...]) -> str:
    """The room of a module of the package, by its path below `cardwise`. A file of its own at the top is a noun."""
    return parts[0] if len(parts) > 1 or parts[0] in FLOORS or (PACKAGE / parts[0]).is_dir() else "nouns"


def module_room(path: Path) -> str:
    return room(path.relative_to(PACKAGE).with_suffix("").parts)


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that a file imports, at any depth of the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno} imports relatively; write the whole name"
            if node.module == "cardwise":
                yield from ((node.lineno, f"cardwise.{alias.name}") for alias in node.names if not alias.name.startswith("__"))
            else:
                yield node.lineno, node.module or ""


def own_imports(path: Path) -> Iterator[tuple[int, str, str]]:
    for line, name in imported(path):
        if name.startswith("cardwise."):
            yield line, name, room(tuple(name.split(".")[1:]))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_run_downward(path: Path) -> None:
    here = module_room(path)
    assert here in FLOORS, f"{here} has no floor in the house; give it one in this test"
    for line, name, there in own_imports(path):
        where = f"{path.relative_to(PACKAGE)}:{line} imports {name}"
        assert there in FLOORS, f"{where}, which has no floor in the house"
        assert there == here or FLOORS[there] < FLOORS[here], f"{where}: {there} is not below {here}"
        assert there not in NEVER.get(here, set()), f"{where}: {here} never sees {there}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_the_core_stands_on_numpy_alone(path: Path) -> None:
    allowed = THIRD_PARTY.get(module_room(path))
    for line, name in imported(path):
        top = name.split(".")[0]
        if allowed is not None and top not in {"cardwise", *sys.stdlib_module_names}:
            assert top in allowed, f"{path.relative_to(PACKAGE)}:{line} imports {top}"
        heavy = {"pandas", "ray"} if module_room(path) == "tracing" else {"torch", "transformers", "diffusers", "pandas", "ray"}
        assert top not in heavy, f"{path.relative_to(PACKAGE)}:{line} imports {top}"


def test_no_module_is_too_long() -> None:
    lengths = {path.relative_to(PACKAGE).as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


def test_nouns_form_no_circle() -> None:
    """Files at the top may know each other, in one direction."""
    nouns = {path.stem: {name.split(".")[1] for _, name, there in own_imports(path) if there == "nouns"}
             for path in PACKAGE.glob("*.py") if module_room(path) == "nouns"}  # fmt: skip
    while nouns:
        free = [name for name, needs in nouns.items() if not needs & nouns.keys()]
        assert free, f"these modules import each other in a circle: {sorted(nouns)}"
        for name in free:
            del nouns[name]


def test_the_check_sees_what_is_wrong(tmp_path: Path) -> None:
    probe = tmp_path / "probe.py"
    probe.write_text(
        "def late():\n    from cardwise.catalogue import load\n    from cardwise import planning, __version__\nimport cardwise.errors\n"
    )
    found = [(name, there) for _, name, there in own_imports(probe)]
    assert sorted(found) == [("cardwise.catalogue", "catalogue"), ("cardwise.errors", "errors"), ("cardwise.planning", "planning")]
