"""What the server bears, said once: bodies, waiting questions, time."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """`workers`: processes that answer; heavy questions get all but one of them. `waiting`: questions that may wait for a worker; beyond it
    a client is told to come again after `retry_s`. `time_s`: a question runs at most so long once it has a worker. `grace_s`: so long an
    abandoned question may go on before its worker is ended. `body_s`: a body must have come after so long. `cache_bytes`: answers kept,
    compressed. `questions_per_worker`: then a fresh process takes its place, so that no cache grows for ever.
    `memory_bytes`: of one worker, where the system can hold it to that.
    """

    workers: int = field(default_factory=lambda: min(max(os.cpu_count() or 2, 2), 8))
    waiting: int = 512
    retry_s: int = 5
    time_s: float = 60.0
    grace_s: float = 1.0
    body_bytes: int = MIB
    upload_bytes: int = 32 * MIB
    uploads: int = 4
    body_s: float = 30.0
    cache_bytes: int = 32 * MIB
    questions_per_worker: int = 2000
    memory_bytes: int = 3 * 1024 * MIB
