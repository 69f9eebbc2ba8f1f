"""The laws of kernels as the fit sees them: constants with unit, start and bounds, and the seconds of a sample.

Beside each law stands the plain one, a floor and constant shares of the specified rates, to say what the law is worth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cardwise.calibration.kernel_rows import LATENT_RANK, LATENT_VALUE, NOPE_DIM, ROPE_DIM, Sample
from cardwise.laws import kernels as laws
from cardwise.laws.collectives import all_reduce_seconds
from cardwise.laws.operators import attention_flops, experts_touched, product_flops
from cardwise.laws.roofline import Amount, smooth_maximum

Floats = NDArray[Any]
SHARE, SECONDS = "share of the specified rate", "s"


@dataclass(frozen=True, slots=True)
class Constant:
    """A constant of a law: unit, start and bounds of the fit."""

    name: str
    unit: str
    start: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Law:
    """A law: its constants, and the seconds of a sample by their values; the same of the plain law, whose constants are PLAIN."""

    name: str
    constants: tuple[Constant, ...]
    seconds: Callable[[Sample, Floats], Floats]
    plain: Callable[[Sample, Floats], Floats]

    def of(self, sample: Sample) -> tuple[Constant, ...]:
        """Constants that the sample can tell: products in 16 bit quantise nothing."""
        return self.constants[:-1] if self.name == "product" and sample.family == "bf16" else self.constants


COMPUTE = Constant("compute", SHARE, 0.6, 0.03, 1.2)
BANDWIDTH = Constant("bandwidth", SHARE, 0.8, 0.1, 1.1)
LAUNCH = Constant("launch_s", SECONDS, 10e-6, 0.5e-6, 400e-6)
CACHE = Constant("cache_gain", "rate of a resident operand relative to memory", 1.3, 1.0, 5.0)
PLAIN = (COMPUTE, BANDWIDTH, LAUNCH)


def _product(s: Sample, v: Floats) -> Floats:
    passes = 0.0 if s.family == "bf16" else v[6]
    c = laws.ProductConstants(v[0], v[1], v[2], v[3], v[4], passes, v[5])
    return np.asarray(laws.product_seconds(s.shape["rows"], s.shape["outputs"], s.shape["inputs"], s.element_bytes, s.silicon, c))


def _roof(flops: Amount, moved: Amount, s: Sample, v: Floats) -> Floats:
    """A floor and constant shares: launch + smooth maximum of flops / (P g) and bytes / (B b)."""
    return np.asarray(v[2] + smooth_maximum(flops / (s.silicon.flops_per_s * v[0]), moved / (s.silicon.bytes_per_s * v[1])))


def _plain_product(s: Sample, v: Floats) -> Floats:
    m, n, k = s.shape["rows"], s.shape["outputs"], s.shape["inputs"]
    return _roof(2 * m * n * k, (m + n) * k * s.element_bytes + 2 * m * n, s, v)


def _prefill(s: Sample, v: Floats) -> Floats:
    return np.asarray(
        laws.prefill_attention_seconds(**s.shape, silicon=s.silicon, c=laws.PrefillConstants(v[0], v[1], v[2], v[3], BANDWIDTH.start))
    )


def _plain_prefill(s: Sample, v: Floats) -> Floats:
    pairs = s.shape["sequences"] * laws.looked_at(s.shape["tokens"], s.shape["cached"], s.shape["window"])
    return _roof(attention_flops(pairs, s.shape["heads"], s.shape["score_dim"], s.shape["value_dim"]), pairs * 0.0, s, v)


def _decode(s: Sample, v: Floats) -> Floats:
    c = laws.DecodeConstants(*v)
    return np.asarray(laws.decode_attention_seconds(**s.shape, tile_rows=laws.TILE, silicon=s.silicon, c=c))


def _plain_decode(s: Sample, v: Floats) -> Floats:
    tokens = s.shape["readers"] * s.shape["context"]
    return _roof(tokens * 0.0, tokens * s.shape["token_bytes"], s, v)


def _latent_prefill(s: Sample, v: Floats) -> Floats:
    """Prefill of heads with keys of 192 and values of 128, and the product that makes them from the latent, at a share of its own."""
    sequences, tokens, heads = s.shape["sequences"], s.shape["tokens"], s.shape["heads"]
    c = laws.PrefillConstants(v[0], v[1], v[2], 0.0, BANDWIDTH.start)
    dims = (NOPE_DIM + ROPE_DIM, LATENT_VALUE)
    core = laws.prefill_attention_seconds(sequences, tokens, 0.0, np.inf, heads, heads, *dims, s.silicon, c)
    up = product_flops(sequences * tokens, 1.0) * heads * LATENT_RANK * (NOPE_DIM + LATENT_VALUE)
    return np.asarray(core + up / (s.silicon.flops_per_s * v[3]))


def _plain_latent_prefill(s: Sample, v: Floats) -> Floats:
    pairs = s.shape["sequences"] * laws.looked_at(s.shape["tokens"], np.zeros(1), np.inf)
    return _roof(attention_flops(pairs, s.shape["heads"], NOPE_DIM + ROPE_DIM, LATENT_VALUE), pairs * 0.0, s, v)


def _latent_decode(s: Sample, v: Floats) -> Floats:
    """Reads of the latent by all heads at once, which FlashMLA pads to a tile."""
    c = laws.DecodeConstants(v[0], v[1], v[2], 0.0)
    width, size = LATENT_RANK + ROPE_DIM, s.element_bytes * (LATENT_RANK + ROPE_DIM)
    tile = float(laws.TILE if s.family.startswith("flashmla") else 16)
    shape = (s.shape["readers"], s.shape["group"], s.shape["context"], width, LATENT_RANK, size)
    return np.asarray(laws.decode_attention_seconds(*shape, tile, s.silicon, c))


def _plain_latent_decode(s: Sample, v: Floats) -> Floats:
    tokens = s.shape["readers"] * s.shape["context"]
    return _roof(tokens * 0.0, tokens * s.element_bytes * (LATENT_RANK + ROPE_DIM), s, v)


def _touched(s: Sample, skew: float) -> Floats:
    """Balanced rows touch as many experts as they can; the others follow the law of the step model."""
    tokens, top_k, experts = s.shape["tokens"], s.shape["top_k"], s.shape["experts"]
    drawn = np.zeros(len(tokens))
    for e, k in set(zip(experts, top_k, strict=True)):
        same = (experts == e) & (top_k == k)
        drawn[same] = experts_touched(e, k, tokens[same], skew)
    return np.where(s.shape["balanced"] > 0, np.minimum(experts, tokens * top_k), drawn)


def _experts(s: Sample, v: Floats) -> Floats:
    rows, c = s.shape["tokens"] * s.shape["top_k"], laws.ExpertConstants(*v)
    return np.asarray(laws.expert_seconds(rows, _touched(s, c.skew), s.shape["hidden"], s.shape["inner"], s.element_bytes, s.silicon, c))


def _plain_experts(s: Sample, v: Floats) -> Floats:
    one = 3 * s.shape["hidden"] * s.shape["inner"]
    return _roof(2 * s.shape["tokens"] * s.shape["top_k"] * one, _touched(s, 1.0) * one * s.element_bytes, s, v)


def _reduce(s: Sample, v: Floats) -> Floats:
    return np.asarray(laws.kernel_all_reduce_seconds(**s.shape, c=laws.ReduceConstants(*v)))


def _plain_reduce(s: Sample, v: Floats) -> Floats:
    """The law of the step model: latency x log2 of the ranks, one share of the link."""
    message, ranks, wire = (s.shape[key] for key in ("message_bytes", "ranks", "link_bytes_per_s"))
    rows = [all_reduce_seconds(m, int(n), v[2], w * v[1]) for m, n, w in zip(message, ranks, wire, strict=True)]
    return np.array(rows)


WAVE = Constant("wave_share", "share of a wave of tiles", 0.1, 1e-3, 3.0)
FILL = Constant("fill_rows", "rows", 40.0, 0.1, 400.0)
PASSES = Constant("quantise_passes", "times the time of moving the input once", 1.5, 0.1, 8.0)
LAG = Constant("lag_pairs", "pairs a query", 150.0, 1.0, 1000.0)
LAWS = (
    Law("product", (COMPUTE, BANDWIDTH, replace(LAUNCH, start=4e-6), FILL, WAVE, CACHE, PASSES), _product, _plain_product),
    Law(
        "prefill_attention",
        (COMPUTE, LAUNCH, LAG, Constant("dim_exponent", "exponent of head width / 128", 0.3, 0.01, 1.0)),
        _prefill,
        _plain_prefill,
    ),
    Law(
        "decode_attention", (BANDWIDTH, COMPUTE, LAUNCH, Constant("pad_tokens", "tokens", 40.0, 0.1, 400.0), CACHE), _decode, _plain_decode
    ),
    Law("latent_prefill", (COMPUTE, LAUNCH, LAG, replace(COMPUTE, name="up_compute")), _latent_prefill, _plain_latent_prefill),
    Law("latent_decode", (BANDWIDTH, COMPUTE, LAUNCH), _latent_decode, _plain_latent_decode),
    Law(
        "experts",
        (
            replace(COMPUTE, start=0.4),
            BANDWIDTH,
            replace(LAUNCH, start=30e-6),
            replace(FILL, start=60.0),
            Constant("skew", "exponent", 0.85, 0.4, 1.0),
            Constant("traffic", "times the activations", 2.0, 0.2, 6.0),
        ),
        _experts,
        _plain_experts,
    ),
    Law(
        "all_reduce",
        (
            replace(LAUNCH, name="latency_s", start=4e-6, low=0.05e-6),
            Constant("rank_s", "s a rank", 0.5e-6, 0.01e-6, 10e-6),
            Constant("settle_s", SECONDS, 5e-6, 0.05e-6, 80e-6),
            replace(BANDWIDTH, name="share", unit="share of the link's bytes/s in one direction", start=0.6, low=0.02),
            Constant("rank_exponent", "exponent of ranks / 2", 0.1, -2.0, 1.0),
        ),
        _reduce,
        _plain_reduce,
    ),
)
