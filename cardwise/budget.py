"""The memory of one card under an engine: what takes it, what is left for the KV cache, how many requests that holds. Frozen, no I/O."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from cardwise.quantities import gib


@dataclass(frozen=True, slots=True)
class MemoryConstants:
    """What an engine era takes besides weights and cache: facts, most of them fitted to start-up logs.

    `context_bytes`: of the runtime and its kernels in one process; `peer_bytes` more as soon as ranks talk, `rank_bytes` more per further
    rank. `profile`: how the activation peak arises: `sampler` (a dummy run of the token budget, then sampling for every sequence),
    `forward` (a run of the token budget), `compute-buffer` (llama.cpp: one micro-batch over the whole context), `reserved` (SGLang: inside
    what the share leaves). `hidden_copies`: hidden states alive at the peak; `bytes_per_logit`: of the sampler, per sequence and vocabulary
    entry; `encoder_bytes_per_token`: of a vision tower's dummy run over `encoder_tokens`, or over the longest video that the context holds
    (`encoder_whole_length`), or from the tower's own widths where they are known (`encoder_by_shape`). `graph_bytes`: per captured size and
    layer.
    `state_bits`: width of a recurrence's state where the checkpoint does not say it. `unified_pages`: all layer kinds share
    pages of one size (vLLM). `length_tokens`: the engine reports cache tokens as requests x longest request. `attention_buffer`: no flash
    attention. `latent_full_width`: head width in the cache of an engine without MLA. `index_scale_bytes`: per index key.
    `slack_share`: of the card, that must stay free beside CUDA graphs outside the engine's share, for fragments and workspaces.
    `latent_absorbed`: products of the up-projections of MLA are kept as matrices of their own. `holds_longest`: the engine refuses to start
    when one request of max_model_len has no room. `expert_multiple`: rows of a 4-bit float expert on a rank are padded to this multiple.
    `shortest_context`: an unstated context is cut to what fits, but not below.
    """

    era: str
    source: str
    context_bytes: float = 0.0
    peer_bytes: float = 0.0
    rank_bytes: float = 0.0
    profile: Literal["sampler", "forward", "compute-buffer", "reserved"] = "forward"
    hidden_copies: float = 3.0
    bytes_per_logit: float = 0.0
    encoder_bytes_per_token: float = 0.0
    encoder_tokens: int = 0
    encoder_whole_length: bool = False
    encoder_by_shape: bool = False
    graph_bytes: float = 0.0
    state_bits: float = 32.0
    unified_pages: bool = False
    length_tokens: bool = False
    embedding_on_host: bool = False
    kv_at_start: bool = False
    attention_buffer: bool = False
    latent_full_width: int = 0
    index_scale_bytes: float = 0.0
    slack_share: float = 0.0
    holds_longest: bool = True
    latent_absorbed: bool = False
    expert_multiple: int = 1
    shortest_context: int = 1


@dataclass(frozen=True, slots=True)
class CacheGroup:
    """Layers that keep the same: `token_bytes` per layer, token and card for at most `window` tokens, `state_bytes` per sequence."""

    kind: str
    layers: int
    token_bytes: float
    window: int | None = None
    state_bytes: float = 0.0


@dataclass(frozen=True, slots=True)
class CachePlan:
    """The KV cache of one card. `pages`: 0 when every layer kind is stored for itself; else the layers of a group in one page pool (vLLM).

    `block_tokens`: tokens of a page. `window_margin`: tokens that a windowed layer holds beyond its window while a chunk is computed.
    """

    groups: tuple[CacheGroup, ...]
    block_tokens: int
    pages: int = 0
    state_blocks: int = 1
    window_margin: int = 0

    @property
    def token_bytes(self) -> float:
        """Bytes of one more token of a long sequence: the layers without a window."""
        return sum(group.layers * group.token_bytes for group in self.groups if group.window is None)

    @property
    def page_bytes(self) -> float:
        """Bytes of one page of one layer, the same for all layers of a shared pool."""
        return self.block_tokens * max((group.token_bytes for group in self.groups), default=0.0)

    def _held(self, group: CacheGroup, tokens: float, steady: bool) -> float:
        """Tokens that a layer of the group holds; while a chunk is computed a window holds the chunk, too."""
        if group.window is None:
            return tokens
        return min(tokens, group.window - 1 + (1 if steady else self.window_margin))

    def sequence_blocks(self, tokens: float, steady: bool = False) -> int:
        """Pages of a shared pool that one sequence of `tokens` takes."""
        total, full = 0, math.ceil(tokens / self.block_tokens)
        for group in self.groups:
            blocks = full
            if group.state_bytes:
                blocks = self.state_blocks
            elif group.window is not None:
                blocks = min(full, math.ceil(self._held(group, tokens, steady) / self.block_tokens) + 1)
            total += math.ceil(group.layers / self.pages) * blocks
        return total

    def sequence_bytes(self, tokens: float, steady: bool = False) -> float:
        """Bytes on one card for one sequence of `tokens`: the most that it takes, or (`steady`) what it takes while it decodes."""
        if self.pages:
            return self.sequence_blocks(tokens, steady) * self.page_bytes * self.pages
        total = 0.0
        for group in self.groups:
            blocks = math.ceil(self._held(group, tokens, steady) / self.block_tokens)
            total += group.layers * (blocks * self.block_tokens * group.token_bytes + group.state_bytes)
        return total

    def concurrency(self, pool_bytes: float, tokens: float, steady: bool = False) -> float:
        """Sequences of `tokens` that `pool_bytes` hold at once, not rounded."""
        if pool_bytes <= 0:
            return 0.0
        if self.pages:
            blocks = math.floor(pool_bytes / (self.page_bytes * self.pages)) if self.page_bytes else 0
            return blocks / max(self.sequence_blocks(tokens, steady), 1)
        taken = self.sequence_bytes(tokens, steady)
        return pool_bytes / taken if taken else math.inf

    def tokens(self, pool_bytes: float, max_model_len: int, by_length: bool = True) -> int:
        """Cache tokens as the engine reports them: requests x longest request, or (older vLLM) pages x tokens a page / groups."""
        if pool_bytes <= 0:
            return 0
        if self.pages and self.page_bytes:
            blocks = math.floor(pool_bytes / (self.page_bytes * self.pages))
            kinds = sum(math.ceil(group.layers / self.pages) for group in self.groups)
            if not by_length or kinds == 1:
                return blocks // kinds * self.block_tokens
        several = len(self.groups) > 1 or any(group.window or group.state_bytes for group in self.groups)
        if several:
            held = self.concurrency(pool_bytes, max_model_len) * max_model_len
            return math.floor(held) if math.isfinite(held) else 0
        return math.floor(pool_bytes / self.token_bytes / self.block_tokens) * self.block_tokens if self.token_bytes else 0


@dataclass(frozen=True, slots=True)
class MemoryBudget:
    """The card with the least room. All parts in bytes; they sum to `usable_bytes`.

    `kv_bytes` is what is left for the cache; it is negative when the rest alone does not fit. `outside_bytes`: beyond the engine's
    share, or not used. `needed_bytes`: cache that must be there for the engine to start. `reason` is empty when the layout fits.
    """

    usable_bytes: float
    weight_bytes: float
    kv_bytes: float
    activation_bytes: float
    graph_bytes: float
    communication_bytes: float
    context_bytes: float
    outside_bytes: float
    weights_by_part: tuple[tuple[str, float], ...]
    plan: CachePlan
    max_model_len: int
    max_num_seqs: int
    needed_bytes: float
    kv_tokens: int
    reason: str = ""
    fix: str = ""
    slack_missing_bytes: float = 0.0

    @property
    def parts(self) -> tuple[tuple[str, float], ...]:
        """Name and bytes of every part; the bytes sum to `usable_bytes`."""
        return (
            ("weights", self.weight_bytes),
            ("kv", self.kv_bytes),
            ("activation", self.activation_bytes),
            ("graphs", self.graph_bytes),
            ("communication", self.communication_bytes),
            ("context", self.context_bytes),
            ("outside", self.outside_bytes),
        )

    @property
    def fits(self) -> bool:
        return not self.reason

    @property
    def shortfall_bytes(self) -> float:
        """Bytes missing on the card; 0 when it fits."""
        return max(self.slack_missing_bytes, self.needed_bytes - self.kv_bytes) if self.reason else 0.0

    def max_concurrency(self, tokens: float) -> float:
        """Requests of `tokens` each that the engine counts on (as vLLM prints it), not rounded and not limited by max_num_seqs."""
        return self.plan.concurrency(self.kv_bytes, tokens)

    def running_concurrency(self, tokens: float) -> float:
        """Requests of `tokens` each that can decode at once: layers with a window then hold the window alone, not a chunk besides."""
        return self.plan.concurrency(self.kv_bytes, tokens, steady=True)

    def summary(self) -> str:
        """One line: every part that takes something."""
        return ", ".join(f"{name} {gib(value)}" for name, value in self.parts if abs(value) > 1e6)
