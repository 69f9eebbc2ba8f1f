"""The outputs in the READMEs are real: `CARDWISE_GOLDEN=write python -m pytest tests/test_readme.py` writes them anew after a fit.

A block follows `<!-- run N: command -->` and holds the first N lines of what the command prints at 100 columns.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from cardwise.cli import run
from cardwise.planning.shipped import accuracy_table

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"<!-- run (\d+): cardwise (.+?) -->\n```\n(.*?)```", re.DOTALL)
TABLE = re.compile(r"<!-- accuracy table -->\n(?:\n\|.*?\n(?=\n))?", re.DOTALL)
FILES = ("README.md", "README.zh.md")
HEADINGS = {
    "README.md": ("", "macro error", "as fitted", "a card family left out", "a source left out"),
    "README.zh.md": ("", "宏平均误差", "拟合后", "留出一个显卡系列", "留出一个来源"),
}


def printed(command: str, lines: int, capsys: pytest.CaptureFixture[str]) -> str:
    assert run(shlex.split(command)) == 0
    return "".join(f"{line}\n" for line in capsys.readouterr().out.splitlines()[:lines])


def accuracy(name: str) -> str:
    """The table of macro errors as Markdown, from what the fit says of itself."""
    fit = dict(accuracy_table().fit)
    _, row, *columns = HEADINGS[name]
    values = [f"{float(fit[key]):.1%}" for key in ("macro_error_fitted", "macro_error_card_out", "macro_error_source_out")]
    return f"\n| | {' | '.join(columns)} |\n| --- | ---: | ---: | ---: |\n| {row} | {' | '.join(values)} |\n"


@pytest.mark.parametrize("name", FILES)
def test_outputs_are_real(name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    path = ROOT / name
    text = path.read_text(encoding="utf-8")
    if os.environ.get("CARDWISE_GOLDEN") == "write":
        new = BLOCK.sub(
            lambda m: f"<!-- run {m[1]}: cardwise {m[2]} -->\n```\n$ cardwise {m[2]}\n{printed(m[2], int(m[1]), capsys)}```", text
        )
        path.write_text(TABLE.sub(lambda _: f"<!-- accuracy table -->\n{accuracy(name)}", new), encoding="utf-8")
        text = path.read_text(encoding="utf-8")
    blocks = BLOCK.findall(text)
    assert len(blocks) == 4
    for lines, command, block in blocks:
        now = printed(command, int(lines), capsys)
        worded = [line.strip() for line in block.splitlines()[1:] if line.strip() and not re.search(r"\d", line)]
        assert worded and all(line in {other.strip() for other in now.splitlines()} for line in worded)


@pytest.mark.parametrize("name", FILES)
def test_links_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (ROOT / target).exists(), f"{name} links to {target}"


def test_commands_in_the_text_run(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = [line.split("#")[0].strip() for line in text.splitlines() if line.startswith("    cardwise ")]
    commands = [command for command in commands if "./my-model" not in command and "--cards all" not in command]
    assert len(commands) >= 5
    for command in commands:
        assert run(shlex.split(command)[1:]) == 0, command
        capsys.readouterr()
