"""The page's own files, read once at the start: a request chooses among them by name and reaches no file system."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).with_name("static")
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Shipped:
    """One file as it goes over the wire: compressed, with its type and a tag of its contents."""

    body: bytes
    type: str
    tag: str


def shipped_text(text: bytes, kind: str) -> Shipped:
    return Shipped(gzip.compress(text, 9, mtime=0), kind, f'"{hashlib.sha256(text).hexdigest()[:24]}"')


@lru_cache(maxsize=1)
def shipped() -> Mapping[str, Shipped]:
    """All files of the page by name."""
    return {path.name: shipped_text(path.read_bytes(), TYPES[path.suffix]) for path in sorted(FOLDER.iterdir()) if path.suffix in TYPES}
