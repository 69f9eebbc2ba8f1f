"""`cardwise serve`: the page and the HTTP API on this machine."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Annotated

import typer

from cardwise.commands.options import LANG
from cardwise.commands.printing import check_language, tell, write
from cardwise.errors import BadInput, NotSupported

INSTALL = "the page needs FastAPI and uvicorn, which are not installed: pip install 'cardwise[serve]'"
LOOPBACK = ("127.0.0.1", "::1", "localhost")
IDLE_S, CONNECTIONS = 30, 2048


def serve(
    host: Annotated[
        str, typer.Option("--host", help="Address to listen at; another than this machine's own lets others in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Port to listen at; 0 takes a free one.")] = 8765,
    name: Annotated[
        list[str] | None, typer.Option("--name", help="Host name under which it is reached; may be repeated.", show_default=False)
    ] = None,
    facts: Annotated[
        list[Path] | None, typer.Option("--facts", help="Own cards, prices, models (TOML or CSV).", show_default=False)
    ] = None,
    warm: Annotated[bool, typer.Option("--warm/--no-warm", help="Prepare the slow pages in the background at the start.")] = True,
    workers: Annotated[
        int | None, typer.Option("--workers", help="Processes that answer. Default: one a core.", show_default=False)
    ] = None,
    lang: Annotated[str, LANG] = "en",
) -> None:
    """The page in a browser, and the HTTP API, on this machine alone unless --host says otherwise."""
    try:
        import uvicorn

        from cardwise.web.app import LOCAL, create_app
        from cardwise.web.limits import Limits
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("cardwise"):
            raise
        raise NotSupported(INSTALL) from None
    if workers is not None and not 1 <= workers <= 256:
        raise BadInput(f"workers is {workers}; it must lie between 1 and 256")
    from cardwise.planning import facade
    from cardwise.reports.words import words

    say = words(check_language(lang))
    facade.use_facts(facts or ())  # a file that cannot be used is told now, not by the first question
    limits = Limits() if workers is None else Limits(workers=workers)
    names = (*LOCAL, host, *(name or ()))
    bound = listening(host, port)
    address = bound.getsockname()
    shown = f"[{host}]" if ":" in host else host
    if host not in LOOPBACK:
        tell(say("serve_open", host=host))
    write(say("serve_at", address=f"http://{shown}:{address[1]}/"))
    app = create_app(limits, names, [path.expanduser().resolve() for path in facts or ()], warm=warm)
    config = uvicorn.Config(
        app,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=IDLE_S,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=1,
        proxy_headers=False,
    )
    uvicorn.Server(config).run(sockets=[bound])


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises BadInput when the address or the port cannot be had."""
    if not 0 <= port <= 65535:
        raise BadInput(f"port is {port}; it must lie between 0 and 65,535")
    bound: socket.socket | None = None
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        # the protocol is said, for asyncio switches Nagle's delay of 40 ms off only where it reads TCP
        bound = socket.socket(found[0][0], socket.SOCK_STREAM, socket.IPPROTO_TCP)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(found[0][4])
        bound.listen(CONNECTIONS)  # who comes before the workers are there waits, and is not turned away
    except (OSError, UnicodeError) as error:
        if bound is not None:
            bound.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise BadInput(f"cannot listen at {host} port {port}: {reason}; choose another --port or --host") from None
    return bound
