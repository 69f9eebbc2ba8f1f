"""The memory budget of a layout: the parts of the card with the least room, and whether the engine starts. Pure: facts are arguments."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from cardwise.budget import CachePlan, MemoryBudget, MemoryConstants
from cardwise.engine import CacheFormat, EngineRules, WeightFormat
from cardwise.hardware import Accelerator
from cardwise.laws.memory_activation import activation_bytes, communication_bytes, graph_bytes
from cardwise.laws.memory_cache import cache_plan, kv_bytes_per_sequence, kv_bytes_per_token
from cardwise.laws.memory_layout import valid_split, valid_tensor_parallel
from cardwise.laws.memory_weights import total, weight_bytes_per_card
from cardwise.layout import Layout
from cardwise.model import Architecture
from cardwise.quantities import GIB, gib

__all__ = [
    "kv_bytes_per_sequence",
    "kv_bytes_per_token",
    "memory_budget",
    "valid_split",
    "valid_tensor_parallel",
    "weight_bytes_per_card",
]


@dataclass(frozen=True, slots=True)
class _Limits:
    """Settings of the engine after the defaults."""

    max_model_len: int
    max_num_seqs: int
    tokens: int
    share: float
    graph_batch: int


HOST_BYTES = 2.0 * GIB
"""What the operating system and the engine's own process take of a memory that card and host share: 1 to 1.5 GiB of a Jetson's system, and
the host side of PyTorch. Less, and the kernel kills the engine."""


def memory_budget(
    architecture: Architecture,
    layout: Layout,
    accelerator: Accelerator,
    rules: EngineRules,
    weight_format: WeightFormat,
    cache_format: CacheFormat,
    constants: MemoryConstants,
    *,
    max_model_len: int | None = None,
    max_num_seqs: int | None = None,
    max_num_batched_tokens: int | None = None,
    memory_share: float | None = None,
    enforce_eager: bool = False,
    total_bytes: float | None = None,
    speculative_tokens: int = 0,
    vision: bool = True,
    host_parts: tuple[str, ...] = (),
) -> MemoryBudget:
    """What one card of the fullest stage holds.

    `total_bytes`: what the runtime reports as the card's memory, when known; else what the catalogue says it reports.
    Settings that are None take the engine's default; `max_model_len` then is the engine's default context, or the model's own. Never
    raises for a
    layout that does not fit: the budget then has a `reason` and a `fix`.
    """
    limits = _limits(architecture, rules, max_model_len, max_num_seqs, max_num_batched_tokens, memory_share, enforce_eager)
    by_part = weight_bytes_per_card(
        architecture,
        weight_format,
        layout,
        layer_split=rules.layer_split,
        embedding_on_host=constants.embedding_on_host,
        speculative=speculative_tokens > 0,
        vision=vision and not weight_format.kernel.startswith("gguf"),
        host_parts=host_parts,
        expert_multiple=constants.expert_multiple,
        latent_absorbed=constants.latent_absorbed and rules.kv_replicated_latent,
    )
    weights = total(by_part)
    usable = total_bytes or accelerator.usable_bytes
    seen = total_bytes or accelerator.reported_bytes or usable
    activation = activation_bytes(
        architecture,
        layout,
        constants,
        tokens=limits.tokens,
        sequences=limits.max_num_seqs,
        max_model_len=limits.max_model_len,
        vision=vision,
    )
    communication = communication_bytes(layout, constants)
    graphs = graph_bytes(architecture, layout, constants, limits.graph_batch)
    fixed = weights + activation + communication + constants.context_bytes
    room = _room(seen, weights, fixed - weights, graphs, limits.share, rules, constants)
    plan = cache_plan(architecture, cache_format, layout, rules, constants, limits.tokens, speculative_tokens)
    if constants.kv_at_start and not (max_model_len or rules.max_model_len_default):
        limits = replace(limits, max_model_len=_longest(plan, room - rules.reserve_bytes, limits.max_model_len, constants.shortest_context))
    needed = plan.sequence_bytes(limits.max_model_len if constants.holds_longest else plan.block_tokens)
    kept_kv = min(needed, room) if constants.kv_at_start and room > 0 else room
    outside_graphs = 0.0 if rules.graphs_in_share else min(graphs, max(0.0, usable - fixed - max(kept_kv, 0.0)))
    graph_part = graphs if rules.graphs_in_share else outside_graphs
    outside = usable - fixed - graph_part - kept_kv
    reason, fix = _verdict(architecture, layout, weight_format, limits, plan, weights, kept_kv, room, needed, usable)
    slack = constants.slack_share * usable - outside if graphs and not rules.graphs_in_share else 0.0
    if not reason and slack > 0:
        reason = f"CUDA graphs lie outside the engine's share and leave {gib(outside)}, {gib(outside + slack)} are needed"
        fix = "lower the engine's share of memory, or run without CUDA graphs"
    host = HOST_BYTES - outside if accelerator.unified_memory and not constants.kv_at_start else 0.0
    if not reason and host > 0:
        reason = f"the engine's share leaves {gib(outside)} of the memory that card and host share, {gib(HOST_BYTES)} are needed"
        fix, slack = "lower the engine's share of memory", host
    return MemoryBudget(
        usable_bytes=usable,
        weight_bytes=weights,
        kv_bytes=kept_kv,
        activation_bytes=activation,
        graph_bytes=graph_part,
        communication_bytes=communication,
        context_bytes=constants.context_bytes,
        outside_bytes=outside,
        weights_by_part=tuple(by_part.items()),
        plan=plan,
        max_model_len=limits.max_model_len,
        max_num_seqs=limits.max_num_seqs,
        needed_bytes=needed,
        kv_tokens=_tokens(plan, kept_kv, limits, constants),
        reason=reason,
        fix=fix,
        slack_missing_bytes=max(slack, 0.0),
    )


def _limits(
    architecture: Architecture,
    rules: EngineRules,
    max_model_len: int | None,
    max_num_seqs: int | None,
    max_num_batched_tokens: int | None,
    memory_share: float | None,
    enforce_eager: bool,
) -> _Limits:
    length = max_model_len or rules.max_model_len_default or architecture.max_positions
    sequences = max_num_seqs or rules.max_num_seqs
    tokens = max_num_batched_tokens or min(rules.max_num_batched_tokens, max(sequences * length, 1))
    graph_batch = 0 if enforce_eager else min(rules.graph_max_batch, 2 * sequences if rules.graphs_in_share else rules.graph_max_batch)
    return _Limits(length, sequences, tokens, memory_share if memory_share is not None else rules.memory_share, graph_batch)


def _longest(plan: CachePlan, room: float, trained: int, shortest: int) -> int:
    """An engine that allocates the cache at start halves an unstated context until it fits, but not below `shortest`."""
    length = trained
    while length > shortest and plan.sequence_bytes(length) > room:
        length = max(shortest, length // 2)
    return min(trained, length)


def _room(seen: float, weights: float, others: float, graphs: float, share: float, rules: EngineRules, constants: MemoryConstants) -> float:
    """Bytes for the cache: a share of the card less what else is in it, a share of what is free, or (SGLang) a share of what was free
    before the weights were loaded.
    """
    fixed = weights + others
    if constants.profile == "reserved":
        return share * (seen - others) - weights - rules.reserve_bytes
    if rules.share_of == "free":
        return share * (seen - fixed - rules.reserve_bytes) if seen > fixed else seen - fixed
    kept = 0.0 if constants.kv_at_start else rules.reserve_bytes  # there it only decides how long an unstated context may be
    return seen * share - fixed - kept - (graphs if rules.graphs_in_share else 0.0)


def _tokens(plan: CachePlan, kv_bytes: float, limits: _Limits, constants: MemoryConstants) -> int:
    if constants.kv_at_start:
        return math.ceil(limits.max_model_len / plan.block_tokens) * plan.block_tokens if kv_bytes > 0 else 0
    return plan.tokens(kv_bytes, limits.max_model_len, constants.length_tokens)


def _verdict(
    architecture: Architecture,
    layout: Layout,
    weights: WeightFormat,
    limits: _Limits,
    plan: CachePlan,
    weight_bytes: float,
    kept: float,
    room: float,
    needed: float,
    usable: float,
) -> tuple[str, str]:
    """Why the engine would not start and what change is nearest; two empty texts when it does."""
    if room >= needed * (1 - 1e-9):
        return "", ""
    missing = needed - room
    if weight_bytes > usable:
        reason = f"the weights take {gib(weight_bytes)} a card, which has {gib(usable)}"
    elif room <= 0:
        reason = f"weights and buffers leave no room for the KV cache: {gib(-room)} too much on a card of {gib(usable)}"
    else:
        reason = f"one request of {limits.max_model_len:,} tokens needs {gib(needed)} of KV cache a card, {gib(room)} are left"
    return reason, _fix(architecture, layout, weights, limits, plan, weight_bytes, room, missing)


def _fix(
    architecture: Architecture,
    layout: Layout,
    weights: WeightFormat,
    limits: _Limits,
    plan: CachePlan,
    weight_bytes: float,
    room: float,
    missing: float,
) -> str:
    """The nearest change: a shorter context when some cache is left, else more cards, else fewer bits."""
    per_token = plan.token_bytes
    if room > 0 and per_token > 0:
        length = math.floor(room / per_token / plan.block_tokens) * plan.block_tokens
        if length >= min(1024, limits.max_model_len // 2):
            return f"shorten the context to about {length:,} tokens"
    cards = layout.cards_per_replica
    counts = valid_tensor_parallel(architecture, weights, limit=64)
    wanted = cards * weight_bytes / max(weight_bytes - missing, weight_bytes / 64)
    better = [count for count in counts if count > layout.tensor_parallel and count * layout.pipeline_parallel >= wanted]
    if better:
        return f"take tensor parallel {better[0]} ({better[0] * layout.pipeline_parallel} cards), or a narrower weight format"
    return "take a narrower weight format or a card with more memory"
