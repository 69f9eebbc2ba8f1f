"""A JSON file that is one group of fields, read with a limit and refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cardwise.errors import BadFile

MAX_CONFIG_BYTES = 64 * 2**20


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file that is one group of fields. Raises BadFile for anything else, however broken."""
    try:
        size = path.stat().st_size
        if size > MAX_CONFIG_BYTES:
            raise BadFile(f"{path}: {size:,} bytes; a configuration of more than {MAX_CONFIG_BYTES:,} is not read")
        data = path.read_bytes()
    except OSError as error:
        raise BadFile(f"{path}: {error.strerror or type(error).__name__}") from None
    return fields_of(data, str(path))


def fields_of(data: bytes, path: str) -> dict[str, Any]:
    """The group of fields that a JSON text in memory holds; `path` names it in messages."""
    try:
        value = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadFile(f"{path}: not UTF-8 at byte {error.start:,}") from None
    except (ValueError, RecursionError) as error:
        raise BadFile(f"{path}: not valid JSON: {str(error)[:80]}") from None
    if not isinstance(value, dict):
        raise BadFile(f"{path}: holds no group of fields")
    return value
