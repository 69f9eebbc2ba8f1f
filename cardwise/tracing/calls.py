"""What a recorder notes of one call of a kernel, and what it is called. Frozen, no torch."""

from __future__ import annotations

import re
from dataclasses import dataclass

PARTS = (
    (re.compile(r"norm|act_fn|nonlinearity"), "norms and activations"),
    (re.compile(r"down_?sampl|up_?sampl|resampl"), "resampling"),
    (re.compile(r"(^|\.)attn2?\d*(\.|$)|attention|self_attn|cross_attn|encoder_attn|(^|\.)(to_)?[qkv](_proj)?$"), "attention projections"),
    (re.compile(r"(^|\.)ff|feed_forward|mlp|ffn|DenseReluDense|(^|\.)fc\d"), "feed-forward"),
    (re.compile(r"embed|time_proj|pos_|patch|class_|add_|condition"), "embeddings"),
)


@dataclass(frozen=True, slots=True)
class MatrixCall:
    """`rows` vectors times a stored matrix `weight` of `inputs` x `outputs`; `bias` the stored vector added, both by their names."""

    path: str
    weight: str
    bias: str
    rows: int
    inputs: int
    outputs: int


@dataclass(frozen=True, slots=True)
class ConvolutionCall:
    """A convolution with the stored filters `weight` at `positions` outputs; `read`: positions of its input."""

    path: str
    weight: str
    bias: str
    positions: int
    read: int
    inputs: int
    outputs: int
    taps: int
    groups: int


@dataclass(frozen=True, slots=True)
class AttentionCall:
    """Fused attention: `sequences` x `heads` of `queries` over `keys`; of causal ones, too, all pairs, as torch's counter has them."""

    path: str
    sequences: int
    heads: int
    queries: int
    keys: int
    head_dim: int
    value_dim: int


@dataclass(frozen=True, slots=True)
class ProductCall:
    """`batch` products of two activations, `rows` x `inner` by `inner` x `columns`."""

    path: str
    batch: int
    rows: int
    inner: int
    columns: int


@dataclass(frozen=True, slots=True)
class PointwiseCall:
    """A kernel that only moves data: elements `written`, in rows of `width`, and `moved` in all (read and written)."""

    path: str
    kernel: str
    written: int
    moved: int
    width: int = 1


Call = MatrixCall | ConvolutionCall | AttentionCall | ProductCall | PointwiseCall


def part_name(path: str, default: str) -> str:
    """The part of a network that a module belongs to, by the last of its names that says it."""
    pieces = path.split(".")
    for end in range(len(pieces), 0, -1):
        for pattern, name in PARTS:
            if pattern.search(".".join(pieces[end - 1 : end])):
                return name
    return default
