"""Tables of text that fit the terminal: what does not fit side by side comes below, with the first column again."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

PROSE = 36
"""Columns that wrapped text needs at least."""
PADDING = 2
"""Columns between two cells: one that rich pads, and one that its box draws as a space."""


@dataclass(frozen=True, slots=True)
class Column:
    """A heading (lines) and a cell for every row. `key`: the column is repeated when a table is cut. `prose`: its cells may be wrapped."""

    heading: str
    cells: tuple[str, ...]
    align: Literal["left", "right"] = "right"
    key: bool = False
    prose: bool = False

    def natural(self) -> int:
        from rich.cells import cell_len

        widest = max(cell_len(line) for text in (self.heading, *self.cells) for line in text.split("\n"))
        return min(widest, PROSE) if self.prose else widest


def table(columns: Sequence[Column], width: int) -> str:
    """The columns as one table, or as several below each other when `width` is too small."""
    return "\n\n".join(_rendered(part, width) for part in cut(columns, width))


def cut(columns: Sequence[Column], width: int) -> list[list[Column]]:
    """Columns in parts that fit `width`, each beginning with the key columns."""
    keys = [column for column in columns if column.key]
    base = sum(column.natural() + PADDING for column in keys)
    parts: list[list[Column]] = []
    current, taken = list(keys), base
    for column in columns:
        if column.key:
            continue
        needed = column.natural() + PADDING
        if taken + needed > width and len(current) > len(keys):
            parts.append(current)
            current, taken = list(keys), base
        current.append(column)
        taken += needed
    return [*parts, current]


def _rendered(columns: Sequence[Column], width: int) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, PADDING - 1, 0, 0), collapse_padding=True)
    deepest = max(column.heading.count("\n") for column in columns)
    wrapping = any(column.prose for column in columns)
    for column in columns:
        heading = "\n" * (deepest - column.heading.count("\n")) + column.heading
        drawn.add_column(Text(heading), justify=column.align, overflow="fold", no_wrap=wrapping and not column.prose)
    for row in zip(*(column.cells for column in columns), strict=True):
        drawn.add_row(*(Text(cell) for cell in row))
    sink = io.StringIO()
    Console(file=sink, width=width, color_system=None, highlight=False, legacy_windows=False).print(drawn)
    return "\n".join(line.rstrip() for line in sink.getvalue().splitlines()).strip("\n")


def wrapped(text: str, width: int, indent: str = "") -> str:
    """A paragraph in lines of at most `width` columns; Chinese may break anywhere."""
    from rich.cells import cell_len

    lines, line = [], ""
    for piece in _pieces(text):
        if line.strip() and cell_len(line + piece.rstrip()) > width:
            lines.append(line.rstrip())
            line = indent + piece.lstrip()
        else:
            line += piece
    return "\n".join([*lines, line.rstrip()])


def _pieces(text: str) -> list[str]:
    """Words with the space after them; a Chinese character is a piece of its own."""
    pieces, word = [], ""
    for letter in text:
        if "\u2e80" <= letter <= "\uffef":
            pieces += [word] if word else []
            word = ""
            if letter in "，。；：、）」？！" and pieces:
                pieces[-1] += letter
            else:
                pieces.append(letter)
        else:
            word += letter
            if letter == " ":
                pieces.append(word)
                word = ""
    return [*pieces, word] if word else pieces
