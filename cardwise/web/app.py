"""The application: routes that make the library's calls and hand on its documents. Nothing is computed here."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from cardwise import __version__
from cardwise.web import asked
from cardwise.web.files import Shipped, script, shipped, spoken
from cardwise.web.guard import Bodies, Headers, Hosts
from cardwise.web.language import Languages
from cardwise.web.limits import Limits
from cardwise.web.pool import FULL, Pool, Reply
from cardwise.web.workers import OK

LOCAL = ("localhost", "testserver")
PAGES = ("/", "/cards", "/article", "/accuracy")
QUIET_S = 4.0
"""Without a question for so long, the server prepares the next of its slow pages."""
MANY_CARDS = 12
"""A question about more cards is a heavy one."""
JOB = "x-cardwise-job"
ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"description": "A document of docs/json.md, the same as --json prints."},
    400: {"description": "A question that cannot be answered: one line under `error`."},
    422: {"description": "A field that is none or of the wrong kind, or a question that takes too long: one line under `error`."},
    413: {"description": "A body that is too large."},
    503: {"description": "More questions wait than the server holds; Retry-After says when to come again."},
}


def create_app(limits: Limits | None = None, names: Iterable[str] = LOCAL, facts: Sequence[Path] = (), warm: bool = False) -> FastAPI:
    """The server's application. `names`: host names besides addresses. `facts`: the person's own. `warm`: prepare the slow pages."""
    bounds = limits or Limits()
    pool = Pool(bounds, facts)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        await pool.start()
        warming = asyncio.create_task(warmed(pool)) if warm else None
        yield
        if warming is not None:
            warming.cancel()
        await pool.stop()

    app = FastAPI(
        title="Cardwise",
        version=__version__,
        summary="Which card, how many of them, how fast, at what cost.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=life,
    )
    app.state.pool = pool
    app.add_middleware(Bodies, limits=bounds)
    app.add_middleware(Hosts, names=names)
    app.add_middleware(Languages)
    app.add_middleware(Headers)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(HTTPException)(_missing)
    _questions(app, pool)
    _facts(app, pool)
    _page(app)
    return app


async def warmed(pool: Pool) -> None:
    """Asks for what never changes, one after the other and while nobody asks, so that the first visitor finds it and is not held up."""
    for name, said in (("names", {}), ("bundle", {}), ("cards", CARDS), ("accuracy", {"by": BY}), ("article", {})):
        await pool.quiet(QUIET_S)
        await pool.ask(name, said, heavy=True)


BY = "source,metric"
CARDS: Mapping[str, Any] = {"model": "llama-3.1-8b", "cards": "all", "rank": "", "options": {}}


def _said(body: asked.Asked) -> dict[str, Any]:
    """A question as it goes to a worker: what was said, so that defaults are the library's."""
    said = body.model_dump(exclude_unset=True)
    options = {name: said.pop(name) for name in tuple(said) if name not in asked.OWN}
    return {**said, "options": {name: value for name, value in options.items() if value is not None}}


def _heavy(cards: str | None, budget: float | None = None) -> bool:
    """Whether a question is about many cards."""
    if cards is None:
        return budget is not None
    return cards.strip().lower() == "all" or sum(cards.count(mark) for mark in ",;，；、\n") >= MANY_CARDS


async def _answer(request: Request, pool: Pool, name: str, said: Mapping[str, Any], heavy: bool = False, keep: bool = True) -> Response:
    """The worker's document, unless the client goes away before: then the question is given up."""
    asking = asyncio.ensure_future(pool.ask(name, said, heavy, request.headers.get(JOB, "")[:64], keep))
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait((asking, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not asking.done():
            return Response(status_code=499)
        return _sent(request, asking.result(), pool.limits)
    finally:
        asking.cancel()
        leaving.cancel()


async def _left(request: Request) -> None:
    """Returns when the client has closed the connection. The body was read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _sent(request: Request, reply: Reply, limits: Limits) -> Response:
    headers = {"vary": "accept-encoding, accept-language"}
    if reply.status == FULL:
        headers["retry-after"] = str(limits.retry_s)
    return _packed(request, reply.body, "application/json", reply.status, headers)


def _packed(request: Request, body: bytes, kind: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(body, status, {**(headers or {}), "content-encoding": "gzip"}, kind)
    return Response(gzip.decompress(body), status, dict(headers or {}), kind)


def _file(request: Request, file: Shipped) -> Response:
    """A file that a browser may keep as long as the server says that it is the same."""
    headers = {"etag": file.tag, "cache-control": "no-cache", "vary": "accept-encoding"}
    if request.headers.get("if-none-match") == file.tag:
        return Response(status_code=304, headers=headers)
    return _packed(request, file.body, file.type, headers=headers)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part not in ("body", "query"))
    text = f"{place}: {first['msg']}" if place else str(first["msg"])
    return JSONResponse({"error": " ".join(text.split())[:500]}, 422)


async def _missing(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": str(error.detail)}, error.status_code, headers=error.headers)


def _questions(app: FastAPI, pool: Pool) -> None:
    """Routes that compute."""

    @app.post("/api/plan", responses=ANSWER, summary="Which cards run a model, how many, how fast, at what cost")
    async def plan(request: Request, body: asked.PlanAsked) -> Response:
        return await _answer(request, pool, "plan", _said(body), _heavy(body.cards, body.budget_usd_per_hour))

    @app.post("/api/explain", responses=ANSWER, summary="One layout in depth")
    async def explain(request: Request, body: asked.ExplainAsked) -> Response:
        return await _answer(request, pool, "explain", _said(body))

    @app.post("/api/deploy", responses=ANSWER, summary="The commands that serve a layout and check its prediction")
    async def deploy(request: Request, body: asked.ExplainAsked) -> Response:
        return await _answer(request, pool, "deploy", _said(body))

    @app.post("/api/simulate", responses=ANSWER, summary="Every request of a load or of a trace")
    async def simulate(request: Request, body: asked.SimulateAsked) -> Response:
        return await _answer(request, pool, "simulate", _said(body), body.trace is not None)

    @app.post("/api/cards", responses=ANSWER, summary="Cards side by side, and ranked")
    async def cards(request: Request, body: asked.CardsAsked) -> Response:
        said = {"model": "llama-3.1-8b", **_said(body), "cards": body.cards, "rank": body.rank}
        return await _answer(request, pool, "cards", said, bool(body.rank))

    @app.post("/api/model", responses=ANSWER, summary="How a model was read")
    async def model(request: Request, body: asked.ModelAsked) -> Response:
        return await _answer(request, pool, "model", body.model_dump(exclude_none=True))

    @app.post("/api/validate", responses=ANSWER, summary="Predictions for measured cases")
    async def validate(request: Request, body: asked.ValidateAsked) -> Response:
        return await _answer(request, pool, "validate", {"cases": body.cases}, heavy=True, keep=False)

    @app.post("/api/read", responses=ANSWER, summary="What the head of a model's file says", openapi_extra=UPLOAD)
    async def read(
        request: Request,
        name: Annotated[str, Query(max_length=200, description="Name of the file: config.json, x.gguf, x.safetensors, ...")],
        file_bytes: Annotated[int, Query(ge=1, lt=2**60, description="Size of the whole file.")],
    ) -> Response:
        data = await request.body()
        return await _answer(request, pool, "read", {"name": name, "file_bytes": file_bytes, "data": data}, keep=False)

    @app.post("/api/charts", responses=ANSWER, summary="Charts of a question as Vega-Lite specifications")
    async def charts(request: Request, body: asked.ChartsAsked) -> Response:
        look = body.model_dump(include={"charts", "lang", "theme", "width", "rank", "by", "option"})
        said = {"model": body.model, **_said(body), **look}
        if SLOW_CHARTS & set(body.charts):
            said["cards"] = body.cards or "all"
        elif body.cards is None and not {"pareto", "run-pareto", "accuracy", "coverage"} & set(body.charts) and body.training is None:
            return JSONResponse({"error": "cards: name one kind of card; these charts are of one layout"}, 422)
        return await _answer(request, pool, "charts", said, bool(SLOW_CHARTS & set(body.charts)) or _heavy(body.cards))


SLOW_CHARTS = {"ranking", "claims"}
UPLOAD = {"requestBody": {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}, "required": True}}


def _facts(app: FastAPI, pool: Pool) -> None:
    """Routes that tell what is known."""

    @app.get("/api/models", responses=ANSWER, summary="Known models by part of a name")
    async def models(request: Request, query: Annotated[str, Query(max_length=200)] = "") -> Response:
        return await _answer(request, pool, "models", {"query": query}, heavy=not query)

    @app.get("/api/names", responses=ANSWER, summary="Names of models, pipelines and cards")
    async def names(request: Request) -> Response:
        return await _answer(request, pool, "names", {})

    @app.get("/api/messages", summary="The sentences of the page in a language")
    async def messages(request: Request, lang: Literal["en", "zh"] = "en") -> Response:
        return _file(request, spoken(lang))

    @app.get(
        "/api/charts/bundle.js",
        responses={400: ANSWER[400], 200: {"content": {"text/javascript": {}}}},
        summary="The script that draws charts",
    )
    async def bundle(request: Request) -> Response:
        reply = await pool.ask("bundle", {})
        if reply.status != OK:
            return _sent(request, reply, pool.limits)
        return _file(request, script(reply.body))

    @app.get("/api/article", responses=ANSWER, summary="The article claim by claim")
    async def article(request: Request) -> Response:
        return await _answer(request, pool, "article", {}, heavy=True)

    @app.get("/api/accuracy", responses=ANSWER, summary="How far predictions were off")
    async def accuracy(request: Request, by: Annotated[str, Query(max_length=100)] = BY) -> Response:
        return await _answer(request, pool, "accuracy", {"by": by}, heavy=True)

    @app.get("/api/progress/{id}", summary="How far a question is that was sent with the header X-Cardwise-Job")
    async def progress(id: str) -> dict[str, Any]:
        return pool.progress(id) or {"state": "unknown"}


def _page(app: FastAPI) -> None:
    """The page and its files, out of memory."""

    async def page(request: Request) -> Response:
        return _file(request, shipped()["index.html"])

    for path in PAGES:
        app.add_api_route(path, page, include_in_schema=False)

    @app.get("/static/{name}", include_in_schema=False)
    async def static(request: Request, name: str) -> Response:
        file = shipped().get(name)
        if file is None:
            raise HTTPException(404, "no such file")
        return _file(request, file)
