"""Processes that answer questions, one at a time each: what they compute never stands in the way of the server, and can be ended.

A worker gets (name of the answer, question) over a pipe and sends ("progress", done, of) any number of times, then ("done", status, body);
the body is one JSON document, compressed. Ending a process is the only way to stop a computation at any point, so that is what happens to a
question that takes too long or that nobody waits for any more; a fresh process then takes its place.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from cardwise.errors import AmbiguousName, CardwiseError, UnknownName

OK, BAD, BROKEN = 200, 400, 500
PRELOAD = "cardwise.web.workers"
FORKSERVER = "forkserver" in multiprocessing.get_all_start_methods()
REMEMBERED = 4
context: Any = multiprocessing.get_context("forkserver" if FORKSERVER else "spawn")


def packed(record: Mapping[str, Any]) -> bytes:
    """One line of JSON, compressed as it goes over the wire."""
    return gzip.compress(json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8"), 5, mtime=0)


def answered(name: str, said: Mapping[str, Any], progress: Callable[[int, int], None]) -> tuple[int, bytes]:
    """Status and body of one question: every error of a person's is one line, and so is a mistake of ours."""
    from cardwise.web.answers import ANSWERS

    try:
        return OK, packed(ANSWERS[name](said, progress))
    except UnknownName as error:  # a hint at a path or an option of the command line is of no use to a browser
        again = UnknownName(error.kind, error.name, error.nearest, "or give its config.json" if error.kind == "model" else "")
        return BAD, packed({"error": again.message, "nearest": list(error.nearest)})
    except AmbiguousName as error:
        return BAD, packed({"error": error.message, "nearest": list(error.candidates)})
    except CardwiseError as error:
        return BAD, packed({"error": error.message})
    except MemoryError:
        return BAD, packed({"error": "the question takes more memory than one may have here; ask for fewer requests or cards"})
    except Exception as error:  # a mistake of ours; the client gets one line, the worker lives on
        if os.environ.get("CARDWISE_DEBUG"):
            raise
        return BROKEN, packed({"error": f"a mistake in cardwise itself: {type(error).__name__}"})


def bounded(memory_bytes: int) -> None:
    """Holds this process to so much memory of its own, where the system knows such a limit."""
    try:
        import resource
    except ImportError:  # Windows
        return
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))


def serve(pipe: Connection, facts: Sequence[Path], memory_bytes: int) -> None:
    """The life of a worker: until the pipe closes."""
    bounded(memory_bytes)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server ends its workers itself
    from cardwise.passes.architectures import names_only
    from cardwise.planning import facade

    names_only()
    if facts:
        facade.use_facts(facts)
    while True:
        try:
            name, said = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            pipe.send(("done", *answered(name, said, lambda done, of: pipe.send(("progress", done, of)))))
        except (BrokenPipeError, OSError):
            return


class Worker:
    """One process and the pipe to it. `answered`: questions so far; `topics`: what the last ones were about."""

    def __init__(self, facts: Sequence[Path], memory_bytes: int) -> None:
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, tuple(facts), memory_bytes), daemon=True, name="cardwise-worker")
        self.process.start()
        theirs.close()
        self.answered = 0
        self.topics: deque[str] = deque(maxlen=REMEMBERED)

    def ask(self, name: str, said: Mapping[str, Any], progress: Callable[[int, int], None]) -> tuple[int, bytes] | None:
        """Status and body; None when the process ended meanwhile. Blocks, so it is called in a thread."""
        try:
            self.pipe.send((name, said))
            while True:
                kind, *rest = self.pipe.recv()
                if kind == "done":
                    self.answered += 1
                    return rest[0], rest[1]
                progress(*rest)
        except (EOFError, OSError):
            return None

    def end(self) -> None:
        """Stops it at once, whatever it does."""
        self.process.kill()
        self.process.join(5)
        self.pipe.close()


def prepare(facts: Sequence[Path]) -> None:
    """Loads what every worker needs once, so that a fresh one starts in milliseconds. What a usual answer has read depends on the facts, so
    with some of the person's own every worker reads it for itself."""
    if FORKSERVER:
        context.set_forkserver_preload([PRELOAD, "cardwise.web.preload", *([] if facts else ["cardwise.web.usual"])])
