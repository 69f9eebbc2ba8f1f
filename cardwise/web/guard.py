"""What every request passes: who may ask, how much a body may hold and how long it may take, and the headers of every response.

Three layers of plain ASGI. A body is read here, whole and within its limit, before anything else sees it; nothing goes to disk.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from cardwise.web.limits import Limits

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

DRAINED = 8
"""A body of up to so many times its limit is read to its end and thrown away: a client that still sends would not see why it is refused."""
UPLOADS = "/api/read"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)


class Headers:
    """Adds the security headers to whatever is answered."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name.lower() for name, _ in message.get("headers", ())}
                extra = [(name, value) for name, value in HEADERS if name not in names]
                if b"cache-control" not in names:
                    extra.append((b"cache-control", b"no-store"))
                message = {**message, "headers": [*message.get("headers", ()), *extra]}
            await send(message)

        await self.app(scope, receive, sent)


class Hosts:
    """Refuses a Host that is neither an address nor a name given at the start, so that no foreign name can be pointed at this server
    (DNS rebinding), and a request that another site's page makes."""

    def __init__(self, app: App, names: Iterable[str]) -> None:
        self.app, self.names = app, frozenset(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
            if not self.known(headers.get(b"host", "")):
                text = "this Host name is not served here; open the address that cardwise serve printed, or start it with --name"
                return await refuse(send, 421, text)
            if headers.get(b"sec-fetch-site", "none") == "cross-site" and scope["path"].startswith("/api/"):
                return await refuse(send, 403, "pages of other sites may not ask this server")
        await self.app(scope, receive, send)

    def known(self, host: str) -> bool:
        """`localhost:8765`, `127.0.0.1`, `[::1]:8765`, or one of the names."""
        name = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
        if name.lower() in self.names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


class Bodies:
    """Reads a body within its limit of bytes and of time, then hands it on as one piece. Few uploads are held at once."""

    def __init__(self, app: App, limits: Limits) -> None:
        self.app, self.limits, self.uploads = app, limits, asyncio.Semaphore(limits.uploads)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
        elif scope["path"] == UPLOADS:
            async with self.uploads:
                await self.within(self.limits.upload_bytes, scope, receive, send)
        else:
            await self.within(self.limits.body_bytes, scope, receive, send)

    async def within(self, most: int, scope: Scope, receive: Receive, send: Send) -> None:
        said = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        too_large = f"the body has more than {most:,} bytes, which is the most that is read here"
        if said.isdigit() and int(said[:18]) > DRAINED * most:
            return await refuse(send, 413, too_large)
        pieces, size = [], 0
        try:
            async with asyncio.timeout(self.limits.body_s):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        return
                    size += len(message.get("body", b""))
                    if size > DRAINED * most:
                        return await refuse(send, 413, too_large)
                    if size <= most:
                        pieces.append(message.get("body", b""))
                    if not message.get("more_body"):
                        break
        except TimeoutError:
            return await refuse(send, 408, f"the body did not come within {self.limits.body_s:g} s")
        if size > most:
            return await refuse(send, 413, too_large)
        body, given = b"".join(pieces), False
        pieces.clear()

        async def replayed() -> Message:
            nonlocal given
            if not given:
                given = True
                return {"type": "http.request", "body": body, "more_body": False}
            return await receive()

        await self.app(scope, replayed, send)


async def refuse(send: Send, status: int, text: str) -> None:
    """One line of JSON; the connection closes, since its body may not have been read."""
    body = json.dumps({"error": text}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
