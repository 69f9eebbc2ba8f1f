"""The queue before the workers: bounded, fair to light questions, and rid of what nobody waits for any more."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from cardwise.web.limits import Limits
from cardwise.web.pool import FULL, TOO_LONG, Pool

SLOW: dict[str, Any] = {"model": "llama-3.1-8b", "cards": "all", "options": {"concurrency": 8}}
QUICK: dict[str, Any] = {"query": "llama-2"}


def with_pool(limits: Limits, test: Callable[[Pool], Awaitable[None]]) -> None:
    async def whole() -> None:
        pool = Pool(limits)
        await pool.start()
        try:
            await asyncio.wait_for(test(pool), 60)
        finally:
            await pool.stop()

    asyncio.run(whole())


def slow(users: int) -> dict[str, Any]:
    return {**SLOW, "options": {"concurrency": users}}


def test_heavy_questions_leave_room_for_light_ones() -> None:
    async def test(pool: Pool) -> None:
        heavy = [asyncio.create_task(pool.ask("plan", slow(users), heavy=True)) for users in (3, 5)]
        await asyncio.sleep(0.05)
        assert sum(job.heavy for job in pool.running) == 1, "all workers but one at most"
        light = await pool.ask("models", QUICK)
        assert light.status == 200 and not any(task.done() for task in heavy)
        for task in heavy:
            task.cancel()

    with_pool(Limits(workers=2), test)


def test_a_question_that_takes_too_long_is_ended_and_the_next_is_answered() -> None:
    async def test(pool: Pool) -> None:
        found = await pool.ask("plan", SLOW, heavy=True)
        assert found.status == TOO_LONG and "more than 0.3 s" in gzip.decompress(found.body).decode()
        assert (await pool.ask("model", {"model": "llama-3.1-8b", "weights": "auto", "kv": "auto"})).status == 200

    with_pool(Limits(workers=1, time_s=0.3), test)


def test_what_nobody_waits_for_is_given_up() -> None:
    async def test(pool: Pool) -> None:
        first = asyncio.create_task(pool.ask("plan", slow(3), heavy=True))
        second = asyncio.create_task(pool.ask("plan", slow(5), heavy=True))
        await asyncio.sleep(0.1)
        (job,) = pool.running
        assert job.worker is not None
        before = job.worker.process.pid
        second.cancel()
        await asyncio.sleep(0)
        assert not pool.waiting[True], "a queued question is dropped at once"
        first.cancel()
        assert (await pool.ask("models", QUICK)).status == 200
        assert all(worker.process.pid != before for worker in pool.idle), "the worker that was busy with it was ended"
        assert not pool.open and len(pool.idle) == 1

    with_pool(Limits(workers=1, grace_s=0.05), test)


def test_equal_questions_are_computed_once_and_kept() -> None:
    async def test(pool: Pool) -> None:
        said = {"model": "llama-3.1-8b", "cards": "RTX 4090", "options": {}}
        replies = await asyncio.gather(*(pool.ask("plan", said) for _ in range(20)))
        assert len({reply.body for reply in replies}) == 1
        assert sum(worker.answered for worker in pool.idle) == 1
        assert await pool.ask("plan", said) is replies[0]

    with_pool(Limits(workers=2), test)


def test_the_queue_is_bounded_and_so_is_what_is_kept() -> None:
    async def test(pool: Pool) -> None:
        tasks = [asyncio.create_task(pool.ask("models", {"query": f"llama-{n}"})) for n in range(1, 7)]
        await asyncio.sleep(0)
        full = await pool.ask("models", {"query": "qwen"})
        assert full.status == FULL and "come again" in json.loads(gzip.decompress(full.body))["error"]
        await asyncio.gather(*tasks)
        assert (await pool.ask("models", {"query": "qwen"})).status == 200
        assert pool.kept_bytes <= 4000

    with_pool(Limits(workers=1, waiting=5, cache_bytes=4000), test)


def test_progress_is_told_by_the_name_of_the_question() -> None:
    async def test(pool: Pool) -> None:
        running = asyncio.create_task(pool.ask("plan", slow(3), heavy=True, id="one"))
        waiting = asyncio.create_task(pool.ask("plan", slow(5), heavy=True, id="two"))
        for _ in range(200):
            await asyncio.sleep(0.05)
            state = pool.progress("one")
            if state and state["done"] > 2:
                break
        assert state is not None and state["state"] == "running" and 2 < state["done"] < state["of"]
        assert pool.progress("two") == {"state": "waiting", "ahead": 1}
        assert pool.progress("three") is None
        running.cancel()
        waiting.cancel()

    with_pool(Limits(workers=1), test)


def test_a_worker_that_is_ended_as_its_answer_comes_is_replaced() -> None:
    async def test(pool: Pool) -> None:
        for _ in range(5):
            before = [worker.answered for worker in pool.idle]
            asking = asyncio.create_task(pool.ask("models", QUICK, keep=False))
            for _ in range(5):
                await asyncio.sleep(0)  # until the worker has the question
            (job,) = pool.running
            assert job.worker is not None
            until = time.monotonic() + 10
            while [job.worker.answered] == before and time.monotonic() < until:
                time.sleep(0.001)  # the event loop stands still, so that the answer waits for it
            pool._end(job, job.worker, "long")
            await asyncio.gather(asking, return_exceptions=True)
            assert (await pool.ask("models", {"query": "qwen"}, keep=False)).status == 200

    with_pool(Limits(workers=1), test)
