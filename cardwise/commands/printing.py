"""The only place that writes an answer: text as it is, JSON as one document."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from cardwise.errors import BadInput

LANGUAGES = ("en", "zh")


def check_language(lang: str) -> str:
    """`lang` when it is known. Raises BadInput."""
    if lang not in LANGUAGES:
        raise BadInput(f"language is {lang!r}; it must be one of {', '.join(LANGUAGES)}")
    return lang


def language_of(arguments: Sequence[str]) -> str:
    """The language that a call asks for, read before its options are: an error of the options is told in it, too. English if unknown."""
    said = [after for name, after in zip(arguments, [*arguments[1:], ""], strict=True) if name == "--lang"]
    said += [argument.removeprefix("--lang=") for argument in arguments if argument.startswith("--lang=")]
    return said[-1] if said and said[-1] in LANGUAGES else LANGUAGES[0]


def tell(message: str, lang: str = LANGUAGES[0]) -> None:
    """One line on stderr. The catalogue of Chinese is loaded only where it is asked for."""
    if lang != LANGUAGES[0]:
        from cardwise.reports.words import words

        message = words(lang).said(message)
    sys.stderr.write(f"cardwise: {message}\n")


def width() -> int:
    """Columns of the terminal; 120 where there is none."""
    return max(shutil.get_terminal_size((120, 24)).columns, 40)


def write(text: str) -> None:
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
    sys.stdout.flush()


def write_json(record: Mapping[str, Any]) -> None:
    write(json.dumps(record, ensure_ascii=False, indent=2, allow_nan=False))
