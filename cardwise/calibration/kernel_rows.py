"""Reads published kernel timings (parquet, the tables of AIConfigurator) into samples: one card, kernel and number type each.

Needs the extra [fit]. What the rows are and which of them say something about an engine stands at each reader; nothing of them is shipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cardwise.catalogue.accelerators import accelerator
from cardwise.catalogue.links import link
from cardwise.errors import BadFile, BadInput
from cardwise.laws.kernels import Silicon
from cardwise.quantities import KILO

Columns = dict[str, NDArray[Any]]

# The tables say PRO 6000 and mean the server card.
CARDS = {"RTX PRO 6000": "RTX PRO 6000 Blackwell Server"}
SAMPLE_ROWS = 2000
UNKNOWN_CACHE = 2**27
"""Where no source states the last cache, only operands above this size count as read from memory."""
LEAST_WEIGHT_BYTES = 2**23
LEAST_TOKENS = 256
LEAST_ROWS = 100
LATENT_RANK, ROPE_DIM, NOPE_DIM, LATENT_VALUE = 512, 64, 128, 128
NUMBERS = {"bfloat16": ("bf16", "bf16", 2.0), "fp8": ("fp8", "fp8", 1.0), "nvfp4": ("nvfp4", "fp4", 0.5625)}
EXPERT_NUMBERS = {**NUMBERS, "fp8_block": ("fp8-block", "fp8", 1.0), "w4a16_mxfp4": ("mxfp4-a16", "bf16", 0.53125)}
ATTENTION = ("fa3", "trtllm", "fiprefill", "fidecode", "flashmla", "flash_attn_mla", "triton", "fa2", "flash_attn")
FAMILIES = {"fiprefill": "flashinfer", "fidecode": "flashinfer", "flash_attn_mla": "fa3", "flash_attn": "fa2"}
EXPERTS = ("triton", "trtllm", "cutlass", "marlin", "fused_moe")


@dataclass(frozen=True, slots=True)
class Sample:
    """Timings of one law, kernel family with number type, and card: shapes by name, seconds, and what the kernel sees of the card."""

    law: str
    family: str
    number: str
    card: str
    silicon: Silicon
    element_bytes: float
    shape: Mapping[str, NDArray[Any]]
    seconds: NDArray[Any]


def read(directory: Path) -> list[Sample]:
    """All samples of the parquet files in `directory`."""
    found = [*_products(directory), *_attention(directory), *_latent(directory), *_experts(directory), *_reduces(directory)]
    return [sample for sample in found if len(sample.seconds) >= LEAST_ROWS or sample.law == "all_reduce"]


def _columns(directory: Path, name: str) -> Columns:
    try:
        from pyarrow import parquet
    except ImportError:
        raise BadInput("reading kernel timings needs pyarrow; install cardwise[fit]") from None
    path = directory / f"{name}.parquet"
    if not path.is_file():
        raise BadFile(f"{path}: no such file; give the folder with the parquet files of kernel timings")
    table = parquet.read_table(path)
    return {column: table[column].to_numpy(zero_copy_only=False) for column in table.column_names}


def _parts(columns: Columns, *keys: str) -> Iterator[tuple[tuple[str, ...], Columns]]:
    """The rows of each combination of `keys`, in the order of the names."""
    joined = np.stack([columns[key].astype(str) for key in keys])
    combinations, which = np.unique(joined, axis=1, return_inverse=True)
    for index, names in enumerate(combinations.T):
        rows = np.flatnonzero(which.ravel() == index)
        yield tuple(str(name) for name in names), {key: values[rows] for key, values in columns.items()}


def _silicon(name: str, number: str) -> Silicon:
    card = accelerator(CARDS.get(name, name))
    assert card.units is not None
    return Silicon(card.peak(number), card.bandwidth_bytes_per_s, card.units, card.l2_bytes or 0.0)


def _sample(law: str, family: str, number: str, names: tuple[str, float], part: Columns, keep: NDArray[Any], **shape: Any) -> Sample:
    """The kept rows, thinned to SAMPLE_ROWS by a fixed draw."""
    card, element_bytes = names
    rows = np.flatnonzero(keep)
    if len(rows) > SAMPLE_ROWS:
        rows = np.sort(np.random.default_rng(0).choice(rows, SAMPLE_ROWS, replace=False))
    arrays = {key: np.asarray(value, float)[rows] for key, value in shape.items()}
    seconds = part["latency"].astype(float)[rows] / KILO
    return Sample(law, family, number, accelerator(CARDS.get(card, card)).name, _silicon(card, number), element_bytes, arrays, seconds)


def _from_memory(moved_bytes: NDArray[Any], card: str) -> NDArray[Any]:
    """Rows that say something about memory: all where the cache is known, else those too large for any cache."""
    return np.full(len(moved_bytes), True) if _silicon(card, "bf16").cache_bytes else moved_bytes > UNKNOWN_CACHE


def _products(directory: Path) -> Iterator[Sample]:
    """Weights of 8 MiB and more: smaller ones are floors. fp8 with block scales is left out: its timings have a floor of 55-280 us."""
    for (card, number), part in _parts(_columns(directory, "gemm"), "accelerator", "gemm_dtype"):
        if number not in NUMBERS:
            continue
        family, peak, size = NUMBERS[number]
        m, n, k = (part[key].astype(float) for key in "mnk")
        keep = (n * k * size > LEAST_WEIGHT_BYTES) & _from_memory(n * k * size, card)
        yield _sample("product", family, peak, (card, size), part, keep, rows=m, outputs=n, inputs=k)


def _kernel(source: str, names: tuple[str, ...]) -> str:
    found = next((name for name in names if name in source), "")
    return FAMILIES.get(found, found)


def _attention(directory: Path) -> Iterator[Sample]:
    """Contexts and prompts of 256 tokens and more, heads of 64 to 256; of decoding, without a window."""
    for law, table in (("prefill_attention", "prefill_attention"), ("decode_attention", "decode_attention")):
        for (card, source, cache), part in _parts(_columns(directory, table), "accelerator", "kernel_source", "kv_cache_dtype"):
            kernel, size = _kernel(source, ATTENTION), NUMBERS[cache][2]
            if kernel in ("", "triton") or "fa4" in source or (law == "prefill_attention" and "decode" in source):
                continue
            batch, heads, kv_heads, dim = (
                part[key].astype(float) for key in ("batch_size", "num_heads", "num_key_value_heads", "head_dim")
            )
            window = np.nan_to_num(part["window_size"].astype(float))
            window = np.where(window > 0, window, np.inf)
            family, usual = f"{kernel}-{NUMBERS[cache][0]}", (dim >= 64) & (dim <= 256)
            if law == "prefill_attention":
                tokens, cached = part["isl"].astype(float), part["step"].astype(float)
                keep = usual & (tokens >= LEAST_TOKENS)
                shape = {"sequences": batch, "tokens": tokens, "cached": cached, "window": window, "heads": heads, "kv_heads": kv_heads}
                yield _sample(law, family, "bf16", (card, size), part, keep, **shape, score_dim=dim, value_dim=dim)
            else:
                context = part["step"].astype(float) + 1
                moved = batch * kv_heads * context * 2 * dim * size
                keep = usual & (context >= LEAST_TOKENS) & np.isinf(window) & _from_memory(moved, card)
                shape = {"readers": batch * kv_heads, "group": heads / kv_heads, "context": context, "token_bytes": 2 * dim * size}
                yield _sample(law, family, "bf16", (card, size), part, keep, **shape, score_dim=dim, value_dim=dim)


def _latent(directory: Path) -> Iterator[Sample]:
    """Latent attention of DeepSeek: a latent of 512 and 64 rotary dimensions. The floors are of an eager path."""
    for law, table in (("latent_prefill", "prefill_mla"), ("latent_decode", "decode_mla")):
        for (card, source, cache), part in _parts(_columns(directory, table), "accelerator", "kernel_source", "kv_cache_dtype"):
            size, heads = NUMBERS[cache][2], part["num_heads"].astype(float)
            batch, family = part["batch_size"].astype(float), f"{_kernel(source, ATTENTION)}-{NUMBERS[cache][0]}"
            if law == "latent_prefill":
                tokens = part["isl"].astype(float)
                shape = {"sequences": batch, "tokens": tokens, "heads": heads}
                yield _sample(law, family, "bf16", (card, size), part, tokens >= LEAST_TOKENS, **shape)
            else:
                context = part["step"].astype(float) + 1
                yield _sample(law, family, "bf16", (card, size), part, context >= LEAST_TOKENS, readers=batch, group=heads, context=context)


def _experts(directory: Path) -> Iterator[Sample]:
    """Without expert parallelism, where the tables do not say whose rows are counted; without fp8 by CUTLASS on Hopper, which loops over
    the experts at a fifth of the bandwidth.
    """
    for (card, source, number), part in _parts(_columns(directory, "moe"), "accelerator", "kernel_source", "moe_dtype"):
        kernel = _kernel(source, EXPERTS).replace("fused_moe", "triton")
        if (
            number not in EXPERT_NUMBERS
            or not kernel
            or "modular" in source
            or (kernel == "cutlass" and card.startswith("H") and number.startswith("fp8"))
        ):
            continue
        family, peak, size = EXPERT_NUMBERS[number]
        tokens, hidden, top_k, experts = (part[key].astype(float) for key in ("num_tokens", "hidden_size", "topk", "num_experts"))
        inner = part["inter_size"].astype(float) / part["moe_tp_size"].astype(float)
        balanced = (part["distribution"] == "balanced").astype(float)
        shape = {"tokens": tokens, "hidden": hidden, "top_k": top_k, "experts": experts, "inner": inner, "balanced": balanced}
        yield _sample("experts", f"{kernel}-{family}", peak, (card, size), part, part["moe_ep_size"].astype(int) == 1, **shape)


def _reduces(directory: Path) -> Iterator[Sample]:
    """Sizes are in elements of 2 bytes. The table of NCCL lacks the operation; of its four the slowest at a size is the all-reduce."""
    for (card, backend), part in _parts(_columns(directory, "allreduce"), "accelerator", "backend"):
        yield _reduce(card, backend.removeprefix("vllm_"), part)
    for (card, number), part in _parts(_columns(directory, "nccl"), "accelerator", "nccl_dtype"):
        if number == "half":
            slowest = [rows["row"][np.argmax(rows["latency"])] for _, rows in _parts(_numbered(part), "num_gpus", "message_size")]
            yield _reduce(card, "nccl", {key: values[np.array(slowest)] for key, values in part.items()})


def _numbered(part: Columns) -> Columns:
    return {**part, "row": np.arange(len(part["latency"]))}


def _reduce(card: str, path: str, part: Columns) -> Sample:
    ranks, message = part["num_gpus"].astype(float), part["message_size"].astype(float) * 2
    wires = [link(accelerator(CARDS.get(card, card)), int(count)) for count in ranks]
    family = f"{path}-{'pcie' if wires[0].kind == 'pcie' else 'nvlink'}"
    rates = np.array([wire.bytes_per_s for wire in wires])
    keep = np.full(len(ranks), True)
    return _sample("all_reduce", family, "bf16", (card, 2.0), part, keep, message_bytes=message, ranks=ranks, link_bytes_per_s=rates)
