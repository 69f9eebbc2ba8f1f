"""What a case's notes say of the run of a pipeline, as words: compiler, attention, unpacking, offload, split over cards, memory's measure.

`run_words` keeps only these words, in one order, and takes its own output for what it is; everything that reads notes of images and video
reads them from there, so that a note's other words can never matter and the shipped evidence can drop them.
"""

from __future__ import annotations

import re
from functools import lru_cache

_NEGATED = re.compile(r"no compile|compile_vae=False|torch\.compile\(max-autotune\)=False|without compile", re.IGNORECASE)
_WORDS = (
    ("unfused attention", r"unfused attention|vanilla attention|no sdpa|no xformers|no flash attention|attention original|split_einsum"),
    ("xformers", r"(?<!no )xformers"),
    ("compiled", r"\bcompiled?\b|max-autotune|reduce-overhead"),
    ("cuda graph", r"cuda graph"),
    ("weight-only", r"weight[-_]only|\bquanto\b"),
    ("dynamic activation", r"dynamic activation"),
    ("layerwise casting", r"layerwise[_ ]casting"),
    ("bitsandbytes 8-bit", r"bitsandbytes 8-bit"),
    ("bitsandbytes 4-bit", r"bitsandbytes 4-bit|\bnf4\b"),
    ("gguf", r"\bgguf\b"),
    ("encoder quantised", r"encoder quantised|transformer \+ t5|vae not quantized"),
    ("model offload", r"model[_ ]offload|--offload_model true"),
    ("sequential offload", r"sequential[_ ]offload"),
    ("memory optimizations", r"memory optimizations"),
    ("converted", r"\bconverted\b|convert_model_dtype"),
    ("encoders on host", r"encoders on host|t5_cpu"),
    ("sliced decoder", r"sliced decoder|enable_vae_slicing|vae slicing"),
    ("tiled decoder", r"tiled decoder|enable_vae_tiling|vae tiling"),
    ("sharded", r"\bsharded\b|\bfsdp\b"),
    ("split over all", r"split over all|split not printed"),
    ("neural engine", r"neural engine|cpu_and_ne"),
    ("end-to-end rate", r"end-to-end rate"),
    ("reserved memory", r"reserved memory|memory_reserved"),
    ("allocated memory", r"allocated memory|memory_allocated"),
    ("memory of the card", r"memory of the card|mb as printed"),
    ("fp32 products in tf32", r"fp32 products in tf32|allow_tf32"),
)
_COMPILED = tuple((name, re.compile(pattern, re.IGNORECASE)) for name, pattern in _WORDS)
_DEGREES = {
    "ulysses": re.compile(r"ulysses(?:_size)?[-= ](\d+)", re.IGNORECASE),
    "ring": re.compile(r"\bring[-= ](\d+)", re.IGNORECASE),
    "cfg": re.compile(r"\bcfg[-= ](\d+)", re.IGNORECASE),
    "pp": re.compile(r"\bpp[-= ](\d+)", re.IGNORECASE),
}
_CLOCK = re.compile(r"clock (?:locked )?at (\d+) MHz", re.IGNORECASE)
_TORCH = re.compile(r"(?:torch|pytorch) (\d+\.\d+)", re.IGNORECASE)


@lru_cache(maxsize=8192)
def run_words(notes: str) -> tuple[str, ...]:
    """The words that the notes of a run of a pipeline say. Idempotent on their text joined by `; `."""
    plain = _NEGATED.sub(" ", notes)
    found = [name for name, pattern in _COMPILED if pattern.search(plain)]
    for name, pattern in _DEGREES.items():
        match = pattern.search(plain)
        if match and int(match.group(1)) > 1:
            found.append(f"{name}={match.group(1)}")
    clock = _CLOCK.search(plain)
    if clock:
        found.append(f"clock at {clock.group(1)} MHz")
    torch = _TORCH.search(plain)
    if torch:
        found.append(f"torch {torch.group(1)}")
    return tuple(found)


def degree(words: tuple[str, ...], name: str) -> int:
    """A degree of a split that the words name, else 1."""
    return next((int(word.partition("=")[2]) for word in words if word.startswith(f"{name}=")), 1)


def clock_hz(words: tuple[str, ...]) -> float | None:
    """The clock at which the card was locked, Hz."""
    return next((float(word.split()[2]) * 1e6 for word in words if word.startswith("clock at ")), None)


def torch_version(words: tuple[str, ...]) -> tuple[int, ...] | None:
    """PyTorch's version where it is said."""
    said = next((word.split()[1] for word in words if word.startswith("torch ")), None)
    return tuple(int(part) for part in said.split(".")) if said else None
