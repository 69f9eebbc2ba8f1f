"""The only place that writes an answer: text as it is, JSON as one document."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from typing import Any

from cardwise.errors import BadInput

LANGUAGES = ("en", "zh")


def check_language(lang: str) -> str:
    """`lang` when it is known. Raises BadInput."""
    if lang not in LANGUAGES:
        raise BadInput(f"language is {lang!r}; it must be one of {', '.join(LANGUAGES)}")
    return lang


def width() -> int:
    """Columns of the terminal; 120 where there is none."""
    return max(shutil.get_terminal_size((120, 24)).columns, 40)


def write(text: str) -> None:
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
    sys.stdout.flush()


def write_json(record: Mapping[str, Any]) -> None:
    write(json.dumps(record, ensure_ascii=False, indent=2, allow_nan=False))
