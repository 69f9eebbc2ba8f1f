"""Questions in, answers out: a queue of bounded length before the workers, answers kept, equal questions asked once.

Light questions go first; heavy ones (many cards, many rows) get all workers but one, so that one of them never holds up the others.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cardwise.web.calls import QUESTION
from cardwise.web.limits import Limits
from cardwise.web.workers import BROKEN, OK, Worker, packed, prepare

TOO_LONG, FULL, TOO_MANY = 422, 503, "the server answers as many questions as it can hold; come again in a few seconds"


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP status and a compressed JSON document."""

    status: int
    body: bytes


@dataclass(eq=False, slots=True)
class Job:
    """One question on its way. `waiters`: clients that wait for it; with none it is given up."""

    name: str
    said: Mapping[str, Any]
    heavy: bool
    key: str
    reply: asyncio.Future[Reply]
    topic: str = ""
    waiters: int = 0
    worker: Worker | None = None
    done: int = 0
    of: int = 0
    ended: str = ""
    ids: set[str] = field(default_factory=set)


def topic(said: Mapping[str, Any]) -> str:
    """What a question is about: the worker that answered on it lately has part of the answer at hand."""
    return json.dumps([said.get(name) for name in QUESTION], sort_keys=True, default=repr)


class Pool:
    """`ask` is the only way in. Everything but the computation runs on the event loop, so there are no locks."""

    def __init__(self, limits: Limits, facts: Sequence[Path] = ()) -> None:
        self.limits, self.facts = limits, tuple(facts)
        self.idle: list[Worker] = []
        self.running: set[Job] = set()
        self.waiting: tuple[deque[Job], deque[Job]] = (deque(), deque())  # light, heavy
        self.open: dict[str, Job] = {}
        self.kept: OrderedDict[str, Reply] = OrderedDict()
        self.kept_bytes = 0
        self.tasks: set[asyncio.Task[None]] = set()
        self.asked_at = time.monotonic()
        self.threads = ThreadPoolExecutor(limits.workers, thread_name_prefix="cardwise-worker")

    async def start(self) -> None:
        """Starts the workers; the first takes as long as an import of Cardwise."""
        prepare(self.facts)
        loop = asyncio.get_running_loop()
        self.idle = list(await asyncio.gather(*(loop.run_in_executor(self.threads, self._worker) for _ in range(self.limits.workers))))

    async def stop(self) -> None:
        """Ends everything at once."""
        for job in self.running:
            if job.worker is not None:
                job.worker.end()
        for worker in self.idle:
            worker.end()
        for task in tuple(self.tasks):
            task.cancel()
        self.threads.shutdown(wait=False, cancel_futures=True)

    def _worker(self) -> Worker:
        return Worker(self.facts, self.limits.memory_bytes)

    async def ask(self, name: str, said: Mapping[str, Any], heavy: bool = False, id: str = "", keep: bool = True) -> Reply:
        """The answer, kept or computed. Cancelling this call gives the question up when nobody else waits for it.

        `id`: a name under which `progress` tells of it. `keep`: the answer may be given again to an equal question.
        """
        self.asked_at = time.monotonic()
        key = f"{name} {json.dumps(said, sort_keys=True, default=repr)}" if keep else ""
        if key in self.kept:
            self.kept.move_to_end(key)
            return self.kept[key]
        job = self.open.get(key) if key else None
        if job is None:
            if sum(map(len, self.waiting)) >= self.limits.waiting:
                return Reply(FULL, packed({"error": TOO_MANY}))
            job = Job(name, said, heavy, key, asyncio.get_running_loop().create_future(), topic(said))
            if key:
                self.open[key] = job
            self.waiting[heavy].append(job)
            self._next()
        job.waiters += 1
        job.ids.add(id)
        try:
            return await asyncio.shield(job.reply)
        finally:
            job.waiters -= 1
            if not job.waiters and not job.reply.done():
                self._give_up(job)

    async def quiet(self, seconds: float) -> None:
        """Returns when nothing was asked for so long."""
        while (left := self.asked_at + seconds - time.monotonic()) > 0:
            await asyncio.sleep(left)

    def progress(self, id: str) -> dict[str, Any] | None:
        """State of a question by the name that its client gave it: how many are before it, or how far it is."""
        for job in self.running:
            if id in job.ids:
                return {"state": "running", "done": job.done, "of": job.of}
        ahead = 0
        for queue in self.waiting:
            for job in queue:
                if id in job.ids:
                    return {"state": "waiting", "ahead": ahead + len(self.running)}
                ahead += 1
        return None

    def _next(self) -> None:
        """Gives waiting questions to idle workers."""
        light, heavy = self.waiting
        while self.idle:
            busy = sum(job.heavy for job in self.running)
            if light:
                job = light.popleft()
            elif heavy and busy < max(self.limits.workers - 1, 1):
                job = heavy.popleft()
            else:
                return
            job.worker = next((worker for worker in self.idle if job.topic in worker.topics), self.idle[-1])
            self.idle.remove(job.worker)
            job.worker.topics.append(job.topic)
            self.running.add(job)
            task = asyncio.get_running_loop().create_task(self._run(job, job.worker))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _run(self, job: Job, worker: Worker) -> None:
        loop = asyncio.get_running_loop()

        def progress(done: int, of: int) -> None:
            job.done, job.of = done, of

        limit = loop.call_later(self.limits.time_s, self._end, job, worker, "long")
        try:
            found = await loop.run_in_executor(self.threads, worker.ask, job.name, job.said, progress)
        finally:
            limit.cancel()
        self.running.discard(job)
        self._finish(job, self._reply(job, found))
        # a question may have been ended in the moment in which its answer came: the worker is gone all the same
        if found is None or job.ended or worker.answered >= self.limits.questions_per_worker:
            worker.end()
            worker = await loop.run_in_executor(self.threads, self._worker)
        self.idle.append(worker)
        self._next()

    def _reply(self, job: Job, found: tuple[int, bytes] | None) -> Reply:
        if found is not None:
            return Reply(*found)
        if job.ended == "long":
            text = f"the question takes more than {self.limits.time_s:g} s; ask for fewer cards or fewer requests, or use the command line"
            return Reply(TOO_LONG, packed({"error": text}))
        return Reply(BROKEN, packed({"error": "the worker ended before it had answered; ask again"}))

    def _finish(self, job: Job, reply: Reply) -> None:
        if job.key and self.open.get(job.key) is job:
            del self.open[job.key]
        if job.key and reply.status == OK and not job.ended:
            self._keep(job.key, reply)
        if not job.reply.done():
            job.reply.set_result(reply)

    def _keep(self, key: str, reply: Reply) -> None:
        self.kept[key] = reply
        self.kept_bytes += len(reply.body) + len(key)
        while self.kept_bytes > self.limits.cache_bytes and self.kept:
            old, gone = self.kept.popitem(last=False)
            self.kept_bytes -= len(gone.body) + len(old)

    def _give_up(self, job: Job) -> None:
        """Nobody waits any more: a queued question is dropped, a running one has a moment to end by itself."""
        if job in self.waiting[job.heavy]:
            self.waiting[job.heavy].remove(job)
            if self.open.get(job.key) is job:
                del self.open[job.key]
            job.reply.cancel()
        elif job.worker is not None:
            asyncio.get_running_loop().call_later(self.limits.grace_s, self._end, job, job.worker, "left")

    def _end(self, job: Job, worker: Worker, why: str) -> None:
        if job in self.running and (why == "long" or not job.waiters):
            job.ended = why
            if self.open.get(job.key) is job:
                del self.open[job.key]
            worker.process.kill()
