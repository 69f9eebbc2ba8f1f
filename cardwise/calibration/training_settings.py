"""Settings of a training run that a case's notes state in words, as one short text of our own: `micro 8; accumulation 4; recompute full`.

`training_settings` is idempotent: the shipped evidence holds its result instead of the notes, and everything reads it from there.
"""

from __future__ import annotations

import re
from functools import lru_cache

_NUMBERS = (
    ("micro", re.compile(r"micro[- ]?batch(?: size)?[ =:]+(\d+)|\bmbs[ =:]+(\d+)|\bmicro (\d+)", re.IGNORECASE)),
    ("accumulation", re.compile(r"grad(?:ient)?[ _-]?accum(?:ulation)?(?: steps)?[ =:]+(\d+)|\baccumulation (\d+)", re.IGNORECASE)),
    ("zero", re.compile(r"zero[- ]?(?:stage )?([0-3])\b", re.IGNORECASE)),
    ("rank", re.compile(r"(?:lora )?rank[ =:]+(\d+)", re.IGNORECASE)),
)
_RECOMPUTE = r"(?:recompute|(?:activation|gradient) checkpointing)[ =:]+"
_WORDS = (
    ("qlora", re.compile(r"qlora", re.IGNORECASE)),
    ("lora", re.compile(r"\blora\b", re.IGNORECASE)),
    ("recompute full", re.compile(_RECOMPUTE + r"(?:true|on|full|yes)|full (?:recompute|checkpointing|ac\b)", re.IGNORECASE)),
    ("recompute selective", re.compile(r"recompute selective|selective (?:ac\b|activation|recompute|checkpointing)", re.IGNORECASE)),
    ("recompute none", re.compile(_RECOMPUTE + r"(?:false|off|none|no)\b|no (?:activation|gradient) checkpointing", re.IGNORECASE)),
    ("shard gradients", re.compile(r"shard gradients|shard_grad_op", re.IGNORECASE)),
    ("shard all", re.compile(r"shard all|full_shard|\bfsdp2?\b", re.IGNORECASE)),
    ("no sharding", re.compile(r"no sharding|no_shard|\bddp\b", re.IGNORECASE)),
    ("batch of a card", re.compile(r"batch of a card|batch = (?:per-device )?micro batch|per[- ](?:device|gpu) batch", re.IGNORECASE)),
    ("global batch", re.compile(r"global batch", re.IGNORECASE)),
    ("fp8", re.compile(r"amp_fp8|matmul fp8|\bfp8\b", re.IGNORECASE)),
    ("states bf16", re.compile(r"states bf16", re.IGNORECASE)),
    ("compiled", re.compile(r"torch\.compile|\bcompiled?\b", re.IGNORECASE)),
)  # fmt: skip
_EXCLUSIVE = (("qlora", "lora"), ("shard gradients", "shard all"), ("batch of a card", "global batch"))


@lru_cache(maxsize=4096)
def training_settings(notes: str) -> str:
    """The settings named in `notes`, `; ` between them, numbers first."""
    found = []
    for name, pattern in _NUMBERS:
        match = pattern.search(notes)
        if match:
            found.append(f"{name} {int(next(group for group in match.groups() if group))}")
    words = [name for name, pattern in _WORDS if pattern.search(notes)]
    for stronger, weaker in _EXCLUSIVE:
        if stronger in words and weaker in words:
            words.remove(weaker)
    return "; ".join([*found, *words])


def says(settings: str, word: str) -> bool:
    return word in settings.split("; ")


def number(settings: str, name: str) -> int | None:
    """`number("micro 8; lora", "micro")` is 8; None where it is not said."""
    for word in settings.split("; "):
        head, _, tail = word.rpartition(" ")
        if head == name and tail.isdigit():
            return int(tail)
    return None
