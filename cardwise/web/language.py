"""Errors in the language of the request: Accept-Language, as browsers and clients say it. Documents are the same in all languages."""

from __future__ import annotations

import gzip
import json
from collections.abc import MutableMapping
from typing import Any

from cardwise.reports.words import words
from cardwise.web.guard import App, Message, Receive, Scope, Send

ENGLISH, CHINESE = "en", "zh"
FAILED = 400


def language(accepted: str) -> str:
    """`zh` when Chinese is preferred to English in an Accept-Language, else `en`."""
    found: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, _, weight = part.strip().partition(";q=")
        try:
            found[name.partition("-")[0]] = max(float(weight or 1), found.get(name.partition("-")[0], 0.0))
        except ValueError:
            continue
    return CHINESE if found.get(CHINESE, 0.0) > found.get(ENGLISH, 0.0) else ENGLISH


class Languages:
    """Translates the one line under `error` of whatever fails, wherever it was refused."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = b""
        if scope["type"] == "http":
            asked = next((value for name, value in scope["headers"] if name == b"accept-language"), b"")
        lang = language(asked.decode("latin-1"))
        await self.app(scope, receive, send if lang == ENGLISH else Translated(send, lang))


class Translated:
    """A `send` that holds a failure back until its body is whole."""

    def __init__(self, send: Send, lang: str) -> None:
        self.send, self.lang = send, lang
        self.start: Message | None = None
        self.pieces: list[bytes] = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= FAILED and _headers(message).get(b"content-type") == JSON:
            self.start = message
        elif self.start is None:
            await self.send(message)
        else:
            self.pieces.append(message.get("body", b""))
            if not message.get("more_body"):
                await self._translated(self.start)

    async def _translated(self, start: Message) -> None:
        headers = _headers(start)
        packed = headers.get(b"content-encoding") == b"gzip"
        body = b"".join(self.pieces)
        record = json.loads(gzip.decompress(body) if packed else body)
        if isinstance(record, dict) and isinstance(record.get("error"), str):
            record["error"] = words(self.lang).said(record["error"])
            body = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
            body = gzip.compress(body, mtime=0) if packed else body
            headers[b"content-length"], headers[b"content-language"] = str(len(body)).encode(), self.lang.encode()
        await self.send({**start, "headers": list(headers.items())})
        await self.send({"type": "http.response.body", "body": body})


JSON = b"application/json"


def _headers(message: Message) -> MutableMapping[bytes, Any]:
    return {name.lower(): value for name, value in message.get("headers", ())}
