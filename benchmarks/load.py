"""Whether the server holds: 200 plan questions at once on loopback, each another one, and a heavy question beside light ones.

    python benchmarks/load.py [--requests 200] [--json FILE]

Starts a `cardwise serve` of its own. Exit code 0 when no request fails, a light question beside a heavy one is answered in a second, and
the server stays below its bound of memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx

CARDS = "RTX 4090, A100 SXM 80GB, H100 SXM"
LIGHT_S, MEMORY_MIB = 1.0, 1500.0
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


@contextmanager
def server() -> Iterator[tuple[str, int]]:
    """Address and process id of a server."""
    command = [sys.executable, "-m", "cardwise.cli", "serve", "--port", "0", "--no-warm"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"http://\S+?:\d+", process.stdout.readline())
        try:
            assert found, "the server did not start"
            yield found[0], process.pid
        finally:
            process.terminate()


def family(root: int) -> list[int]:
    """A process and all that it started, where /proc tells."""
    parents: dict[int, int] = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(place.parent.name)] = int(place.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def memory_mib(root: int) -> float:
    """Resident bytes of the server and its workers without what they share; pages that two share are counted for each by a half."""
    total = 0.0
    for pid in family(root):
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024
    return total


async def timed(client: httpx.AsyncClient, body: dict[str, Any]) -> tuple[int, float]:
    start = time.perf_counter()
    try:
        answer = await client.post("/api/plan", json=body)
    except httpx.HTTPError as error:
        print(f"  {type(error).__name__}: {error}")
        return 0, time.perf_counter() - start
    return answer.status_code, time.perf_counter() - start


async def measured(address: str, pid: int, requests: int) -> dict[str, Any]:
    limits = httpx.Limits(max_connections=requests + 8, max_keepalive_connections=requests + 8)
    peak = 0.0

    async def watch() -> None:
        nonlocal peak
        while True:
            peak = max(peak, memory_mib(pid))
            await asyncio.sleep(0.5)

    async with httpx.AsyncClient(base_url=address, timeout=300, limits=limits) as client:
        await timed(client, {"model": "llama-3.1-8b", "cards": CARDS})
        alone = [await timed(client, {"model": "llama-3.1-8b", "cards": CARDS, "concurrency": 300 + n}) for n in range(3)]
        before = memory_mib(pid)
        watching = asyncio.create_task(watch())
        start = time.perf_counter()
        at_once = await asyncio.gather(
            *(timed(client, {"model": "llama-3.1-8b", "cards": CARDS, "concurrency": n + 1}) for n in range(requests))
        )
        whole = time.perf_counter() - start
        heavy = asyncio.create_task(timed(client, {"model": "llama-3.1-8b", "cards": "all", "concurrency": 7}))
        await asyncio.sleep(0.2)
        light = [await timed(client, {"model": "llama-3.1-8b", "cards": "RTX 4090", "concurrency": 100 + n}) for n in range(5)]
        beside = not heavy.done()
        heavy_status, heavy_s = await heavy
        watching.cancel()
    seconds = sorted(took for _, took in at_once)
    return {
        "requests": requests,
        "failed": sum(status != 200 for status, _ in at_once),
        "alone_s": statistics.median(took for _, took in alone),
        "all_s": whole,
        "median_s": statistics.median(seconds),
        "p95_s": seconds[int(len(seconds) * 0.95)],
        "light_beside_heavy_s": max(took for _, took in light),
        "light_was_beside": beside,
        "heavy_s": heavy_s,
        "heavy_failed": heavy_status != 200,
        "memory_before_mib": before,
        "memory_peak_mib": peak,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200, help="plan questions at once (200)")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    given = parser.parse_args(arguments)
    with server() as (address, pid):
        found = asyncio.run(measured(address, pid, given.requests))
    for name, value in found.items():
        print(f"{name:<22} {value:.3f}" if isinstance(value, float) else f"{name:<22} {value}")
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    good = not found["failed"] and not found["heavy_failed"] and found["light_beside_heavy_s"] <= LIGHT_S
    return 0 if good and found["memory_peak_mib"] <= MEMORY_MIB else 1


if __name__ == "__main__":
    sys.exit(main())
