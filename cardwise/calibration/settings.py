"""Settings that a case's notes state in words: backends, chunk sizes, container images, layouts of disaggregated workers.

`settings_of` keeps only these words, in one order; everything that reads notes reads them from there, so that a note's other words
can never matter and the shipped evidence can drop them.
"""

from __future__ import annotations

import re
from functools import lru_cache

_WORDS = (
    ("disaggregated", r"disaggregat|\bdisagg\b"),
    ("attention DP on", r"attention dp on|dp[ -]attention"),
    ("expert parallel", r"expert[ -]parallel"),
    ("p2p on", r"\bp2p on\b|p2p enabled"),
    ("ShareGPT", r"sharegpt"),
    ("vulkan", r"vulkan"),
    ("rocwmma", r"rocwmma"),
    ("rocm", r"\brocm|-rocm|\bhip\b|-hip\b"),
    ("amdvlk", r"amdvlk"),
    ("radv", r"radv"),
    ("sycl", r"\bsycl\b"),
    ("flash attention", r"flash attention|-fa 1|\bfa=1\b"),
    ("hipblaslt", r"hipblaslt"),
)
_COMPILED = tuple((name, re.compile(pattern, re.IGNORECASE)) for name, pattern in _WORDS)
_WORKERS = re.compile(r"(prefill|decode) (\d+)x\(tp(\d+) dp(\d+) moe_tp(\d+) moe_ep(\d+)\)")
PHYSICAL_BATCH = 512
_CHUNK = re.compile(r"(n_batch[= ]|n_ubatch[= ]|batch size |\s-b |\s-ub )(\d+)(?! GB)")
_IMAGE = re.compile(r"(?:lmsysorg/sglang:|vllm-openai[a-z-]*:|tensorrt-llm/release:)\S*?v?(\d+\.\d+(?:\.\d+)?[\w.]*)")
_REQUESTS = re.compile(r"(\d+) (?:requests|prompts)\b")


@lru_cache(maxsize=8192)
def settings_of(notes: str) -> str:
    """The settings named in `notes`, `; ` between them. Idempotent."""
    found = [name for name, pattern in _COMPILED if pattern.search(notes)]
    found += [f"{kind} {number}x(tp{tp} dp{dp} moe_tp{mtp} moe_ep{mep})" for kind, number, tp, dp, mtp, mep in _WORKERS.findall(notes)]
    found += [f"{'n_ubatch' if 'ub' in word else 'n_batch'}={size}" for word, size in _CHUNK.findall(f" {notes}")[:2]]
    image = _IMAGE.search(notes)
    if image:
        found.append(
            f"lmsysorg/sglang:v{image.group(1)}" if "sglang:" in notes else f"vllm-openai:v{image.group(1)}" if "vllm" in notes else ""
        )
    requests = _REQUESTS.search(notes)
    if requests:
        found.append(f"{requests.group(1)} requests")
    return "; ".join(word for word in found if word)


def says(settings: str, word: str) -> bool:
    return word in settings.split("; ")


def workers(settings: str) -> dict[str, tuple[int, int, int, int, int]]:
    """Layouts of disaggregated workers: prefill and decode -> (workers, tp, dp, moe_tp, moe_ep)."""
    return {kind: (int(n), int(tp), int(dp), int(mtp), int(mep)) for kind, n, tp, dp, mtp, mep in _WORKERS.findall(settings)}


def chunk(settings: str) -> int | None:
    """Tokens of a prompt chunk where the notes name one: llama.cpp's n_ubatch, which is 512 unless named, and no more than its n_batch."""
    sizes = {"ub" in word: int(size) for word, size in _CHUNK.findall(f" {settings}") if int(size) > 0}
    return min(sizes.get(True, PHYSICAL_BATCH), sizes.get(False, sizes.get(True, PHYSICAL_BATCH))) if sizes else None


def image_version(settings: str) -> str:
    """The engine's version from the container image that the notes name."""
    found = _IMAGE.search(settings)
    return found.group(1) if found else ""


def stated_requests(settings: str) -> int | None:
    found = _REQUESTS.search(settings)
    return int(found.group(1)) if found else None
