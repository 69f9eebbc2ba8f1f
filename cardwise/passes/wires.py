"""What the cards of one replica say to each other in a step: all-reduces, exchanges of experts, row splits, hand-overs between stages."""

from __future__ import annotations

from cardwise.efficiency import Efficiency
from cardwise.hardware import Link
from cardwise.laws.collectives import (
    all_reduce_seconds,
    exchange_seconds,
    latency_growth,
    other_ranks,
    rate_growth,
    send_seconds,
)
from cardwise.laws.roofline import Amount
from cardwise.laws.work import Operator, Work, gathered
from cardwise.layout import Layout
from cardwise.model import Architecture, Layer

ACTIVATION_BYTES = 2.0
GATHERING_ENGINES = frozenset({"vllm"})
"""Engines whose experts under DP attention get all tokens and keep theirs (vLLM's default backend, allgather_reducescatter); the others
send a token to the cards of its experts (DeepEP, TensorRT-LLM's all-to-all)."""
ROW_SPLIT_ENGINES = frozenset({"llama.cpp", "ik_llama.cpp"})
ROW_SPLIT_BYTES = 4.0
ROW_SPLIT_CHAIN = 5.0
"""What a split product waits for whatever the number of cards, in copies: an event on the first card, the others that await it, their
kernels' start, and the first card that awaits them. Decode times of 2, 3, 4 and 6 cards on three rigs (3090, 4090, 4000 Ada) lie on a +
b (n - 1) with a / b = 2.2 to 2.6, and b is two copies."""


class Wires:
    """Prices a step's messages for one model in one layout. `rate`: bytes/s of an all-reduce, one direction of a card's link."""

    def __init__(
        self, architecture: Architecture, layout: Layout, link: Link, efficiency: Efficiency, dispatch_bytes: float = ACTIVATION_BYTES
    ) -> None:
        """`dispatch_bytes`: of an activation on its way to an expert; those that come back have 16 bit."""
        self._architecture, self._layout, self._dispatch_bytes = architecture, layout, dispatch_bytes
        self._copy_seconds, self._kind = efficiency.reduce_seconds, link.kind
        self.rate = link.bytes_per_s * efficiency.reduce_share * rate_growth(link.kind, layout.tensor_parallel)
        self._exchange_rate = link.bytes_per_s * efficiency.reduce_share * min(1.0, rate_growth(link.kind, layout.tensor_parallel))
        self._stage_rate = (link.between or link).bytes_per_s * efficiency.reduce_share

    def operators(self, rows: Amount) -> list[Operator]:
        """Messages of a step of `rows` rows."""
        layout, architecture = self._layout, self._architecture
        message = rows * architecture.hidden * ACTIVATION_BYTES
        operators = []
        if layout.tensor_parallel > 1 and layout.engine in ROW_SPLIT_ENGINES:
            operators.append(self._row_split(rows))
        elif layout.tensor_parallel > 1 and layout.data_parallel > 1:
            operators += self._between_groups(rows)
        elif layout.tensor_parallel > 1:
            operators.append(self._all_reduce(message, layout.tensor_parallel, 2 * architecture.layer_count))
        if layout.pipeline_parallel > 1:
            hops = layout.pipeline_parallel
            seconds = send_seconds(message, self._copy_seconds, self._stage_rate) * hops * (rows > 0)
            operators.append(Operator("pipeline send", Work(message_bytes=message * hops), seconds, link_seconds=seconds))
        return operators

    def _between_groups(self, rows: Amount) -> list[Operator]:
        """Attention in groups (DP attention): an all-reduce inside each group, over its own rows alone, and before and after every
        feed-forward an exchange of rows between all cards.
        """
        layout, architecture = self._layout, self._architecture
        exchanged = gathered("expert exchange", [self._exchange(layer, rows) for layer in architecture.layers])
        if layout.attention_tensor_parallel == 1:
            return [exchanged]
        message = rows / layout.data_parallel * architecture.hidden * ACTIVATION_BYTES
        return [self._all_reduce(message, layout.attention_tensor_parallel, architecture.layer_count), exchanged]

    def _all_reduce(self, message: Amount, ranks: int, count: int) -> Operator:
        """`count` all-reduces of `message` bytes between `ranks` cards."""
        latency = self._copy_seconds * latency_growth(self._kind, ranks)
        seconds = all_reduce_seconds(message, ranks, latency, self.rate) * count * (message > 0)
        return Operator("all-reduce", Work(message_bytes=message * count, launches=count), seconds, link_seconds=seconds)

    def _exchange(self, layer: Layer, rows: Amount) -> Operator:
        """Exchanges of layers alike: only to the cards of a token's experts where those are whole and the engine does so."""
        layout, hidden = self._layout, self._architecture.hidden
        ranks, feed_forward = layout.tensor_parallel, layer.feed_forward
        if layout.expert_parallel == 1 or feed_forward.kind != "experts" or layout.engine in GATHERING_ENGINES:
            message = 2.0 * (ranks - 1) / ranks * rows * hidden * ACTIVATION_BYTES
        else:
            message = rows / ranks * other_ranks(feed_forward.top_k, ranks) * hidden * (self._dispatch_bytes + ACTIVATION_BYTES)
        latency = self._copy_seconds * latency_growth(self._kind, ranks)
        seconds = exchange_seconds(message, latency, self._exchange_rate) * layer.count * (rows > 0)
        work = Work(message_bytes=message * layer.count, launches=2 * layer.count)
        return Operator("expert exchange", work, seconds, link_seconds=seconds)

    def _row_split(self, rows: Amount) -> Operator:
        """llama.cpp's row split: the first card sends every matrix's input to the others in FP32 and gathers its output from them, one
        matrix after the other, over its own link. Matrices that share an input (q, k, v; gate, up) count as one.
        """
        ranks = self._layout.tensor_parallel
        copies = elements = 0.0
        for layer in self._architecture.layers:
            for matrix in (*layer.mixer.matrices, *layer.feed_forward.matrices):
                if matrix.shard == "none":
                    continue
                active = layer.feed_forward.top_k if matrix.part == "experts" else 1
                copies += (2 * (ranks - 1) + ROW_SPLIT_CHAIN) * layer.count
                elements += (matrix.inputs * (ranks - 1) + matrix.outputs * (ranks - 1) / ranks) * active * layer.count
        message = rows * elements * ROW_SPLIT_BYTES
        seconds = (copies * self._copy_seconds + message / self.rate) * (rows > 0)
        return Operator("row split", Work(message_bytes=message, launches=copies), seconds, link_seconds=seconds)
