"""The page's own files, read once at the start: a request chooses among them by name and reaches no file system."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cardwise.reports.sentences import FITS, LONGEST, MOST_MARKS
from cardwise.reports.words import words

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


@lru_cache(maxsize=2)
def spoken(lang: str) -> Shipped:
    """The texts of a language, and its catalogue of what the library says: as it is, and as templates."""
    say = words(lang)
    templates = [[one.pieces, one.names, one.kinds, one.translated] for one in say.sentences.open]
    limits = {"longest": LONGEST, "most_marks": MOST_MARKS}
    body = {"texts": dict(say.texts), "fixed": dict(say.sentences.fixed), "templates": templates, "fits": FITS, **limits}
    text = json.dumps(body, ensure_ascii=False)
    return shipped_text(text.encode("utf-8"), "application/json")


@lru_cache(maxsize=1)
def script(packed: bytes) -> Shipped:
    """The script that a worker sent in a document."""
    return shipped_text(json.loads(gzip.decompress(packed))["script"].encode("utf-8"), TYPES[".js"])
