"""Seconds of single kernels: products, attention, grouped experts, all-reduce. Pure; floats or arrays that broadcast.

A step of an engine is priced by `passes/step.py` with efficiencies that are fitted end to end. These laws are one level below: what one
kernel alone takes, from the card's datasheet and a handful of constants (`calibration/kernels.toml`) that are fitted to published timings.
They say how an efficiency depends on the shape; its level inside an engine is another one (docs/kernels.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cardwise.laws.operators import attention_flops, product_flops
from cardwise.laws.roofline import Amount, memory_seconds, smooth_maximum

ACTIVATION_BYTES = 2.0
TILE = 128
"""Rows and columns of the usual tile of a product, and the query rows that attention kernels work on at once."""
SETTLE_BYTES = 2**20
"""Messages around this size leave the one-shot kernel of an all-reduce for one in several steps."""


@dataclass(frozen=True, slots=True)
class Silicon:
    """What a kernel sees of a card: specified FLOP/s of its number type, bytes/s of the memory, multiprocessors, bytes of the last cache
    (0 where no source states it).
    """

    flops_per_s: float
    bytes_per_s: float
    units: int
    cache_bytes: float = 0.0


@dataclass(frozen=True, slots=True)
class ProductConstants:
    """compute, bandwidth: shares of the specified rates. launch_s: floor. fill_rows: rows paid for on top of the real ones. wave_share:
    share of a wave of tiles that is lost on top. quantise_passes: how often the time of moving the input once is spent on quantising it.
    cache_gain: rate of operands that stay in the last cache, relative to memory.
    """

    compute: float
    bandwidth: float
    launch_s: float
    fill_rows: float
    wave_share: float
    quantise_passes: float = 0.0
    cache_gain: float = 1.0


@dataclass(frozen=True, slots=True)
class PrefillConstants:
    """compute: share of the 16-bit rate for long prompts and heads 128 wide. launch_s: floor. lag_pairs: pairs that every query pays for on
    top of those it looks at. dim_exponent: how the rate grows with the width of a head. bandwidth: share for queries, keys and results.
    """

    compute: float
    launch_s: float
    lag_pairs: float
    dim_exponent: float
    bandwidth: float


@dataclass(frozen=True, slots=True)
class DecodeConstants:
    """bandwidth: share of the memory's rate. compute: share of the 16-bit rate, with the query rows of a group padded to a tile.
    launch_s: floor, with the kernel that combines the splits. pad_tokens: cached tokens paid for on top of the real ones. cache_gain: as
    for products.
    """

    bandwidth: float
    compute: float
    launch_s: float
    pad_tokens: float
    cache_gain: float = 1.0


@dataclass(frozen=True, slots=True)
class ExpertConstants:
    """compute, bandwidth, launch_s: as for products. fill_rows: rows that every touched expert pays for on top of its own. skew:
    exponent of `experts_touched`. traffic: bytes of activations moved, relative to rows x 3 (hidden + inner) of 2 bytes.
    """

    compute: float
    bandwidth: float
    launch_s: float
    fill_rows: float
    skew: float
    traffic: float


@dataclass(frozen=True, slots=True)
class ReduceConstants:
    """latency_s + rank_s x ranks: floor. settle_s: what a message far above SETTLE_BYTES pays once. share: of the link's bytes/s in one
    direction, between two cards. rank_exponent: how the share changes with the number of cards.
    """

    latency_s: float
    rank_s: float
    settle_s: float
    share: float
    rank_exponent: float


def resident(moved_bytes: Amount, cache_bytes: float) -> Amount:
    """Share of operands that a repeated kernel finds in the last cache: 1 / (1 + (bytes / cache)^6), from 1 to 0 around the cache's size.

    Of measurements that repeat one kernel only: an engine reads other weights in between. Without a known cache nothing is resident.
    """
    if not cache_bytes:
        return moved_bytes * 0.0
    return 1.0 / (1.0 + (moved_bytes / cache_bytes) ** 6)


def read_seconds(moved_bytes: Amount, silicon: Silicon, bandwidth: float, cache_gain: float) -> Amount:
    """Seconds of moving `moved_bytes`, faster by `cache_gain` where they are resident."""
    kept = resident(moved_bytes, silicon.cache_bytes)
    return memory_seconds(moved_bytes, silicon.bytes_per_s * bandwidth) * (1.0 - kept + kept / cache_gain)


def wave_rows(outputs: Amount, units: int) -> Amount:
    """Rows of a product with `outputs` columns that give every multiprocessor one tile: units x TILE^2 / outputs."""
    return units * TILE**2 / outputs


def product_seconds(rows: Amount, outputs: Amount, inputs: Amount, weight_bytes: float, silicon: Silicon, c: ProductConstants) -> Amount:
    """(rows x inputs) times (inputs x outputs); `weight_bytes` of one weight, which is also the width that inputs are quantised to.

    launch + smooth maximum of 2 (m + m0) n k / (P g) and bytes / (B b), m0 = fill_rows + wave_share x wave_rows(n), + for quantised inputs
    passes x m k (2 + w) / B. The last wave is part empty: on average a share of one wave of tiles is lost, which a kernel that splits k
    (cuBLAS in 16 bit) gets back and one that does not (CUTLASS in 8 and 4 bit) loses. Counting tiles and waves exactly, with the best of
    five tiles and of the splits, fits 8 bit better and 4 bit worse, but its constants end at their bounds and carry over no better.
    Does not hold for kernels that launch from the host at every call.
    """
    paid = rows + c.fill_rows + c.wave_share * wave_rows(outputs, silicon.units)
    compute = 2.0 * paid * outputs * inputs / (silicon.flops_per_s * c.compute)
    quantised = c.quantise_passes > 0
    moved = (rows * inputs + outputs * inputs) * weight_bytes + rows * outputs * ACTIVATION_BYTES
    seconds = c.launch_s + smooth_maximum(compute, read_seconds(moved, silicon, c.bandwidth, c.cache_gain))
    if quantised:
        seconds = seconds + c.quantise_passes * memory_seconds(rows * inputs * (ACTIVATION_BYTES + weight_bytes), silicon.bytes_per_s)
    return seconds


def product_share(outputs: float, weight_bytes: float, silicon: Silicon, c: ProductConstants) -> float:
    """Share of the arithmetic rate that a product of very many rows reaches: 1 / (1/g + passes (2 + w) P / (2 n B)).

    The limit of `product_seconds`: quantising the input costs the more, the fewer columns share it.
    """
    quantise = c.quantise_passes * (ACTIVATION_BYTES + weight_bytes) * silicon.flops_per_s / (2.0 * outputs * silicon.bytes_per_s)
    return 1.0 / (1.0 / c.compute + quantise)


def looked_at(tokens: Amount, cached: Amount, window: Amount) -> Amount:
    """Query-key pairs of `tokens` new tokens after `cached` ones, each looking back at most `window`: sum of min(window, cached + i)."""
    free = np.clip(window - cached, 0.0, tokens)
    pairs: Amount = free * cached + free * (free + 1.0) / 2.0 + (tokens - free) * np.minimum(window, cached + tokens)
    return pairs


def prefill_attention_seconds(
    sequences: Amount,
    tokens: Amount,
    cached: Amount,
    window: Amount,
    heads: Amount,
    kv_heads: Amount,
    score_dim: Amount,
    value_dim: Amount,
    silicon: Silicon,
    c: PrefillConstants,
) -> Amount:
    """Causal attention of `tokens` new tokens per sequence after `cached` ones.

    launch + 2 heads (ds + dv) (pairs + lag x tokens) / (P s (d/128)^x) + bytes / (B b), d = (ds + dv) / 2. So the share of the rate at
    length L is s (d/128)^x / (1 + 2 lag / L): the tiles on the diagonal, the fill of the pipeline and the softmax of each query block
    take the same time whatever the length (blocks: FlashAttention-2, Dao 2023, section 3). `window` may be infinite.
    """
    pairs = sequences * (looked_at(tokens, cached, window) + c.lag_pairs * tokens)
    width = (score_dim + value_dim) / 2.0
    rate = silicon.flops_per_s * c.compute * (width / TILE) ** c.dim_exponent
    moved = sequences * ((tokens * heads + (tokens + cached) * kv_heads) * (score_dim + value_dim)) * ACTIVATION_BYTES
    return (
        c.launch_s + attention_flops(pairs, heads, score_dim, value_dim) / rate + memory_seconds(moved, silicon.bytes_per_s * c.bandwidth)
    )


def decode_attention_seconds(
    readers: Amount,
    group: Amount,
    context: Amount,
    score_dim: Amount,
    value_dim: Amount,
    token_bytes: Amount,
    tile_rows: float,
    silicon: Silicon,
    c: DecodeConstants,
) -> Amount:
    """One new token per sequence reads a cache of `context` tokens. `readers`: sequences x key-value heads on the card; `group`: query
    heads that share one; `token_bytes`: of one reader and cached token, keys and values.

    launch + smooth maximum of readers (context + pad) token_bytes / (B b) and 2 readers max(group, tile) (ds + dv) (context + pad) / (P e).
    The split over the sequence (Flash-Decoding, Dao et al. 2023) fills the card from one reader on, so that the share of the bandwidth
    depends on the bytes alone: b V / (V + B b launch). The query heads of a group are padded to a tile of `tile_rows`, so that a cache of
    8 bit may be limited by arithmetic. Latent attention (DeepSeek-V2, 2024, absorbed) is the case readers = sequences, group = heads.
    """
    tokens = readers * (context + c.pad_tokens)
    compute = attention_flops(tokens, 1.0, score_dim, value_dim) * np.maximum(group, tile_rows) / (silicon.flops_per_s * c.compute)
    return c.launch_s + smooth_maximum(compute, read_seconds(tokens * token_bytes, silicon, c.bandwidth, c.cache_gain))


def expert_seconds(
    rows: Amount, touched: Amount, hidden: Amount, inner: Amount, weight_bytes: float, silicon: Silicon, c: ExpertConstants
) -> Amount:
    """Grouped gated feed-forward of one layer: `rows` (tokens x experts of each) over `touched` experts of 3 x hidden x inner weights.

    launch + smooth maximum of 2 (rows + touched m0) 3 h i / (P g) and (touched 3 h i w + traffic x rows x 3 (h + i) x 2) / (B b). The rows
    of a touched expert are padded to tiles, so that the share of the rate at r rows an expert is g r / (r + m0) (blocks of MegaBlocks,
    Gale et al. 2022). The traffic is that of sorting, both products, the activation and the combination.
    """
    parameters = 3.0 * hidden * inner
    compute = product_flops(rows + touched * c.fill_rows, 1.0) * parameters / (silicon.flops_per_s * c.compute)
    moved = touched * parameters * weight_bytes + c.traffic * rows * 3.0 * (hidden + inner) * ACTIVATION_BYTES
    return c.launch_s + smooth_maximum(compute, memory_seconds(moved, silicon.bytes_per_s * c.bandwidth))


def kernel_all_reduce_seconds(message_bytes: Amount, ranks: Amount, link_bytes_per_s: Amount, c: ReduceConstants) -> Amount:
    """All-reduce of `message_bytes` on each of `ranks` cards; 0 on one.

    latency + rank x n + settle M / (M + 1 MiB) + 2 (n-1)/n M / (L share (n/2)^y). The ring's bytes (Patarasuk and Yuan 2009); the floor
    grows with n, since each card waits for all others (one shot) or passes n-1 hops (ring), not with log2 n.
    """
    count = np.maximum(ranks, 2.0)
    carried = link_bytes_per_s * c.share * (count / 2.0) ** c.rank_exponent
    settle = c.settle_s * message_bytes / (message_bytes + SETTLE_BYTES)
    seconds: Amount = c.latency_s + c.rank_s * count + settle + 2.0 * (count - 1.0) / count * message_bytes / carried
    return seconds * (np.asarray(ranks) > 1)
